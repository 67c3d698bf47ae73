"""Which objective walks best: from one image to another through the codes, how real and how even is what lies between.

For each objective the same architecture is fitted with the same size of codes, random pairs of test images are
connected by straight lines, and these are decoded. *middle* is the mean squared distance of a walk's middle to the
nearest training image, per pixel; *ends* is that of its ends, which are reconstructions: the difference is what it
costs to walk. *longest step* is that of a walk over its mean step: 1 is even, more means jumps. The plain blend of
pixels is there for comparison: even, and unreal. *MSE* is of the test images.

Run: ``LATENTMAP_DATA=... python -m bench.interpolation [--short] [--model dense] [--latent-dim 16] [--seeds 3]``
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np

from bench.data import benchmark_dataset
from latentmap import Autoencoder
from latentmap.analysis import PcaBaseline, WalkQuality, interpolate, reconstruction_errors, walk_quality
from latentmap.training import OBJECTIVES

_PAIRS = 500


def row(name: str, found: list[tuple[WalkQuality, float | None]]) -> str:
    """A line of the table: medians over seeds."""
    columns = [
        [quality.midpoint_error for quality, _ in found],
        [quality.endpoint_error for quality, _ in found],
        [quality.midpoint_error - quality.endpoint_error for quality, _ in found],
    ]
    cells = "".join(f"{statistics.median(column):>12.4f}" for column in columns)
    uneven = statistics.median(quality.unevenness for quality, _ in found)
    errors = [error for _, error in found if error is not None]
    return f"{name:22}{cells}{uneven:>14.2f}{(f'{statistics.median(errors):.4f}' if errors else '-'):>10}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="digits, one seed: shows that it runs")
    parser.add_argument("--model", default="dense")
    parser.add_argument("--latent-dim", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    seeds = 1 if options.short else options.seeds
    dataset = benchmark_dataset(short=options.short)
    train, test = dataset.train.images, dataset.test.images
    pairs = np.random.default_rng(0).integers(len(test), size=(_PAIRS, 2))

    def measure(model: Autoencoder | PcaBaseline) -> tuple[WalkQuality, float]:
        walks = interpolate({"model": model}, test, pairs).walks["model"]
        return walk_quality(walks, train, unit=255), float(reconstruction_errors(model, test).mean())

    print(f"{dataset.name}, {options.model}, {options.latent_dim} numbers, {_PAIRS} walks, {seeds} seed(s)")
    print(f"{'':22}{'middle':>12}{'ends':>12}{'difference':>12}{'longest step':>14}{'MSE':>10}")
    pca = PcaBaseline(options.latent_dim).fit(train)
    blend = interpolate({"pca": pca}, test, pairs).blend
    print(row("pixels, blended", [(walk_quality(blend, train, unit=255), None)]), flush=True)
    print(row("PCA", [measure(pca)]), flush=True)
    epochs = 2 if options.short else "auto"
    for objective in OBJECTIVES:
        found = [
            measure(
                Autoencoder(
                    options.model, options.latent_dim, objective=objective, epochs=epochs, random_state=seed
                ).fit(train)
            )
            for seed in range(seeds)
        ]
        print(row(objective, found), flush=True)


if __name__ == "__main__":
    main()
