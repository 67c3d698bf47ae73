"""Images that may not be held in memory, beside the same images held: rates of training and encoding, peak memory.

A ``.npy`` file of pen strokes in colour is made, 1,000,000 of 32x32x3 (3 GB) by default. In one process it is read
into memory, fitted for one epoch and encoded; in another it is loaded with ``memory="256MiB"``, which decodes it into
a store in the cache first, and then fitted and encoded from there. Both have the same threads, batches and images, and
both fit a few images first, so that one-time costs are in no time. Peak memory is the process's high-water mark; the
store is written by a third process, whose mark is shown too. Everything made here is removed in the end.

Run: ``python -m bench.larger_than_memory [--short] [--n 1000000] [--model dense]``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.scaling import MIB, SIDE, make_images, peak_memory

_BLOCK = 10_000
_BUDGET = "256MiB"


def make_file(path: Path, n: int) -> None:
    """Write n strokes in three colours, block by block."""
    colours = np.random.default_rng(0).uniform(0.2, 1, (n, 1, 1, 3)).astype(np.float32)
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, SIDE, SIDE, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n, _BLOCK):
            stop = min(start + _BLOCK, n)
            strokes = make_images(stop - start, seed=start)
            file.write((strokes * colours[start:stop]).astype(np.uint8).tobytes())


def measure(path: Path, how: str, model: str) -> dict[str, Any]:
    """Fit for one epoch and encode, held or streamed; or only store. In a process that has done nothing else."""
    from latentmap import Autoencoder, load_dataset
    from latentmap.models import fitted as module

    start = time.perf_counter()
    if how == "held":
        X = np.load(path)
    else:
        X = load_dataset(path, memory=_BUDGET, test_fraction=1e-9).train.X
        # Short runs are of few images, which would be held however they are mapped.
        module._STREAMED_FROM = min(module._STREAMED_FROM, X.nbytes)
    loaded = time.perf_counter() - start
    if how == "stored":
        return {"load": loaded, "peak": peak_memory()}
    autoencoder = Autoencoder(model, epochs=1, batch_size=512, random_state=0)
    autoencoder.fit(np.array(X[:2000])).transform(np.array(X[:2000]))
    start = time.perf_counter()
    autoencoder.fit(X)
    fitted = time.perf_counter()
    Z = autoencoder.transform(X)
    encoded = time.perf_counter()
    return {
        "load": loaded,
        "n": len(Z),
        "fit": fitted - start,
        "encode": encoded - fitted,
        "peak": peak_memory(),
        "loss": autoencoder.history_[-1]["valid_loss"],
    }


def apart(path: Path, how: str, model: str, cache: Path) -> dict[str, Any]:
    """What `measure` finds in a process of its own."""
    command = [sys.executable, "-m", "bench.larger_than_memory", "--one", how, "--file", str(path), "--model", model]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="20,000 images: shows that it runs")
    parser.add_argument("--n", type=int)
    parser.add_argument("--model", default="dense")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.file, options.one, options.model)))
        return
    n = options.n or (20_000 if options.short else 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "strokes.npy"
        make_file(path, n)
        print(f"{n:,} images of {SIDE}x{SIDE}x3, {path.stat().st_size / 2**30:.2f} GiB, {options.model}, one epoch")
        found = {how: apart(path, how, options.model, Path(folder)) for how in ("held", "stored", "streamed")}
    print(
        f"{'':10}{'load s':>9}{'fit s':>9}{'images/s':>11}{'encode s':>10}{'images/s':>11}{'peak MiB':>10}{'loss':>10}"
    )
    for how, row in found.items():
        line = f"{how:10}{row['load']:9.1f}"
        if "fit" in row:
            line += f"{row['fit']:9.1f}{row['n'] / row['fit']:11,.0f}"
            line += f"{row['encode']:10.1f}{row['n'] / row['encode']:11,.0f}"
        else:
            line += " " * 41
        loss = f"{row['loss']:10.5f}" if "loss" in row else ""
        print(f"{line}{row['peak'] / MIB:10,.0f}{loss}")
    held, streamed = found["held"], found["streamed"]
    rates = (held["fit"] / streamed["fit"], held["encode"] / streamed["encode"])
    print(f"streamed at {rates[0]:.0%} of the rate of training in memory, {rates[1]:.0%} of that of encoding")


if __name__ == "__main__":
    main()
