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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data import benchmark_dataset
from latentmap import Autoencoder
from latentmap.analysis import PcaBaseline, interpolate, nearest_samples, reconstruction_errors
from latentmap.training import OBJECTIVES

_PAIRS = 500


@dataclass(frozen=True)
class WalkQuality:
    """How real and how even walks between codes are."""

    midpoint_error: float  # mean squared distance, per value, of the middle of a walk to the nearest training sample
    endpoint_error: float  # the same of the ends: what the model's drawing costs, wherever it draws
    unevenness: float  # the longest step of a walk over its mean step, the mean over walks: 1 is even


def walk_quality(walks: NDArray[Any], X_train: NDArray[Any], *, unit: float) -> WalkQuality:
    """Measure decoded walks, (n_walks, n_steps, ...): how near their middles are to samples, how even their steps."""
    n_steps = walks.shape[1]
    if n_steps < 3 or n_steps % 2 == 0:
        raise ValueError(f"walks must have an odd number of steps, at least 3, got {n_steps}.")

    def error(samples: NDArray[Any]) -> float:
        nearest = X_train[nearest_samples(samples, X_train, 1, unit)[:, 0]]
        difference = (samples.reshape(len(samples), -1) - nearest.reshape(len(samples), -1)) / unit
        return float(np.square(difference, dtype=np.float64).mean())

    flat_walks = walks.reshape(len(walks), n_steps, -1) / unit
    steps = np.sqrt(np.square(np.diff(flat_walks, axis=1), dtype=np.float64).sum(axis=2))
    mean = np.maximum(steps.mean(axis=1), 1e-12)
    return WalkQuality(
        error(walks[:, n_steps // 2]),
        error(walks[:, [0, -1]].reshape(-1, *walks.shape[2:])),
        float((steps.max(axis=1) / mean).mean()),
    )


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
        walks = interpolate({"model": model}, dataset, pairs).walks["model"]
        return walk_quality(walks, train, unit=255), float(reconstruction_errors(model, test).mean())

    print(f"{dataset.name}, {options.model}, {options.latent_dim} numbers, {_PAIRS} walks, {seeds} seed(s)")
    print(f"{'':22}{'middle':>12}{'ends':>12}{'difference':>12}{'longest step':>14}{'MSE':>10}")
    pca = PcaBaseline(options.latent_dim).fit(train)
    blend = interpolate({"pca": pca}, dataset, pairs).blend
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
