"""Maps of 2 numbers: who separates classes, places new samples, and decodes, in how many seconds.

Latentmap's map (``model="residual", objective="neighbors"``, several seeds) beside its plain dense autoencoder, PCA,
UMAP and t-SNE, each in a process of its own: the machinery, columns and remarks are those of ``bench.peers``. Below
the table, the median of the seeds, and how many times faster than UMAP new samples are placed and codes decoded.

``--frontier`` fits the map with several weights of the reconstruction term instead and draws the error against the
accuracy, for the choice of the default; it scores a part of the training split that nothing learned from, since
choices are not made on the test split.

Run: ``LATENTMAP_DATA=... python -m bench.map [--short] [--seeds 3] [--source digits] [--frontier frontier.png]``
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import benchmark_dataset
from bench.peers import OURS, compare, make_parser

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
    """Fit with several weights, print a row each, and draw them."""
    from matplotlib.figure import Figure

    from latentmap import Autoencoder
    from latentmap.analysis import knn_accuracy, measuring_unit, reconstruction_errors, trustworthiness

    train = benchmark_dataset(short=options.short, source=options.source).train
    held = np.zeros(len(train), bool)
    held[np.random.default_rng(0).permutation(len(train))[: min(_HELD, len(train) // 10)]] = True
    X, X_held, y, y_held = train.X[~held], train.X[held], train.labels[~held], train.labels[held]
    unit = measuring_unit(train.X)
    print(f"{'weight':>8}{'MSE':>10}{'kNN':>8}{'1-NN':>8}{'trust':>8}{'fit s':>8}", flush=True)
    points = []
    for weight in WEIGHTS:
        start = time.perf_counter()
        model = Autoencoder("residual", 2, objective="neighbors", objective_params={"weight": weight}, random_state=0)
        model.fit(X)
        seconds = time.perf_counter() - start
        Z, Z_held = model.transform(X), model.transform(X_held)
        error = float(reconstruction_errors(model, X_held, Z_held, unit=unit).mean())
        scores = [knn_accuracy(Z, y, Z_held, y_held, n_neighbors=n) for n in (10, 1)]
        trust = trustworthiness(X_held, Z_held)
        points.append((weight, error, scores[0]))
        cells = "".join(f"{value:>8.4f}" for value in (*scores, trust))
        print(f"{weight:>8g}{error:>10.5f}{cells}{seconds:>8.1f}", flush=True)
    figure = Figure(figsize=(6, 4), dpi=130, layout="constrained")
    ax = figure.add_subplot()
    ax.plot([error for _, error, _ in points], [accuracy for *_, accuracy in points], "o-", color="#3f6fb5")
    for weight, error, accuracy in points:
        ax.annotate(f"weight {weight:g}", (error, accuracy), xytext=(5, 7), textcoords="offset points", fontsize=8)
    ax.set_xlabel("mean squared error of held samples")
    ax.set_ylabel("kNN accuracy of held samples")
    ax.margins(0.2)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.frontier)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", metavar="FILE", help="draw the test codes of map, UMAP and PCA here")
    parser.add_argument("--frontier", metavar="FILE", help="compare weights, and draw them here")
    options = parser.parse_args()
    if options.short:
        options.seeds = 1
    if options.frontier:
        frontier(options)
    else:
        table(options)


if __name__ == "__main__":
    main()
