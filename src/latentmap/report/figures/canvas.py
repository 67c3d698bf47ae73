"""What all pictures share: paper, colours, and rows of small images; sizes are in inches and points."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from latentmap.report.figures.letters import choose_fonts, short_names, two_lines
from latentmap.report.figures.style import FAINT, INK, SMALL, TEXT, TITLE, WIDTH

DPI = 160
NOTEBOOK_DPI = 100  # pixels an inch that a notebook shows a figure at; it has more of them, for sharp screens
FEWEST_PIXELS, MOST_PIXELS = 24, 96  # small images are shown at under 1 inch, where more cannot be seen


class Picture(Figure):
    """A figure that shows itself at the end of a notebook's cell, and looks for fonts that have its letters."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw, with the fonts that the texts of this moment need."""
        choose_fonts(self)
        super().draw(renderer)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Write the figure: laid out once, where Matplotlib would draw it once more for that."""
        own, dpi = self.dpi, kwargs.get("dpi") or mpl.rcParams["savefig.dpi"]
        try:
            self.dpi = own if dpi == "figure" else dpi  # letters are not as wide at each
            self.lay_out()
        finally:
            self.dpi = own
        engine = self.get_layout_engine()
        with mpl.rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
            self.set_layout_engine(None)
        try:
            super().savefig(*args, **kwargs)
        finally:
            self.set_layout_engine(engine)

    def lay_out(self) -> None:
        """Decide where axes are, as drawing would."""
        choose_fonts(self)
        if (engine := self.get_layout_engine()) is not None:
            engine.execute(self)
        for ax in self.axes:
            ax.apply_aspect()

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return what a notebook shows: the pixels, and how large to show them."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI)
        width, height = (self.get_size_inches() * NOTEBOOK_DPI).astype(int)
        return buffer.getvalue(), {"width": int(width), "height": int(height)}


def new_figure(height: float, *, constrained: bool = True) -> Figure:
    """Return an empty white figure of so many inches that belongs to no window."""
    return Picture(figsize=(WIDTH, height), dpi=DPI, facecolor="white", layout="constrained" if constrained else None)


def axes_or_new(ax: Axes | None, height: float) -> tuple[Figure, Axes]:
    """Return the axes to draw in and their figure, made for the purpose where none are given."""
    if ax is None:
        figure = new_figure(height)
        return figure, figure.add_subplot()
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be axes of matplotlib, got {type(ax).__name__}.")
    home = ax.get_figure(root=True)
    if home is None:
        raise ValueError("ax must belong to a figure, got axes that were removed from theirs.")
    return home, ax


def lay_out(ax: Axes) -> None:
    """Decide where axes are, and so what would touch in them."""
    figure = ax.get_figure(root=True)
    if isinstance(figure, Picture):
        figure.lay_out()
    elif figure is not None:
        choose_fonts(ax)
        figure.draw_without_rendering()


def title(ax: Axes, text: str, detail: str = "") -> None:
    """Write a title over axes, left-aligned, with a fainter second line."""
    pad = 6 + 12.5 * (detail.count("\n") + 1) * bool(detail)
    ax.set_title(text, loc="left", fontsize=TITLE, color=INK, fontweight="bold", pad=pad)
    if detail:
        write(ax, detail, (0, 1), (0, 6), xycoords="axes fraction", fontsize=TEXT, color=FAINT)


def write(ax: Axes, text: str, at: tuple[float, float], shift: tuple[float, float], **style: Any) -> None:
    """Write at a place of axes, or beside them, moved by so many points."""
    style = {"fontsize": SMALL, "color": INK, "annotation_clip": False, **style}
    ax.annotate(text, at, xytext=shift, textcoords="offset points", **style)


def rule(ax: Axes, *, grid: bool = True) -> None:
    """Give axes of lines their ticks, rules across and no frame above and to the right."""
    ax.tick_params(labelsize=SMALL, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(axis="y", which="major", color="#e3e6ea", lw=0.8)


_MOST_WITH_STEPS = 1e4  # from the least to the most; more has ticks at powers of ten alone


def log_scale(ax: Axes) -> None:
    """Give axes a log scale with plain numbers at 1, 2, 5, 10, ... or powers; not where nothing on them is above 0."""
    values = np.concatenate([np.ravel(np.asarray(line.get_ydata(), float)) for line in ax.lines] or [np.zeros(1)])
    values = values[values > 0]
    if not len(values):
        return
    ax.set_yscale("log")
    few = values.max() < _MOST_WITH_STEPS * values.min()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")


COLUMNS = 10  # small images beside each other, in a band
FEWEST_COLUMNS = 7  # that a sheet has room for, where it has fewer
LONGEST_ROW = 17  # of a model's name that fit to the left of its row


def letters_in(n_columns: int, left: float) -> int:
    """How many small letters fit above or below one of so many images in a row of a sheet."""
    return int((WIDTH - left - 0.1) / max(FEWEST_COLUMNS, n_columns) / 0.072)


def column_names(names: Sequence[str], most: int) -> tuple[tuple[str, ...], bool]:
    """Return names of so many small letters to write above columns, and whether they need these and two lines."""
    if all("\n" in name for name in names):  # a class, and which sample of it: its file or its number
        above, below = zip(*(name.split("\n") for name in names), strict=True)
        unlike = dict(zip(dict.fromkeys(above), short_names(list(dict.fromkeys(above)), most), strict=True))
        below = short_names(below, most)
        return tuple(f"{unlike[name]}\n{which}" for name, which in zip(above, below, strict=True)), True
    short = short_names(names, most, lines=2)
    return short, any("\n" in name or len(name) > 0.9 * most for name in short)


def to_rgb(images: NDArray[Any], unit: float | NDArray[Any]) -> NDArray[np.float32]:
    """Turn images (..., h, w, c) of 0..`unit` into colours (..., h, w, 3) of 0..1, thinned to what can be seen."""
    if images.ndim < 3:
        shape = images.shape[1:]
        raise ValueError(f"this figure draws images, got samples of shape {shape}. Of vectors pass features too.")
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


def show_tiles(ax: Axes, images: NDArray[np.float32], gap: tuple[int, int], *, upward: bool = False) -> None:
    """Show images (rows, columns, h, w, 3) as one picture, each 1 by 1, white between them; y counts down or up."""
    rows, columns, height, width, _ = images.shape
    tall, wide = height + gap[0], width + gap[1]
    paper = np.ones((rows, tall, columns, wide, 3), dtype=np.float32)
    paper[:, :height, :, :width] = np.nan_to_num(images, nan=1.0).transpose(0, 2, 1, 3, 4)
    ax.imshow(
        (paper.reshape(rows * tall, columns * wide, 3) * 255).astype(np.uint8),
        extent=(0, columns, 0, rows) if upward else (0, columns, rows, 0),
        aspect=tall / wide,
        interpolation_stage="rgba",
    )


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows of small images to be put on a sheet."""

    images: NDArray[np.float32]  # (rows, columns, height, width, 3), colours 0..1; a cell of NaN stays empty
    lines: int = 0  # of small letters to leave room for under each row
    head: float = 0.0  # inches to leave free above


