"""Medians on a map of codes, named where there is room."""

from __future__ import annotations

from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from latentmap.analysis import CodeMedians
from latentmap.report.figures.canvas import DPI, FAINT, INK, TEXT, class_style, shorten

RINGS = (6, 14, 24, 36, 50, 66)
DIRECTIONS = ((1, 0), (-1, 0), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7), (0, 1), (0, -1))
ONE_LETTER = 13.0
"""Points: names of one or two characters can be larger than words."""


NEAR = Bbox.from_bounds(-10, -10, 20, 20)
"""Round a mark, in points: a name outside of it needs a line to its mark."""


def mark_medians(ax: Axes, medians: CodeMedians) -> None:
    """Mark each median and write its name near it, in ink with a white rim: legible over any colour."""
    rim = [withStroke(linewidth=2.5, foreground="white")]
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.draw_without_rendering()  # the layout decides where the axes are, and so which names would touch
    taken: list[Bbox] = []
    places = ax.transData.transform(medians.Z[:, :2]) * 72 / (figure.dpi if figure is not None else DPI)
    for x, y in places:
        taken.append(Bbox.from_bounds(x - 4, y - 4, 8, 8))
    for row, name in enumerate(medians.names):
        colour = class_style(int(medians.classes[row]))[0] if medians.classes is not None else FAINT
        marker = class_style(int(medians.classes[row]))[1] if medians.classes is not None else "o"
        z1, z2 = medians.Z[row, :2]
        ax.plot(z1, z2, marker, ms=8, mfc=colour, mec="white", mew=1.6, zorder=5)
        text = shorten(name, 16)
        size = ONE_LETTER if len(text) <= 2 else TEXT
        offset = free_place(places[row], (0.68 * size * len(text), size), taken)
        far = not NEAR.overlaps(Bbox.from_bounds(*offset, 0.68 * size * len(text), size))
        ax.annotate(
            text,
            (z1, z2),
            xytext=offset,
            textcoords="offset points",
            fontsize=size,
            fontweight="bold",
            color=INK,
            va="bottom",
            path_effects=rim,
            zorder=6,
            arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.8, "shrinkB": 4} if far else None,
        )


def free_place(point: np.ndarray, size: tuple[float, float], taken: list[Bbox]) -> tuple[float, float]:
    """Find an offset, in points, at which a name of this size covers nothing; note it as taken.

    The nearest free place of a few rings round the point; right above the point where none is free.
    """
    width, height = size
    for distance, (right, up) in product(RINGS, DIRECTIONS):
        x = distance * right - (0 if right > 0 else width if right < 0 else width / 2)
        y = distance * up - (0 if up > 0 else height if up < 0 else height / 2)
        box = Bbox.from_bounds(point[0] + x, point[1] + y, width, height)
        if not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return x, y
    return 6.0, 3.0
