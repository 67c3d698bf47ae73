"""What all pictures share: paper, letters, colours, and rows of small images.

What belongs here: drawing helpers that know nothing of models. Sizes are in inches and points, colours are those
that colour-blind people can tell apart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

WIDTH = 8.0
"""Inches: narrow enough for the letters to stay legible when a page shows the figure at 640 pixels."""
DPI = 160
TITLE, TEXT, SMALL = 11.0, 9.0, 7.5
INK, FAINT, WARNING = "#1f2328", "#656d76", "#b3261e"
NEUTRAL = "#3f6fb5"
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")
FEWEST_PIXELS, MOST_PIXELS = 24, 96
"""Small images are shown at under 1 inch; more pixels along a side than this cannot be seen."""


def palette() -> tuple[str, ...]:
    """Return ten colours that colour-blind people can tell apart.

    References
    ----------
    Petroff, 2021, "Accessible Color Sequences for Data Visualization".
    """
    return tuple(to_hex(colour) for colour in mpl.color_sequences["petroff10"])


def class_style(index: int) -> tuple[str, str]:
    """Return the colour and the marker of a class: ten colours as circles, then the same ten as triangles, and so on.

    No sequence of more than ten colours stays apart for colour-blind people, so beyond ten the shape tells as well.
    """
    colours = palette()
    return colours[index % len(colours)], MARKERS[index // len(colours) % len(MARKERS)]


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty white figure of `width` by `height` inches that belongs to no window."""
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


