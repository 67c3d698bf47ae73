"""What all pictures share: paper, letters, colours, and rows of small images.

What belongs here: drawing helpers that know nothing of models. Sizes are in inches and points, colours are those
that colour-blind people can tell apart, and every text that comes from users (names of classes, columns, models) is
written through `plain`, `two_lines` or `short_names`.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font, weight_dict
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import NDArray

from latentmap.errors import printable

WIDTH = 8.0
"""Inches: narrow enough for the letters to stay legible when a page shows the figure at 640 pixels."""
DPI = 160
NOTEBOOK_DPI = 100
"""Pixels an inch that a notebook shows a figure at; it has more of them, for sharp screens."""
TITLE, TEXT, SMALL = 11.0, 9.0, 7.5
INK, FAINT, WARNING = "#1f2328", "#656d76", "#b3261e"
NEUTRAL = "#3f6fb5"
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")
FEWEST_PIXELS, MOST_PIXELS = 24, 96
"""Small images are shown at under 1 inch; more pixels along a side than this cannot be seen."""


PALETTE = (
    "#00729c",
    "#e17718",
    "#b80054",
    "#9076ff",
    "#055543",
    "#6c2c0d",
    "#81956c",
    "#2d2ea0",
    "#b68197",
    "#7e6304",
)
"""Ten colours that stand out from white paper and from each other, for colour-blind people too: decision 0011."""
REST = "#8b939c"
"""What has no colour of its own."""
MOST_CLASSES = 20
"""Classes that are named and shown one by one; of more, some."""


def class_style(index: int) -> tuple[str, str]:
    """Return the colour and the marker of a class: ten colours as circles, then the same ten as triangles, and so on.

    No sequence of more than ten colours stays apart for colour-blind people, so beyond ten the shape tells as well.
    Below 0 stands what has no colour of its own.
    """
    if index < 0:
        return REST, "o"
    return PALETTE[index % len(PALETTE)], MARKERS[index // len(PALETTE) % len(MARKERS)]


def largest(counts: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Choose the `most` largest groups, in their own order; of equally large ones some evenly spaced."""
    if len(counts) <= most:
        return np.arange(len(counts))
    threshold = np.sort(counts)[-most]
    sure, equal = np.flatnonzero(counts > threshold), np.flatnonzero(counts == threshold)
    spaced = np.linspace(0, len(equal) - 1, most - len(sure)).round().astype(np.int64)
    return np.sort(np.concatenate([sure, equal[spaced]]))


class Picture(Figure):
    """A figure that shows itself at the end of a notebook's cell, and looks for fonts that have its letters."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw, with the fonts that the texts of this moment need."""
        choose_fonts(self)
        super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return what a notebook shows: the pixels, and how large to show them."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI)
        width, height = (self.get_size_inches() * NOTEBOOK_DPI).astype(int)
        return buffer.getvalue(), {"width": int(width), "height": int(height)}


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty white figure of `width` by `height` inches that belongs to no window."""
    return Picture(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


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


def rule(ax: Axes, *, grid: bool = True) -> None:
    """Give axes of lines their ticks, rules across and no frame above and to the right."""
    ax.tick_params(labelsize=SMALL, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(axis="y", which="major", color="#e3e6ea", lw=0.8)


def log_scale(ax: Axes) -> None:
    """Give axes a log scale with plain numbers at 1, 2, 5, 10, ..."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def plain(text: str, most: int | None = None) -> str:
    """Write a user's text on one line, letter by letter: no formulas, nothing that fonts lack, cut in the middle."""
    return _cut(_letters(text), most).replace("$", r"\$")


def two_lines(text: str, most: int) -> str:
    """Write a text of users' on at most two lines of `most` characters, as `plain` does."""
    return _fit(_letters(text), most, 2).replace("$", r"\$")


def short_names(names: Sequence[str], most: int, *, lines: int = 1) -> tuple[str, ...]:
    """Write names on one or two lines of `most` characters each, as `plain` does, so that all stay different.

    Where one is too long they are written without the words that all have, or the numbers that begin them.
    """
    written = [_letters(name) for name in names]
    room = most * lines
    different = len(set(written))
    if different > 1 and max(map(len, written)) > most:
        words = [re.findall(r"[^\W\d_]+|\d+|[\W_]+", name) for name in written]
        shared = {word for word in set.intersection(*map(set, words)) if word.isalnum()}
        told = ["".join("…" if word in shared else word for word in line) for line in words] if shared else written
        told = [re.sub(r"[\W_]*…[\W_…]*", "…", name).strip("…") for name in told] if shared else written
        unnumbered = [re.sub(r"^[^\W_]?\d{4,}[\W_]+", "", name) for name in told]
        told = unnumbered if len(set(unnumbered)) == different else told
        written = [new or old for new, old in zip(told, written, strict=True)]
    meant: dict[str, list[str]] = {}
    for name, short in zip(names, written, strict=True):
        meant.setdefault(_fit(short, most, lines), []).append(name)
    told_apart = {}
    for fitted, group in meant.items():
        start = " ".join(fitted.split())
        for i, name in enumerate(dict.fromkeys(group), start=1):
            numbered = f"{_cut(start, room - 3 - len(str(i)))}~{i}"
            told_apart[name] = _fit(numbered, most, lines) if len(set(group)) > 1 else fitted
    return tuple(told_apart[name].replace("$", r"\$") for name in names)


