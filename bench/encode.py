"""Encoding and decoding with a fitted model, beside plain PyTorch, onnxruntime, PCA and (where installed) UMAP.

Speed does not depend on the weights, so models are fitted for one epoch only. Each figure is the best of several runs;
all run in turn in one process, with the same threads.

Run: ``LATENTMAP_DATA=... python -m bench.encode [--short]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bench.data import benchmark_dataset
from latentmap import Autoencoder
from latentmap.analysis import PcaBaseline
from latentmap.models import MODELS

PLAIN_BATCHES = (64, 256, 1024, 4096)


def best_rate(function: Callable[[Any], Any], array: np.ndarray, repeats: int) -> float:
    """Samples a second, the best of several runs after one that does not count."""
    function(array[: len(array) // 10])
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(array)
        seconds.append(time.perf_counter() - start)
    return len(array) / min(seconds)


def plain_encode(autoencoder: Autoencoder, batch: int) -> Callable[[np.ndarray], None]:
    """What one would write by hand: batches, scaled, through the network."""
    module = autoencoder.module_

    def run(X: np.ndarray) -> None:
        with torch.inference_mode():
            for part in torch.from_numpy(X).split(batch):
                module.encode(part.permute(0, 3, 1, 2) / 255)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="digits: shows that it runs")
    options = parser.parse_args()
    dataset = benchmark_dataset(short=options.short)
    X, repeats = dataset.train.images, 2 if options.short else 3
    print(f"{dataset.name}, {len(X):,} images, {torch.get_num_threads()} threads; thousand samples a second")
    print(f"{'':34}{'encode':>10}{'decode':>10}")

    def show(name: str, encode: float, decode: float | None = None) -> None:
        print(f"{name:34}{encode / 1e3:10.1f}" + (f"{decode / 1e3:10.1f}" if decode else ""), flush=True)

    for model in MODELS:
        autoencoder = Autoencoder(model=model, epochs=1, random_state=0).fit(X)
        Z = autoencoder.transform(X)
        plain = {batch: best_rate(plain_encode(autoencoder, batch), X, repeats) for batch in PLAIN_BATCHES}
        best = max(plain, key=lambda batch: plain[batch])
        show(f"{model}, plain PyTorch, batches of {best}", plain[best])
        show(f"{model}, Latentmap", best_rate(autoencoder.transform, X, repeats),
             best_rate(autoencoder.inverse_transform, Z, repeats))  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            from latentmap.models.onnx import OnnxAutoencoder

            autoencoder.export_onnx(folder)
            exported = OnnxAutoencoder(folder)
            show(f"{model}, onnxruntime", best_rate(exported.transform, X, repeats),
                 best_rate(exported.inverse_transform, Z, repeats))  # fmt: skip
        pca = PcaBaseline(autoencoder.latent_dim_).fit(X)
        show(f"PCA, {autoencoder.latent_dim_} numbers", best_rate(pca.transform, X, repeats),
             best_rate(pca.inverse_transform, Z, repeats))  # fmt: skip
    umap_rates(X, show, short=options.short)


def umap_rates(X: np.ndarray, show: Callable[..., None], *, short: bool) -> None:
    """UMAP on a part of the data: its rates do not depend on how much there is to encode."""
    try:
        from umap import UMAP
    except ImportError:
        print("UMAP                              not installed (bench/requirements.txt)")
        return
    flat = X.reshape(len(X), -1) / np.float32(255)
    n_fit, n_decode = (500, 20) if short else (10_000, 100)
    reducer = UMAP(random_state=0, n_jobs=1).fit(flat[:n_fit])
    Z = reducer.embedding_[:n_decode]
    show(f"UMAP, fitted on {n_fit:,}", best_rate(reducer.transform, flat[:n_fit], 1),
         best_rate(reducer.inverse_transform, Z, 1))  # fmt: skip


if __name__ == "__main__":
    main()
