"""More images than memory holds, in Parquet: made, learned from, and encoded by one process and by workers of Ray.

Images of MNIST, turned, scaled and moved a little, a hundred thousand a file. Everything is the command line's:
`fit` for a stated number of passes, then `encode` of some files by one process and by 1 and 2 workers, several times
each, one after another, and of all of them by 2 workers. *Images a second* leave out what starting takes, which is the
same command's time for twenty images. *Memory* is the most that one process of the command held, shared memory aside.

Run: ``LATENTMAP_DATA=... python -m bench.past_memory [--short] [--images 10000000] [--folder DIR]``
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.nn.functional import affine_grid, grid_sample

from bench.data import benchmark_dataset

A_FILE = 100_000
GROUP = 4096  # rows of a row group


def make(folder: Path, n: int, *, short: bool) -> None:
    """Write n images of 32x32 to Parquet files."""
    X = torch.from_numpy(benchmark_dataset(short=short).train.X[..., 0])
    generator = torch.Generator().manual_seed(0)
    for number, start in enumerate(range(0, n, A_FILE)):
        path = folder / f"{number:04}.parquet"
        if path.exists():
            continue
        n_here = min(A_FILE, n - start)
        pieces = []
        for first in range(0, n_here, 10_000):
            m = min(10_000, n_here - first)
            x = X[torch.randint(len(X), (m,), generator=generator)][:, None].float()
            angle, scale = (torch.rand(2, m, generator=generator) - 0.5) * torch.tensor([[0.5], [0.3]])
            scale, moves = 1 + scale, (torch.rand(m, 2, 1, generator=generator) - 0.5) / 4
            turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(m, 2, 2)
            grid = affine_grid(torch.cat([turn * scale.view(m, 1, 1), moves], 2), [m, 1, 32, 32], align_corners=False)
            pieces.append(grid_sample(x, grid, align_corners=False)[:, 0].round().to(torch.uint8).numpy())
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.concatenate(pieces))
        partial = path.with_suffix(".partial")
        pq.write_table(pa.table({"image": column}), partial, row_group_size=GROUP, compression="zstd")
        partial.rename(path)


def run(*words: object, threads: int = 1) -> tuple[float, float]:
    """Run a command; how long it took, and the most that one of its processes held, in MiB."""
    most = 0.0
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "latentmap", *map(str, words)]
        process = psutil.Popen(command, stdout=said, stderr=said, env={**os.environ, "OMP_NUM_THREADS": f"{threads}"})
        ended = threading.Event()

        def watch() -> None:
            nonlocal most
            while not ended.wait(0.5):
                for one in [process, *processes_of(process)]:
                    try:
                        most = max(most, one.memory_full_info().uss / 2**20)
                    except psutil.Error:
                        continue

        watcher = threading.Thread(target=watch)
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
        if status:
            said.seek(0)
            raise RuntimeError(said.read().decode()[-2000:])
    return seconds, most


def processes_of(process: psutil.Process) -> list[psutil.Process]:
    """The processes that a command started, Ray's too."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="20,000 images of digits: shows that it runs")
    parser.add_argument("--images", type=int, default=10_000_000)
    parser.add_argument("--some", type=int, default=10, help="files that are encoded in each way")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--folder", type=Path, help="where the images are, or are put and left; by default nowhere")
    options = parser.parse_args()
    n = 20_000 if options.short else options.images
    folder = Path(options.folder or tempfile.mkdtemp(prefix="past-memory-"))
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    make(images, n, short=options.short)
    size = sum(path.stat().st_size for path in images.iterdir()) / 1e9
    print(
        f"{n:,} images, {n * 1024 / 1e9:.2f} GB ({size:.2f} in Parquet), made in {time.perf_counter() - start:.0f} s"
    )
    model = folder / "model"
    seconds, most = run(
        "fit", images, "-o", model, "--model", options.model, "--epochs", options.passes, "--memory", "2GiB",
        "--force", "--seed", 0, threads=2,
    )  # fmt: skip
    print(f"fit, {options.passes} pass(es), 2 threads: {seconds:.0f} s in all, {most:,.0f} MiB", flush=True)
    some = folder / "some"
    shutil.rmtree(some, ignore_errors=True)
    some.mkdir()
    for path in sorted(images.iterdir())[: options.some]:
        (some / path.name).symlink_to(path.resolve())
    n_some, few = min(n, options.some * A_FILE), folder / "few"
    few.mkdir(exist_ok=True)
    for i in range(2):  # a part for each worker
        pq.write_table(pq.read_table(images / "0000.parquet").slice(0, 10), few / f"{i}.parquet")
    ways = {"one process": (), "1 worker": ("--workers", 1), "2 workers": ("--workers", 2)}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for _ in range(1 if options.short else options.rounds):
        for name, words in ways.items():
            starting, _ = run("encode", model, few, "-o", folder / "codes-of-few", "--force", *words)
            shutil.rmtree(folder / "codes-of-few")
            seconds, most = run("encode", model, some, "-o", folder / "codes-of-some", *words)
            shutil.rmtree(folder / "codes-of-some")
            found[name].append((seconds - starting, starting, most))
    print(f"encode {n_some:,} images, one thread a process; the least of {len(found['1 worker'])}")
    plain = min(found["one process"])[0]
    for name, results in found.items():
        seconds, starting, most = min(results)
        rate = f"{n_some / seconds:9,.0f} images/s {plain / seconds:5.2f} x" if seconds > 1 else f"{'too few':>18}"
        print(f"{name:>12} {rate}, starting {starting:.1f} s, {most:,.0f} MiB", flush=True)
    seconds, most = run("encode", model, images, "-o", folder / "codes", "--force", "--workers", 2)
    print(f"encode all {n:,} by 2 workers: {seconds:.0f} s, {n / seconds:,.0f} images/s, {most:,.0f} MiB", flush=True)
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
