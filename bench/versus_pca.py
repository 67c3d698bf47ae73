"""Where PCA stood: is the default ever worse? Test error over many data sets and sizes of code, beside PCA's.

Errors are mean squared per value, with pixels in [0, 1] and tables in standard deviations, on the same test rows for
every method; *ratio* is ours to PCA's, of the median seed and, with several, of the worst in brackets. Sizes from a
set's linear rank on are left out: nothing is lost there. Seconds are of ``fit``, on the clock; in ``--curve``, of the
processor.

- *PCA* is scikit-learn's on what ``measuring_unit`` makes of the data, *ours* ``Autoencoder(latent_dim=k)``.
- *kernel PCA* is scikit-learn's with an RBF kernel and a learned pre-image, fitted on at most 2,000 training rows.
- *plain* is the autoencoder of a tutorial: three strided convolutions or two hidden layers and their mirror, AdamW,
  one cycle up to 2e-3, batches of 64, 2,400 steps or, where this is less, 100 passes; colour images are flipped.

What fails counts as infinitely bad. ``--validation`` scores on a fifth of the training split, held back: defaults may
be chosen by that, never by the test split. ``--neighbors`` adds kNN accuracy and trustworthiness of the largest codes
of up to 64 numbers. ``--curve K`` draws error against seconds on the photographs: each point a fit of its own.

Run: ``LATENTMAP_DATA=... python -m bench.versus_pca [--short] [--sets wine digits] [--sizes 2 64] [--seeds 3]``
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch

from bench.data import SETS
from bench.plain import PlainNetwork, RbfKernelPca
from latentmap import Autoencoder, load_dataset
from latentmap.analysis import OriginalRanks, PcaBaseline, evaluate, reconstruction_errors
from latentmap.analysis.baselines import linear_rank
from latentmap.data import Dataset
from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import DatasetError

SIZES = (2, 4, 8, 16, 32, 64, 128)
METHODS = ("pca", "ours", "kernel", "plain")
_HELD = 1.01  # times PCA's error: the most that the default may come to


def make(method: str, k: int, seed: int, options: argparse.Namespace, epochs: int | None = None) -> Any:
    """An unfitted model; `epochs` is how many passes ours and the plain network make."""
    if method == "ours":
        model = {} if options.model is None else {"model": options.model}
        return Autoencoder(**model, latent_dim=k, epochs=epochs or "auto", refine=options.refine, random_state=seed)
    if method == "plain":
        return PlainNetwork(k, epochs, options.steps, seed)
    return PcaBaseline(k) if method == "pca" else RbfKernelPca(k)


@dataclass(frozen=True)
class Score:
    """What one fit came to."""

    error: float
    seconds: float
    processor_seconds: float
    model: Any


def score(model: Any, dataset: Dataset) -> Score:
    """Fit and measure; what fails is infinitely bad."""
    wall, processor = time.perf_counter(), time.process_time()
    try:
        model.fit(dataset.train.X)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        # A table of one unit is in its standard deviations too, all features by one.
        unit = dataset.unit if dataset.is_images else Preprocessing.fit(dataset.train.X, "auto").scale
        error = float(reconstruction_errors(model, dataset.test.X, unit=unit).mean(dtype="float64"))
    except Exception as problem:  # of any method, and the table shall go on
        print(f"{type(model).__name__} failed, {type(problem).__name__}: {problem}", file=sys.stderr)
        return Score(math.inf, math.inf, math.inf, None)
    return Score(error if math.isfinite(error) else math.inf, wall, processor, model)


def load(name: str, options: argparse.Namespace) -> Dataset | None:
    """A set, cut and split as asked; None and a line where it is not at hand."""
    try:
        dataset = SETS[name]()
    except DatasetError as problem:
        print(f"{name} is left out: {problem}", file=sys.stderr)
        return None
    if options.limit:
        dataset = replace(dataset, train=dataset.train.few(options.limit))
    return load_dataset(dataset.train.X, labels=dataset.train.labels) if options.validation else dataset


def row(*cells: str) -> None:
    """A line of a markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def head(*titles: str) -> None:
    """The first two lines of one."""
    print()
    row(*titles)
    row("---", *["---:"] * (len(titles) - 1))


def median(values: Iterable[float], form: str = ".3g") -> str:
    """The median of several seeds, as a cell."""
    value = statistics.median(values)
    return format(value, form) if math.isfinite(value) else "failed"


def table(options: argparse.Namespace) -> None:
    """The comparison; its summary, and neighbours where asked, below."""
    others = [method for method in METHODS[2:] if method in options.methods]
    methods, ratios, neighbours = ["pca", "ours", *others], {}, []
    head("data", "numbers", "PCA", "ours", "ratio", *others, *(f"{method} s" for method in methods))
    for name in options.sets:
        dataset = load(name, options)
        rank = 0 if dataset is None else linear_rank(dataset.train.X, 1 - 1e-6)
        sizes = [k for k in options.sizes if k < rank]
        for k in sizes:
            seeds = {method: options.seeds if method in ("ours", "plain") else 1 for method in methods}
            found = {
                method: [score(make(method, k, seed, options), dataset) for seed in range(n)]
                for method, n in seeds.items()
            }
            pca, ours = found["pca"][0], found["ours"]
            mine = ratios[name, k] = [one.error / max(pca.error, 1e-15) for one in ours]
            errors = [median(one.error for one in found[method]) for method in methods]
            seconds = [median((one.seconds for one in found[method]), ".1f") for method in methods]
            ratio = median(mine, ".3f") + (f" ({max(mine):.3f})" if len(mine) > 1 else "")
            row(name, str(k), *errors[:2], ratio, *errors[2:], *seconds)
            if options.neighbors and k == max([one for one in sizes if one <= 64], default=None):
                ranks = OriginalRanks(dataset.test.X, unit=dataset.unit)
                models = [one.model for one in (pca, *ours) if one.model is not None]
                neighbours.append((name, k, [evaluate(model, dataset, ranks=ranks) for model in models]))
    if ratios:
        summarize(ratios)
    if neighbours:
        head("data", "numbers", "kNN, PCA", "kNN, ours", "trust, PCA", "trust, ours")
    for name, k, (pca, *ours) in neighbours:
        cells = []
        for attribute in ("knn_accuracy", "trustworthiness"):
            theirs, mine = getattr(pca, attribute), [getattr(one, attribute) for one in ours]
            cells += ["", ""] if theirs is None else [f"{theirs:.3f}", median(mine or [math.inf], ".3f")]
        row(name, str(k), *cells)


