"""Pictures of samples beside their reconstructions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import Comparison
from latentmap.report.figures.canvas import (
    FAINT,
    INK,
    MOST_CLASSES,
    SMALL,
    TEXT,
    TITLE,
    Panel,
    Tiles,
    column_names,
    error_text,
    largest,
    name_columns,
    plain,
    tile_sheet,
    to_rgb,
)

COLUMNS = 10
NAME_INCHES = 1.25
EXTREMES = ("best", "median", "worst")


def reconstructions(comparison: Comparison) -> Figure:
    """Draw samples above what each model makes of them, then each model's best, median and worst sample.

    Parameters
    ----------
    comparison : Comparison
        The samples and their reconstructions.

    Returns
    -------
    Figure
        The originals in the top row, a row per model with each reconstruction's error under it (in bands of ten
        samples, of more than 20 samples 20), and below, for each model, three pairs of original and reconstruction.
    """
    chosen = largest(np.ones(len(comparison.X)), MOST_CLASSES)
    rows = [to_rgb(comparison.X[chosen], comparison.unit)]
    rows += [to_rgb(model.X_hat[chosen], comparison.unit) for model in comparison.models]
    samples = np.stack(rows)
    starts = range(0, len(chosen), COLUMNS)
    names, long = column_names([comparison.names[i] for i in chosen])
    head = 0.34 if long else 0.22
    bands = [Panel(samples[:, start : start + COLUMNS], lines=1, head=head) for start in starts]
    pairs = extreme_pairs(comparison)
    n_blocks = -(-pairs.shape[1] // COLUMNS)
    per_block = 2 * -(-len(comparison.models) // n_blocks)  # so that no model stands alone
    extremes = [
        Panel(pairs[:, start : start + per_block], lines=1, head=0.62 if start == 0 else 0.35)
        for start in range(0, pairs.shape[1], per_block)
    ]
    each = "one" if len(set(comparison.names)) == len(comparison.names) else "some"
    kind = f"{each} of each class" if not comparison.names[0].startswith("no. ") else "evenly spaced"
    if len(chosen) < len(comparison.X):
        kind = f"one of each of {len(chosen)} of {len(comparison.X):,} classes"
    figure, tiles = tile_sheet(
        [*bands, *extremes],
        left=NAME_INCHES,
        heading=("Originals and reconstructions", f"test samples, {kind}; under each its mean squared error"),
    )
    for start, band in zip(starts, tiles, strict=False):
        write_band(band, comparison, chosen[start : start + COLUMNS])
        name_columns(band, names[start : start + COLUMNS], small=long)
    for number, panel in enumerate(tiles[len(bands) :]):
        write_extremes(panel, comparison, number * per_block // 2, heading=number == 0)
    return figure


def write_band(band: Tiles, comparison: Comparison, chosen: NDArray[np.int64]) -> None:
    """Name the rows of one band of samples, and write each reconstruction's error under it."""
    band.name_row(0, "original")
    for row, model in enumerate(comparison.models, start=1):
        band.name_row(row, model.title)
        for column, i in enumerate(chosen):
            band.write(row, column, error_text(model.errors[i]))


def extreme_pairs(comparison: Comparison) -> NDArray[np.float32]:
    """Return rows best, median and worst; two columns per model: the sample, its reconstruction."""
    columns = []
    for model in comparison.models:
        columns += [to_rgb(model.extremes_X, comparison.unit), to_rgb(model.extremes_X_hat, comparison.unit)]
    return np.stack(columns, axis=1)


def write_extremes(panel: Tiles, comparison: Comparison, first_model: int, *, heading: bool) -> None:
    """Name the rows and the pairs of columns, and write the errors."""
    for row, name in enumerate(EXTREMES):
        panel.name_row(row, name)
    shown = comparison.models[first_model : first_model + panel.columns // 2]
    for number, model in enumerate(shown):
        middle = 2 * number + (1 + panel.width) / 2
        place: dict[str, Any] = {
            "ha": "center",
            "va": "bottom",
            "textcoords": "offset points",
            "annotation_clip": False,
        }
        panel.ax.annotate(plain(model.title, 24), (middle, 0), xytext=(0, 3), fontsize=TEXT, color=INK, **place)
        for row, error in enumerate(model.extremes_errors):
            panel.write(row, 2 * number + 1, error_text(error))
            panel.write(row, 2 * number, f"no. {model.extremes[row]:,}", color=FAINT, fontsize=SMALL - 0.5)
    if heading:
        panel.ax.annotate(
            f"Best, median and worst of {comparison.n:,} test samples, for each model",
            (0, 0),
            xytext=(0, 22),
            textcoords="offset points",
            fontsize=TITLE - 1,
            color=INK,
            fontweight="bold",
            annotation_clip=False,
        )
