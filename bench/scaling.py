"""Seconds and peak memory of training and encoding from 10,000 to 1,000,000 images, which this benchmark makes.

The images are pen strokes of 32x32 pixels, drawn in blocks straight into one uint8 array; the first n of them are the
same at every size. Each size has a process of its own, so that peak memory is its own. There the libraries are
imported (the *base*), a first short fit takes the one-time costs out of the times, the images are made, a model is
fitted for one epoch at a fixed batch size, and all images are encoded. Peak memory is the process's high-water mark of
resident memory, and what is *beyond the data* is that mark less the base and less the images.

Defaults are kept otherwise: of up to 50,000 images a tenth is set aside to judge the epoch by, of more 5,000.

Run: ``python -m bench.scaling [--short] [--model dense] [--sizes 10000 30000 100000 300000 1000000]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SHORT_SIZES = (1_000, 2_000, 4_000)
SIDE = 32
MIB = 2**20
_BLOCK = 1_000  # images drawn at once, in some 20 MiB of working memory
_DOTS = 8  # that a stroke is made of
_LARGE = 10_000  # below, the mean image is taken of all images, and memory grows with them by design
_FLAT = 0.05  # of an image's own size: growth of memory by up to this for each image more is called flat
_NOISE = 24 * MIB  # that a process's peak differs by from run to run, as its allocator keeps more or less


def make_images(n: int, seed: int = 0) -> np.ndarray:
    """Draw n pen strokes: uint8, shape (n, 32, 32, 1)."""
    images = np.empty((n, SIDE, SIDE, 1), np.uint8)
    for start in range(0, n, _BLOCK):
        block = images[start : start + _BLOCK, ..., 0]
        block[...] = _strokes(np.random.default_rng([seed, start]))[: len(block)]
    return images


def _strokes(rng: np.random.Generator) -> np.ndarray:
    """A block of strokes: dots along a curve bent by its middle point, of one width each, float32 up to 255."""
    first, middle, last = rng.uniform(6, SIDE - 6, (3, _BLOCK, 1, 2)).astype(np.float32)
    t = np.linspace(0, 1, _DOTS, dtype=np.float32)[:, np.newaxis]
    dots = (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last  # (block, dots, 2)
    width = rng.uniform(1.2, 2.4, (_BLOCK, 1, 1, 1)).astype(np.float32)
    # A round dot is a column times a row, so a stroke is one product of two small matrices.
    pixels = np.arange(SIDE, dtype=np.float32)
    columns, rows = np.moveaxis(np.exp(-0.5 * ((pixels - dots[..., np.newaxis]) / width) ** 2), 2, 0)
    return np.asarray(np.minimum(200 * (columns.transpose(0, 2, 1) @ rows), 255))


def peak_memory() -> int:
    """The high-water mark of this process's resident memory so far, in bytes."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(n: int, model: str, batch_size: int) -> dict[str, Any]:
    """Make n images, fit, encode; run it in a process that has done nothing else."""
    import torch

    from latentmap import Autoencoder

    autoencoder = Autoencoder(model=model, epochs=1, batch_size=batch_size, random_state=0)
    base = peak_memory()
    few = make_images(2 * batch_size)
    autoencoder.fit(few).transform(few)
    images = make_images(n)
    made = peak_memory()
    fit_seconds, encode_seconds, peaks = [], [], []
    for _ in range(max(1, min(3, 100_000 // n))):  # short times are easily disturbed: the best of three
        start = time.perf_counter()
        autoencoder.fit(images)
        fitted = time.perf_counter()
        peaks.append(peak_memory())
        Z = autoencoder.transform(images)
        fit_seconds.append(fitted - start)
        encode_seconds.append(time.perf_counter() - fitted)
        peaks.append(peak_memory())
    return {
        "n": n,
        "threads": torch.get_num_threads(),
        "fit_seconds": min(fit_seconds),
        "encode_seconds": min(encode_seconds),
        "data_bytes": images.nbytes,
        "code_bytes": Z.nbytes,
        "base_bytes": base,
        "made_bytes": made,
        "fit_beyond_bytes": peaks[0] - base - images.nbytes,
        "peak_bytes": peaks[1],
        "beyond_bytes": peaks[1] - base - images.nbytes,
    }


def measure_apart(n: int, options: argparse.Namespace) -> dict[str, Any]:
    """What `measure` finds in a process of its own."""
    # This process stays small: a child's high-water mark begins with its parent's.
    command = [sys.executable, "-m", "bench.scaling", "--one", str(n)]
    command += ["--model", options.model, "--batch-size", str(options.batch_size)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The power of n that seconds grow with: the least-squares slope on doubly logarithmic paper."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def conclude(rows: list[dict[str, Any]]) -> None:
    """Say how time grows with the number of images, and whether memory does."""
    if len(rows) < 2:
        return
    sizes = [row["n"] for row in rows]
    powers = [exponent(sizes, [row[name] for row in rows]) for name in ("fit_seconds", "encode_seconds")]
    print(f"time grows as n^{powers[0]:.2f} in training and n^{powers[1]:.2f} in encoding (1 is linear)")
    large = [row for row in rows if row["n"] >= _LARGE]
    if len(large) < 2:
        print(f"memory: two sizes of at least {_LARGE:,} are needed to tell whether it stays flat")
        return
    first, last = large[0], large[-1]
    image, code = (last[f"{name}_bytes"] / last["n"] for name in ("data", "code"))
    # The codes are what encoding is asked for, so that growth by them is no fault.
    for what, key, due in (("training", "fit_beyond_bytes", 0.0), ("encoding too", "beyond_bytes", code)):
        growth = (last[key] - first[key]) / (last["n"] - first["n"])
        verdict = "stayed flat" if growth - due <= _FLAT * image else "GREW"
        if (last["n"] - first["n"]) * _FLAT * image < _NOISE:
            verdict = "cannot be told with so few images"
        print(
            f"memory beyond the data, {what}, {verdict}: {first[key] / MIB:,.0f} MiB at {first['n']:,} images, "
            f"{last[key] / MIB:,.0f} MiB at {last['n']:,}, {growth:.1f} bytes an image"
            + (f", of which its code is {code:,.0f}" if due else "")
        )
    print(f"(an image itself is {image:,.0f} bytes; flat is growth by up to {_FLAT:.0%} of that)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="1,000 to 4,000 images: shows that it runs")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N")
    parser.add_argument("--model", default="dense", help="dense, conv, ... (default: dense)")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--json", metavar="FILE", help="also keep the figures here")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.model, options.batch_size)))
        return
    print(f"{options.model}, one epoch, batches of {options.batch_size}, images of {SIDE}x{SIDE} bytes; MiB of memory")
    print(
        f"{'images':>10}{'data':>8}{'fit s':>9}{'s/100k':>8}{'encode s':>10}{'s/100k':>8}"
        f"{'peak':>8}{'base':>7}{'beyond':>8}{'codes':>7}"
    )
    rows = []
    for n in sorted(options.sizes or (SHORT_SIZES if options.short else SIZES)):
        row = measure_apart(n, options)
        rows.append(row)
        fit, encode = row["fit_seconds"], row["encode_seconds"]
        data, peak, base, beyond, codes = (
            row[f"{name}_bytes"] / MIB for name in ("data", "peak", "base", "beyond", "code")
        )
        print(
            f"{n:10,}{data:8,.0f}{fit:9.2f}{fit * 1e5 / n:8.2f}{encode:10.3f}{encode * 1e5 / n:8.3f}"
            f"{peak:8,.0f}{base:7,.0f}{beyond:8,.0f}{codes:7.1f}",
            flush=True,
        )
    print(f"{rows[0]['threads']} threads")
    conclude(rows)
    if options.json:
        figures = {"model": options.model, "batch_size": options.batch_size, "sizes": rows}
        Path(options.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