def axes_or_new(ax: Axes | None, height: float, *, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Return the axes to draw in and their figure, made for the purpose where none are given."""
    if ax is None:
        figure = new_figure(height, width=width)
        return figure, figure.add_subplot()
    home = ax.get_figure(root=True)
    if home is None:
        raise ValueError("ax must belong to a figure, got axes that were removed from theirs.")
    return home, ax


def title(ax: Axes, text: str, detail: str = "") -> None:
    """Write a title over axes, left-aligned, with a fainter second line."""
    ax.set_title(
        text,
        loc="left",
        fontsize=TITLE,
        color=INK,
        fontweight="bold",
        pad=6 + 12.5 * (detail.count("\n") + 1) * bool(detail),
    )
    if detail:
        ax.annotate(
            detail,
            (0, 1),
            xytext=(0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=TEXT,
            color=FAINT,
        )


def shorten(name: str, most: int) -> str:
    """Cut a name to `most` characters, marking the cut."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def two_lines(name: str, most: int) -> str:
    """Break a name into at most two lines of `most` characters."""
    lines = textwrap.wrap(name, most) or [""]
    return "\n".join(lines) if len(lines) <= 2 else f"{lines[0]}\n{shorten(' '.join(lines[1:]), most)}"


LONGEST_NAME = 8
"""Characters of a class name that fit above an image, in letters of ordinary size."""


def name_columns(panel: Tiles, names: Sequence[str]) -> None:
    """Write names above the columns of a panel: smaller and in two lines where one of them is long."""
    long = has_long(names)
    for column, name in enumerate(names):
        text = two_lines(name, LONGEST_NAME + 2) if long else name
        panel.write(0, column, text, above=True, fontsize=SMALL if long else TEXT)


def has_long(names: Sequence[str]) -> bool:
    """Tell whether any name needs two lines above an image."""
    return max(map(len, names), default=0) > LONGEST_NAME


def error_text(error: float) -> str:
    """Write an error with as many digits as tell it: 0.0287, 0.00053, 8.3e-7."""
    if error >= 0.001 or error == 0:
        return f"{error:.4f}"
    return f"{error:.5f}" if error >= 0.0001 else f"{error:.1e}".replace("e-0", "e-")


def to_rgb(images: NDArray[Any], unit: float | NDArray[Any]) -> NDArray[np.float32]:
    """Turn images of any number of channels into colours to draw.

    Parameters
    ----------
    images : ndarray, shape (..., height, width, channels)
        Images with 1, 3 or 4 channels (of others the first is shown), 0..`unit`.
    unit : float
        Full brightness.

    Returns
    -------
    ndarray of float32, shape (..., height, width, 3)
        Colours clipped to 0..1; large images are thinned to what the eye can see at this size.
    """
    if images.ndim < 3:
        raise ValueError(f"this figure draws images, got samples of shape {images.shape[1:]}. Vectors have none.")
    step = max(1, -(-max(images.shape[-3:-1]) // MOST_PIXELS))
    thinned = images[..., ::step, ::step, :]
    if max(thinned.shape[-3:-1]) < FEWEST_PIXELS:  # so that gaps, counted in pixels, can be narrow
        times = -(-FEWEST_PIXELS // max(thinned.shape[-3:-1]))
        thinned = thinned.repeat(times, axis=-3).repeat(times, axis=-2)
    colours = np.clip(thinned.astype(np.float32) / unit, 0, 1)
    channels = colours.shape[-1]
    if channels >= 3:
        return np.asarray(colours[..., :3], dtype=np.float32)
    return np.repeat(colours[..., :1], 3, axis=-1)


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows of small images to be put on a sheet.

    Parameters
    ----------
    images : ndarray of float32, shape (rows, columns, height, width, 3)
        Colours 0..1; a cell of NaN stays empty.
    lines : int
        How many lines of small letters to leave room for under each row.
    head : float
        Inches to leave free above.
    """

    images: NDArray[np.float32]
    lines: int = 0
    head: float = 0.0


def tile_sheet(
    panels: Sequence[Panel], *, left: float, fewest_columns: int = 7, heading: tuple[str, str] = ("", "")
) -> tuple[Figure, list[Tiles]]:
    """Put panels of small images one under another, all images of one size, on a sheet that fits them.

    Parameters
    ----------
    panels : sequence of Panel
        From the top down.
    left : float
        Inches to leave free for the names of rows.
    fewest_columns : int, default=7
        Images are as wide as if there were at least so many beside each other.
    heading : tuple of (str, str)
        The title and its fainter second line.

    Returns
    -------
    Figure
        The sheet.
    list of Tiles
        The panels drawn on it, to write at.
    """
    columns = max(fewest_columns, *(panel.images.shape[1] for panel in panels))
    pitch = (WIDTH - left - 0.1) / columns
    image_width = panels[0].images.shape[3]
    right = max(1, round(0.08 * image_width))
    inches_per_pixel = pitch / (image_width + right)
    gaps = [max(1, round((0.06 + 0.125 * panel.lines) / inches_per_pixel)) for panel in panels]
    heights = [
        panel.images.shape[0] * (panel.images.shape[2] + gap) * inches_per_pixel
        for panel, gap in zip(panels, gaps, strict=True)
    ]
    top = 0.6 if heading[0] else 0.05
    total = top + sum(heights) + sum(panel.head for panel in panels) + 0.05
    figure = Figure(figsize=(WIDTH, total), dpi=DPI, facecolor="white")
    if heading[0]:
        figure.text(0.012, 1 - 0.08 / total, heading[0], fontsize=TITLE, color=INK, fontweight="bold", va="top")
        figure.text(0.012, 1 - 0.3 / total, heading[1], fontsize=TEXT, color=FAINT, va="top")
    drawn = []
    for panel, gap, height in zip(panels, gaps, heights, strict=True):
        top += panel.head + height
        width = pitch * panel.images.shape[1]
        ax = figure.add_axes((left / WIDTH, 1 - top / total, width / WIDTH, height / total))
        drawn.append(Tiles(ax, panel.images, gap=(gap, right)))
    return figure, drawn


class Tiles:
    """Rows of small images in one picture, with the places of each to write at.

    One array and one artist for all of them: a figure of hundreds of axes takes many seconds.

    Parameters
    ----------
    ax : Axes
        Where to draw; ticks and frame are removed.
    images : ndarray of float32, shape (rows, columns, height, width, 3)
        Colours 0..1; a cell of NaN stays empty.
    gap : tuple of (int, int)
        White pixels below and to the right of each image.
    """

    def __init__(self, ax: Axes, images: NDArray[np.float32], *, gap: tuple[int, int]) -> None:
        rows, columns, height, width, _ = images.shape
        below, right = gap
        paper = np.ones((rows, height + below, columns, width + right, 3), dtype=np.float32)
        paper[:, :height, :, :width] = np.nan_to_num(images, nan=1.0).transpose(0, 2, 1, 3, 4)
        sheet = paper.reshape(rows * (height + below), columns * (width + right), 3)
        ax.imshow(
            (sheet * 255).astype(np.uint8),
            extent=(0, columns, rows, 0),
            aspect=(height + below) / (width + right),
            interpolation_stage="rgba",
        )
        ax.set_axis_off()
        self.ax = ax
        self.rows, self.columns = rows, columns
        self.height, self.width = height / (height + below), width / (width + right)

    def write(self, row: int, column: int, text: str, *, above: bool = False, **style: Any) -> None:
        """Write centred below (or above) one image."""
        y = row if above else row + self.height
        self.ax.annotate(
            text,
            (column + self.width / 2, y),
            xytext=(0, 2 if above else -2),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            annotation_clip=False,
            **{"fontsize": SMALL, "color": INK, "linespacing": 1.05, **style},
        )

    def name_row(self, row: int, text: str, detail: str = "") -> None:
        """Write to the left of a row, with a fainter second line."""
        middle = row + self.height / 2
        style: dict[str, Any] = {"ha": "right", "annotation_clip": False, "textcoords": "offset points"}
        shift = 1 if detail else 0
        self.ax.annotate(
            text,
            (0, middle),
            xytext=(-6, shift),
            va="bottom" if detail else "center",
            fontsize=TEXT,
            color=INK,
            **style,
        )
        if detail:
            self.ax.annotate(detail, (0, middle), xytext=(-6, -1), va="top", fontsize=SMALL, color=FAINT, **style)

    def box(self, row: int, column: int, *, rows: int = 1, colour: str = "#e76300") -> None:
        """Draw a frame round one image, or round `rows` of them one under another."""
        size = (self.width, rows - 1 + self.height)
        self.ax.add_patch(Rectangle((column, row), *size, fill=False, edgecolor=colour, lw=1.6, clip_on=False))