def tile_sheet(
    panels: Sequence[Panel], *, left: float, heading: tuple[str, str], fewest_columns: int = FEWEST_COLUMNS
) -> tuple[Figure, list[Tiles]]:
    """Put panels one under another, all images of one size; returns the sheet, and the panels to write at."""
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
    top = 0.6
    total = top + sum(heights) + sum(panel.head for panel in panels) + 0.05
    figure = new_figure(total, constrained=False)
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
    """Rows of small images in one picture, to write at: hundreds of axes would take many seconds."""

    def __init__(self, ax: Axes, images: NDArray[np.float32], *, gap: tuple[int, int]) -> None:
        show_tiles(ax, images, gap)
        ax.set_axis_off()
        self.ax = ax
        _, self.columns, height, width, _ = images.shape
        self.height, self.width = height / (height + gap[0]), width / (width + gap[1])

    def write(
        self, row: int, column: int, text: str, *, above: bool = False, side: str = "center", **style: Any
    ) -> None:
        """Write below (or above) one image: centred, or from its left or its right edge."""
        x = column + self.width * {"left": 0, "center": 0.5, "right": 1}[side]
        y, shift, va = (row, 4, "baseline") if above else (row + self.height, -2, "top")
        write(self.ax, text, (x, y), (0, shift), ha=side, va=va, **{"linespacing": 1.05, **style})

    def name_row(self, row: int, text: str) -> None:
        """Write a name to the left of a row."""
        middle = (0, row + self.height / 2)
        write(self.ax, two_lines(text, LONGEST_ROW), middle, (-6, 0), ha="right", va="center", fontsize=TEXT)

    def name_columns(self, names: Sequence[str], *, small: bool) -> None:
        """Write names, shortened, above the columns."""
        for column, name in enumerate(names):
            self.write(0, column, name, above=True, fontsize=SMALL if small else TEXT)

    def box(self, row: int, column: int) -> None:
        """Draw a frame round one image."""
        size = (self.width, self.height)
        self.ax.add_patch(Rectangle((column, row), *size, fill=False, edgecolor="#e76300", lw=1.6, clip_on=False))
