"""Medians on a map of codes, named where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from latentmap.analysis import CodeMedians
from latentmap.report.figures.canvas import (
    FAINT,
    INK,
    MOST_CLASSES,
    SMALL,
    TEXT,
    choose_fonts,
    class_style,
    short_names,
)

RINGS = (6, 14, 24, 36, 50, 66)
"""Points from a mark to its name; of many names only those that fit in the first ring are written."""
DIRECTIONS = ((1, 0), (-1, 0), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7), (0, 1), (0, -1))
ONE_LETTER = 13.0
"""Points: names of one or two characters can be larger than words."""
FAR = 12
"""Points: a name farther than this from its mark needs a line to it."""


def mark_medians(ax: Axes, medians: CodeMedians, styles: NDArray[np.int64] | None) -> list[Bbox]:
    """Mark medians and write their names near them, in ink with a white rim: legible over any colour.

    The largest groups come first. No name covers another or a mark, or leaves the axes; one without room is left out,
    and where there are many, so is its mark. Returns what names and marks cover, in points.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        return []
    # Where some have no colour of their own, only the others are named.
    shown = np.arange(len(medians.names)) if styles is None else np.flatnonzero((styles >= 0) | (styles.min() >= 0))
    many = len(shown) > MOST_CLASSES

    def mark(row: int) -> None:
        colour, marker = (FAINT, "o") if styles is None else class_style(int(styles[row]))
        style: dict[str, Any] = {"ms": 6 if many else 8, "mfc": colour, "mec": "white", "mew": 1.4, "zorder": 5}
        ax.plot(*medians.Z[row, :2], marker, scalex=not many, scaley=not many, **style)

    if not many:
        for row in shown:
            mark(int(row))
    choose_fonts(ax)
    figure.draw_without_rendering()  # the layout decides where the axes are, and so which names would touch
    point = figure.dpi / 72
    places = ax.transData.transform(medians.Z[:, :2]) / point
    around = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in places]
    frame = Bbox(ax.get_window_extent().get_points() / point)
    taken = [] if many else [around[row] for row in shown]
    names = short_names(medians.names, 12 if many else 16)
    n_named = 0
    chance = np.random.default_rng(0).random(len(shown))  # among equals: the first ones are often of one kind
    for row in shown[np.lexsort((chance, -medians.counts[shown]))]:
        if n_named == MOST_CLASSES or (many and any(around[row].overlaps(other) for other in taken)):
            continue
        text = ax.annotate(
            names[row],
            (float(medians.Z[row, 0]), float(medians.Z[row, 1])),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=SMALL if many else ONE_LETTER if len(names[row]) <= 2 else TEXT,
            fontweight="bold",
            color=INK,
            va="bottom",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=6,
            arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.8, "shrinkB": 4},
        )
        choose_fonts(text)
        extent = Text.get_window_extent(text)
        size = (extent.width / point, extent.height / point)
        offset = free_place(places[row], size, taken, frame, RINGS[:1] if many else RINGS)
        if offset is None:
            text.remove()
            continue
        text.xyann = offset
        far = not Bbox.from_bounds(-FAR, -FAR, 2 * FAR, 2 * FAR).overlaps(Bbox.from_bounds(*offset, *size))
        text.set_in_layout(False)  # it lies within the axes
        if not far:
            text.arrowprops = text.arrow_patch = None
        taken.append(Bbox.from_bounds(places[row][0] + offset[0], places[row][1] + offset[1], *size))
        n_named += 1
        if many:
            taken.append(around[row])
            mark(int(row))
    return taken


def free_place(
    point: NDArray[np.float64], size: tuple[float, float], taken: Sequence[Bbox], frame: Bbox, rings: Sequence[int]
) -> tuple[float, float] | None:
    """Find the nearest offset, in points, at which a name of this size covers nothing and stays within the frame."""
    width, height = size
    for distance, (right, up) in product(rings, DIRECTIONS):
        x = distance * right - (0 if right > 0 else width if right < 0 else width / 2)
        y = distance * up - (0 if up > 0 else height if up < 0 else height / 2)
        box = Bbox.from_bounds(point[0] + x, point[1] + y, width, height)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            return x, y
    return None
