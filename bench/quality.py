"""How good a code of a few numbers gets: summed squared error per test image on MNIST at 28x28, pixels in [0, 1].

``Autoencoder(model="residual", latent_dim=...)`` with its defaults, fitted on the 60,000 training images and scored
on the 10,000 test images, beside PCA and published figures; several seeds, median and range. Seconds are of ``fit``;
*refined* is the median with ``refine=1``, and its seconds are of encoding and decoding the test images.

Run: ``LATENTMAP_DATA=... python -m bench.quality [--short] [--latent-dims 2 30 64] [--seeds 3] [--model residual]``
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from bench.data import benchmark_dataset
from latentmap import Autoencoder
from latentmap.analysis import PcaBaseline
from latentmap.data import Dataset

# By the size of the code, for MNIST at 28x28: what we aim at, and what was published.
KNOWN = ({2: "25.0", 30: "2.0", 64: "1.0"}, {30: "3.00 (Hinton and Salakhutdinov 2006, Science 313)"})


def summed_error(model: Autoencoder | PcaBaseline, images: np.ndarray) -> float:
    """Squared error summed over an image's pixels in [0, 1], the mean over images."""
    X_hat = model.inverse_transform(model.transform(images))
    errors = np.square((images - X_hat) / 255, dtype=np.float64)
    return float(errors.reshape(len(images), -1).sum(axis=1).mean())


def measure(dataset: Dataset, model: str, latent_dim: int, epochs: int | str, seeds: int) -> None:
    """Fit and score with several seeds, and print a row."""
    pca = summed_error(PcaBaseline(latent_dim).fit(dataset.train.images), dataset.test.images)
    found, seconds, refined, encoding = [], [], [], []
    for seed in range(seeds):
        start = time.perf_counter()
        autoencoder = Autoencoder(model=model, latent_dim=latent_dim, epochs=epochs, random_state=seed)
        autoencoder.fit(dataset.train.images)
        seconds.append(time.perf_counter() - start)
        found.append(summed_error(autoencoder, dataset.test.images))
        start = time.perf_counter()
        refined.append(summed_error(autoencoder.set_params(refine=1), dataset.test.images))
        encoding.append(time.perf_counter() - start)
    spread = f"{min(found):.2f} to {max(found):.2f}"
    target, published = (known.get(latent_dim, "-") if dataset.name == "mnist" else "-" for known in KNOWN)
    print(
        f"{latent_dim:>8}{pca:>9.2f}{statistics.median(found):>9.2f}{spread:>16}{target:>9}"
        f"{statistics.median(seconds):>9.0f}{statistics.median(refined):>9.2f}{statistics.median(encoding):>9.1f}"
        f"  {published}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="digits, one seed: shows that it runs")
    parser.add_argument("--latent-dims", type=int, nargs="+", default=[2, 30, 64])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default="residual")
    options = parser.parse_args()
    dataset = benchmark_dataset(short=options.short, size=8 if options.short else None)
    print(
        f"{dataset.name}, {len(dataset.train):,} images of {dataset.sample_shape}, {options.model}, "
        f"{torch.get_num_threads()} threads, pixels in [0, 1]"
    )
    print(
        f"{'numbers':>8}{'PCA':>9}{'median':>9}{'range':>16}{'target':>9}{'seconds':>9}{'refined':>9}"
        f"{'seconds':>9}  published"
    )
    for latent_dim in options.latent_dims:
        epochs, seeds = (2, 1) if options.short else ("auto", options.seeds)
        measure(dataset, options.model, latent_dim, epochs, seeds)


if __name__ == "__main__":
    main()
