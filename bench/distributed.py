"""Training in several processes: how much sooner than in one, each with a thread of its own.

`Autoencoder.fit` alone, once everything is loaded and warm, in one process and in several of a group (gloo, one
machine); the least of several rounds, each of which runs them one after another. *Exchanged* is what every step sends
and receives: all gradients as float32.

Run: ``LATENTMAP_DATA=... python -m bench.distributed [--short] [--models residual strided] [--processes 2]``
"""

from __future__ import annotations

import argparse
import os
import socket
import tempfile
import time
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from bench.data import benchmark_dataset, photographs
from latentmap import Autoencoder
from latentmap.data import Dataset

KEPT = {"dense": 2, "conv": 64, "residual": 2, "strided": 64}  # numbers a code


def data(model: str, *, short: bool) -> Dataset:
    """Photographs for what is made for them, else MNIST."""
    dataset = photographs() if model == "strided" and not short else benchmark_dataset(short=short)
    return dataset.limit(200) if short else dataset


def fit(rank: int, size: int, port: int, folder: str, model: str, *options: object) -> None:
    """Fit in one process of a group; the first writes down how long it took."""
    short, epochs = options
    torch.set_num_threads(1)
    if size > 1:
        address = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=size)
    X = data(model, short=bool(short)).train.X
    Autoencoder(model, KEPT[model], epochs=1, random_state=0).fit(X[:1000])
    if size > 1:
        distributed.barrier()
    start = time.perf_counter()
    autoencoder = Autoencoder(model, KEPT[model], epochs=epochs, random_state=0).fit(X)
    seconds = time.perf_counter() - start
    if rank == 0:
        torch.save((seconds, autoencoder.history_[-1]["valid_loss"], autoencoder.n_parameters_), f"{folder}/found")
    if size > 1:
        distributed.destroy_process_group()


def measure(model: str, size: int, *options: object) -> tuple[float, float, int]:
    """Seconds, the validation loss, and how many numbers are learned."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        multiprocessing.spawn(fit, (size, port, folder, model, *options), nprocs=size)
        found: tuple[float, float, int] = torch.load(Path(folder) / "found", weights_only=False)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="digits: shows that it runs")
    parser.add_argument("--models", nargs="+", choices=KEPT, default=["residual", "strided", "conv"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, one thread a process, {options.epochs} epochs; seconds of fit")
    several = f"{options.processes} processes"
    print(f"{'model':>10} {'exchanged':>10} {'1 process':>10} {several:>12} {'ratio':>6}  losses")
    for model in options.models:
        found: dict[int, list[tuple[float, float, int]]] = {1: [], options.processes: []}
        for _ in range(1 if options.short else options.rounds):
            for size, results in found.items():
                results.append(measure(model, size, options.short, options.epochs))
        one, shared = (min(results) for results in found.values())
        print(
            f"{model:>10} {4 * one[2] / 1e6:7.1f} MB {one[0]:10.1f} {shared[0]:12.1f} {one[0] / shared[0]:6.2f}  "
            f"{one[1]:.5f} {shared[1]:.5f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