def _fit(text: str, most: int, lines: int) -> str:
    """Cut a text to one or two lines of `most` characters, broken where a word ends if that can be."""
    if len(text) <= most or lines == 1:
        return _cut(text, most)
    ends = [i for i in range(1, most + 1) if not (text[i - 1].isalnum() or text[i - 1] == "\\") or text[i] == " "]
    ends = ends or [min(most, (len(text) + 1) // 2)]
    whole = [i for i in ends if len(text) - i <= most]
    place = min(whole, key=lambda i: abs(i - len(text) / 2)) if whole else ends[-1]
    return f"{text[:place].rstrip()}\n{_cut(text[place:].lstrip(), most)}"


def _cut(text: str, most: int | None) -> str:
    """Cut a text in the middle, marking the cut: what comes last often tells names apart."""
    if most is None or len(text) <= most:
        return text
    tail = (most - 1) * 2 // 5
    return f"{text[: most - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


@lru_cache(maxsize=10_000)
def _letters(text: str) -> str:
    """Put a text on one line, without invisible marks; what no font has is escaped as in Python's source."""
    base = _base_fonts()
    marks = {char for char in text if unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"}
    # Marks are directions, joiners, variants.
    visible = printable("".join(char for char in " ".join(text.split()) if char not in marks))
    return "".join(char if _family(char, base) is not None else ascii(char)[1:-1] for char in visible) or ascii(text)


def _base_fonts() -> tuple[tuple[str, str], ...]:
    """Return the files, light and bold, of the families that texts are drawn in where nobody says otherwise."""

    def file(family: str, weight: str) -> str:
        return str(findfont(FontProperties(family=[family], weight=weight)))

    families = FontProperties().get_family()
    return tuple((file(family, "normal"), file(family, "bold")) for family in families)


@cache
def _family(char: str, base: tuple[tuple[str, str], ...]) -> str | None:
    """Return which family of fonts has a character: "" where it is of the base, None where no font has it."""
    code = ord(char)
    if any(code in _characters(light) and code in _characters(bold) for light, bold in base):
        return ""
    return next(
        (name for name, files in _other_fonts().items() if all(code in _characters(f) for f in files.values())), None
    )


@cache
def _other_fonts() -> dict[str, dict[int, str]]:
    """Return the upright fonts of the system by family and weight, those first that look like matplotlib's own."""
    placeholders_pixels_formulas = re.compile(r"Last ?Resort|Color|^\.|^STIX|^cm[a-z]+\d+$|Math")
    found: dict[str, dict[int, str]] = {}
    for font in fontManager.ttflist:
        weight = weight_dict[font.weight] if isinstance(font.weight, str) else font.weight
        upright = (font.style, font.stretch) == ("normal", "normal") and weight in {400, 700}
        if upright and not placeholders_pixels_formulas.search(font.name):
            found.setdefault(font.name, {})[weight] = font.fname
    names = sorted(found, key=lambda n: (n != "DejaVu Sans", not re.search("Sans|Gothic", n), "Mono" in n, n))
    return {name: found[name] for name in names if 400 in found[name]}


@cache
def _characters(file: str) -> frozenset[int]:
    """Return the characters a font has."""
    try:
        return frozenset(get_font(file).get_charmap())
    except (RuntimeError, OSError):  # gone, or of pixels at fixed sizes
        return frozenset()


def choose_fonts(artist: Artist) -> None:
    """Name fonts for the letters that the usual one lacks, in all texts of an artist, and keep TeX away from names."""
    base = _base_fonts()
    for text in artist.findobj(Text):
        text.set_usetex(False)
        found = set(filter(None, (_family(char, base) for char in set(text.get_text()) - {"\n"})))
        own = text.get_fontfamily()
        if not found.issubset(own):
            text.set_fontfamily([*own, *sorted(found)])
            if any(700 not in _other_fonts()[name] for name in found):  # matplotlib would say that there is no bold
                text.set_fontweight("normal")


LONGEST_NAME = 8
"""Characters of a class name that fit above an image, in letters of ordinary size."""
LONGEST_ROW = 17
"""Characters of a model's name that fit to the left of its row."""


def name_columns(panel: Tiles, names: Sequence[str], *, small: bool) -> None:
    """Write names, shortened, above the columns of a panel."""
    for column, name in enumerate(names):
        panel.write(0, column, name, above=True, fontsize=SMALL if small else TEXT)


def column_names(names: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return names to write above columns, and whether they need small letters and two lines."""
    short = short_names(names, LONGEST_NAME + 2, lines=2)
    return short, any("\n" in name or len(name) > LONGEST_NAME for name in short)


def count(n: int, what: str) -> str:
    """Write how many of something there are: "1 image", "1,234 images", "20 classes"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}es" if what.endswith("s") else f"{n:,} {what}s"


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

    def write(
        self, row: int, column: int, text: str, *, above: bool = False, side: str = "center", **style: Any
    ) -> None:
        """Write below (or above) one image: centred, or from its left or its right edge."""
        y = row if above else row + self.height
        self.ax.annotate(
            text,
            (column + self.width * {"left": 0, "center": 0.5, "right": 1}[side], y),
            xytext=(0, 2 if above else -2),
            textcoords="offset points",
            ha=side,
            va="bottom" if above else "top",
            annotation_clip=False,
            **{"fontsize": SMALL, "color": INK, "linespacing": 1.05, **style},
        )

    def name_row(self, row: int, text: str, detail: str = "") -> None:
        """Write a name to the left of a row, with a fainter second line."""
        middle = row + self.height / 2
        style: dict[str, Any] = {"ha": "right", "annotation_clip": False, "textcoords": "offset points"}
        shift = 1 if detail else 0
        self.ax.annotate(
            two_lines(text, LONGEST_ROW),
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
