"""Maps of 2 numbers: who separates classes, places new samples, and decodes, in how many seconds.

Latentmap's map (``model="residual", objective="neighbors"``, several seeds) beside its plain dense autoencoder, PCA,
UMAP and t-SNE, each in a process of its own: the machinery, columns and remarks are those of ``bench.peers``. Below
the table, the median of the seeds, and how many times faster than UMAP new samples are placed and codes decoded.

``--others`` repeats map, UMAP and PCA on other data, over several random splits, since the small sets have so few test
samples that one split says nothing: images and vectors, bundled or made, with the same defaults.

``--frontier`` fits the map with several weights of the reconstruction term instead and draws error and trustworthiness
against the accuracy, UMAP and t-SNE beside, for the choice of the default; it scores a part of the training split that
nothing learned from, since choices are not made on the test split.

Run: ``LATENTMAP_DATA=... python -m bench.map [--short] [--seeds 3] [--source digits]``, and ``--others`` or
``--frontier frontier.png``
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import MAP_SETS, benchmark_dataset
from bench.peers import OURS, Method, compare, make_parser, method_of

SCORES = ("knn_accuracy", "nearest_accuracy", "test_mse", "trustworthiness", "fit_seconds")
WEIGHTS = (0.1, 0.3, 1.0, 3.0, 10.0)
_HELD = 5000


def table(options: Any) -> None:
    """Print the rows of all methods, and what they come to."""
    maps = [f"{OURS}map@{seed}" for seed in range(options.seeds)]
    options.only = options.only or [*maps, f"{OURS}dense", "pca", "umap", "opentsne"]
    with tempfile.TemporaryDirectory() as options.folder:
        rows = {row["method"]: row for row in compare(options)}
        if options.picture:
            draw(options, rows, [name for name in (maps[-1], "umap", "pca") if "knn_accuracy" in rows.get(name, {})])
    ours = [rows[name] for name in maps if name in rows and "test_mse" in rows[name]]
    if not ours:
        return
    median = {name: statistics.median(row[name] for row in ours) for name in SCORES if ours[0].get(name) is not None}
    print("map, median of", len(ours), "seeds:", ", ".join(f"{name} {value:.4g}" for name, value in median.items()))
    umap = rows.get("umap", {})
    if "encode_seconds" in umap:
        whole = umap["fit_seconds"] + umap["encode_seconds"]
        print(f"fit beside UMAP's fit and transform: {median['fit_seconds']:.1f} s and {whole:.1f} s")
        for name, what in (("encode_seconds", "placing new samples"), ("decode_seconds_per_1000", "decoding")):
            if umap.get(name):
                ratio = umap[name] / statistics.median(row[name] for row in ours)
                print(f"{what}: {ratio:,.0f} times as fast as UMAP")


def others(options: Any) -> None:
    """Print scores on other data: means over splits, and what the map is better by with its standard error."""
    from sklearn.model_selection import train_test_split

    heads = "".join(f"{title:>{width}}" for title, width in (("kNN", 8), ("1-NN", 8), ("trust", 8), ("MSE", 10)))
    print(f"{'':28}{heads}{'fit s':>8}  ({options.splits} splits)", flush=True)
    for name in options.sets or MAP_SETS:
        X, y = MAP_SETS[name]()
        found: dict[str, list[tuple[float, ...]]] = {f"{OURS}map": [], "umap": [], "pca": []}
        for seed in range(options.splits):
            parts = train_test_split(X, y, test_size=min(len(X) // 5, 2000), stratify=y, random_state=seed)
            for title, rows in found.items():
                rows.append(score(method_of(f"{title}@{seed}" if title.startswith(OURS) else title, options), *parts))
        for title, rows in found.items():
            print(f"{name:15}{title:13}{row_of(np.mean(rows, axis=0))}", flush=True)
        gains = np.array(found[f"{OURS}map"]) - np.array(found["umap"])
        spread = gains.std(axis=0, ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else np.full(5, np.nan)
        print(f"{name:15}{'gain':13}{row_of(gains.mean(axis=0))}\n{'':15}{'+-':13}{row_of(spread)}", flush=True)


def row_of(values: Any) -> str:
    """The scores of a row."""
    return f"{values[0]:>8.3f}{values[1]:>8.3f}{values[2]:>8.3f}{values[3]:>10.4f}{values[4]:>8.1f}"


def score(method: Method, X: np.ndarray, X_test: np.ndarray, y: np.ndarray, y_test: np.ndarray) -> tuple[float, ...]:
    """10-NN and 1-NN accuracy, trustworthiness, error (of 50 samples: UMAP's inverse is slow) and seconds of a fit."""
    from latentmap.analysis import knn_accuracy, measuring_unit, trustworthiness

    originals, X, X_test = X_test, method.prepare(X), method.prepare(X_test)
    start = time.perf_counter()
    method.fit(X)
    seconds = time.perf_counter() - start
    Z, Z_test = method.codes_of_training(X), method.transform(X_test)
    near, nearest = (knn_accuracy(Z, y, Z_test, y_test, n_neighbors=n) for n in (10, 1))
    # In the same unit for all: images from 0 to 1, features in standard deviations.
    unit = measuring_unit(X) if X.ndim == originals.ndim else 1.0  # else images that are rows from 0 to 1
    X_hat = method.inverse_transform(Z_test[:50])
    error = np.square((np.reshape(X_hat, X_test[:50].shape) - X_test[:50].astype(np.float64)) / unit).mean()
    return near, nearest, trustworthiness(originals, Z_test), float(error), seconds


def draw(options: Any, rows: dict[str, Any], names: list[str]) -> None:
    """Draw the test codes of some methods side by side, with their scores."""
    from latentmap import report

    folder = Path(options.folder)
    labels = np.load(folder / "test_labels.npy")
    titles = {"umap": "UMAP", "pca": "PCA"}
    codes = [
        report.CodeMap(
            titles.get(name, "Latentmap"),
            np.load(folder / f"{name}.codes.npy"),
            labels,
            None,
            rows[name]["knn_accuracy"],
            rows[name]["trustworthiness"],
        )
        for name in names
    ]
    report.write_figure(report.side_by_side(codes), options.picture)


def frontier(options: Any) -> None:
    """Fit with several weights, print a row each, and draw them beside UMAP and t-SNE."""
    from latentmap import Autoencoder
    from latentmap.analysis import knn_accuracy, measuring_unit, reconstruction_errors, trustworthiness

    train = benchmark_dataset(short=options.short, source=options.source).train
    held = np.zeros(len(train), bool)
    held[np.random.default_rng(0).permutation(len(train))[: min(_HELD, len(train) // 10)]] = True
    X, X_held, y, y_held = train.X[~held], train.X[held], train.labels[~held], train.labels[held]
    unit = measuring_unit(train.X)
    print(f"{'weight':>8}{'MSE':>10}{'kNN':>8}{'1-NN':>8}{'trust':>8}{'fit s':>8}", flush=True)
    points: dict[str, tuple[float, float, float]] = {}  # accuracy, trustworthiness, error

    def show(name: str, Z: np.ndarray, Z_held: np.ndarray, error: float, seconds: float) -> None:
        scores = [knn_accuracy(Z, y, Z_held, y_held, n_neighbors=n) for n in (10, 1)]
        trust = trustworthiness(X_held, Z_held)
        points[name] = (scores[0], trust, error)
        cells = "".join(f"{value:>8.4f}" for value in (*scores, trust))
        print(f"{name:>8}{error:>10.5f}{cells}{seconds:>8.1f}", flush=True)

    for weight in WEIGHTS:
        start = time.perf_counter()
        model = Autoencoder("residual", 2, objective="neighbors", objective_params={"weight": weight}, random_state=0)
        model.fit(X)
        seconds = time.perf_counter() - start
        Z, Z_held = model.transform(X), model.transform(X_held)
        show(f"{weight:g}", Z, Z_held, float(reconstruction_errors(model, X_held, Z_held, unit=unit).mean()), seconds)
    for title, name in (("UMAP", "umap"), ("t-SNE", "opentsne")):
        peer = method_of(name, options)
        start = time.perf_counter()
        peer.fit(peer.prepare(X))
        seconds = time.perf_counter() - start
        show(title, peer.codes_of_training(X), peer.transform(peer.prepare(X_held)), np.nan, seconds)
    draw_frontier(points, options.frontier)


def draw_frontier(points: dict[str, tuple[float, float, float]], path: str) -> None:
    """Draw accuracy against error, and against trustworthiness; points are of weights and of other methods."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    ours = {name: point for name, point in points.items() if name[0].isdigit()}
    for ax, place, label in ((left, 2, "mean squared error"), (right, 1, "trustworthiness")):
        line = [one[place] for one in ours.values()], [one[0] for one in ours.values()]
        ax.plot(*line, "o-", color="#3f6fb5", label="Latentmap, by the weight of the error")
        for name, point in points.items():
            if not np.isnan(point[place]):
                ax.annotate(name, (point[place], point[0]), xytext=(0, 7), textcoords="offset points", ha="center")
                if name not in ours:
                    ax.plot(point[place], point[0], "s", color="#a8620a")
        ax.set_xlabel(f"{label} of held samples")
        ax.margins(0.2)
        ax.locator_params(axis="x", nbins=5)
        ax.spines[["top", "right"]].set_visible(False)
    left.set_ylabel("10-NN accuracy of held samples")
    right.legend(frameon=False, loc="lower right")
    figure.savefig(path)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", metavar="FILE", help="draw the test codes of map, UMAP and PCA here")
    parser.add_argument("--others", action="store_true", help="other data, several splits")
    parser.add_argument("--sets", nargs="+", choices=MAP_SETS, help="which of them")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--frontier", metavar="FILE", help="compare weights, and draw them here")
    options = parser.parse_args()
    if options.short:
        options.seeds = 1
    if options.others:
        others(options)
    elif options.frontier:
        frontier(options)
    else:
        table(options)


if __name__ == "__main__":
    main()