def summarize(ratios: dict[tuple[str, int], list[float]]) -> None:
    """What it comes to: a seed that does badly counts as much as a set."""
    worst = max(ratios, key=lambda one: max(ratios[one]))
    above = sum(max(ratio) > _HELD for ratio in ratios.values())
    middle = statistics.median(statistics.median(ratio) for ratio in ratios.values())
    print(
        f"\nRatio of our error to PCA's: worst **{max(ratios[worst]):.3f}** ({worst[0]}, {worst[1]} numbers), "
        f"median {middle:.3f}; above {_HELD} in {above} of {len(ratios)} rows."
    )


def curve(options: argparse.Namespace) -> None:
    """Error against processor seconds on the photographs, as rows and as a picture."""
    dataset, k = load("photographs", options), options.curve
    if dataset is None:
        return
    pca = score(make("pca", k, 0, options), dataset)
    print(f"\n{len(dataset.train):,} photographs, {k} numbers; PCA {pca.error:.4g} in {pca.processor_seconds:.1f} s")
    head("method", "epochs", "processor s", "s", "error", "ratio", "errors of the seeds")
    lines: dict[str, list[list[Score]]] = {method: [] for method in ("ours", "plain") if method in options.methods}
    for method, epochs in product(lines, options.epochs):
        found = [score(make(method, k, seed, options, epochs), dataset) for seed in range(options.seeds)]
        lines[method].append(found)
        seconds = [
            median((one.processor_seconds for one in found), ".1f"),
            median((one.seconds for one in found), ".1f"),
        ]
        errors = [one.error for one in found]
        ratio = median((error / pca.error for error in errors), ".3f")
        row(method, str(epochs), *seconds, median(errors, ".4g"), ratio, ", ".join(f"{one:.4g}" for one in errors))
    if options.output:
        draw(lines, pca.error, f"{k} numbers, {len(dataset.train):,} photographs", options.output)


def draw(lines: dict[str, list[list[Score]]], pca: float, title: str, path: str) -> None:
    """The curves: medians as lines, every seed as a dot, PCA as a level."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6, 4), layout="constrained")
    axes = picture.subplots()
    axes.axhline(pca, color="0.5", label="PCA")
    for i, (method, points) in enumerate(lines.items()):
        places = np.array([[(one.processor_seconds, one.error) for one in found] for found in points])
        axes.plot(
            *np.median(places, axis=1).T, color=f"C{i}", label={"ours": "Latentmap"}.get(method, "plain network")
        )
        axes.plot(*places.reshape(-1, 2).T, ".", color=f"C{i}")
    axes.set(title=title, xlabel="processor seconds", ylabel="error on held data", xscale="log")
    axes.legend()
    picture.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few sets, sizes and steps: shows that it runs")
    parser.add_argument("--sets", nargs="+", choices=SETS, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--sizes", type=int, nargs="+", metavar="K", help=f"default: {SIZES}")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="beside PCA and ours")
    parser.add_argument("--model", help="of ours; by default its default")
    parser.add_argument(
        "--refine", type=lambda text: text if text == "auto" else int(text), default="auto", metavar="auto|STEPS",
        help="of ours; default: auto",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, metavar="N", help="of the plain network; default: 2,400")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N training samples")
    parser.add_argument("--validation", action="store_true", help="score on a held fifth of the training split")
    parser.add_argument("--neighbors", action="store_true", help="a second table: kNN accuracy, trustworthiness")
    parser.add_argument("--curve", type=int, metavar="K", help="error against seconds with codes of K numbers instead")
    parser.add_argument("--epochs", type=int, nargs="+", default=(2, 5, 15, 40), help="the points of --curve")
    parser.add_argument("-o", "--output", metavar="FILE", help="a picture of --curve")
    options = parser.parse_args()
    options.sets = options.sets or (["wine", "curved", "tiles"] if options.short else list(SETS))
    options.sizes = sorted(options.sizes or ((2, 8) if options.short else SIZES))
    options.steps = options.steps or (20 if options.short else 2400)
    warnings.filterwarnings("ignore", message="latent_dim is")
    split = "a held fifth of the training split" if options.validation else "the test split"
    print(
        f"model {options.model or 'by default'}, {torch.get_num_threads()} threads, {options.seeds} seed(s), {split}"
    )
    for method in METHODS:  # what libraries only load when they are first used is in no fit's time
        make(method, 2, 0, options, epochs=1).fit(np.random.default_rng(0).random((64, 8, 8, 1)))
    (curve if options.curve else table)(options)


if __name__ == "__main__":
    main()
