"""Sizes in inches and points, and colours that colour-blind people can tell apart."""

from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, num2date
from numpy.typing import NDArray

from latentmap.data.dates import dates_of, years_of

WIDTH = 8.0  # inches: narrow enough for letters to stay legible when a page shows the figure at 640 pixels
TITLE, TEXT, SMALL = 11.0, 9.0, 7.5
INK, FAINT, WARNING = "#1f2328", "#656d76", "#b3261e"
NEUTRAL = "#3f6fb5"
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")
PALETTE = (
    *("#00729c", "#e17718", "#b80054", "#9076ff", "#055543"),
    *("#6c2c0d", "#81956c", "#2d2ea0", "#b68197", "#7e6304"),
)
"""Ten colours that stand out from white paper and from each other, for colour-blind people too: decision 0011."""
REST = "#8b939c"  # what has no colour of its own
SCALE = "viridis"  # of numbers: even steps, in grey and for colour-blind people too
_FEWEST, _FAR = 20, 4  # numbers of which some can be far out, and how many times as wide as the rest they make a range
MOST_CLASSES = 20  # that are named and shown one by one; of more, some


def class_style(index: int) -> tuple[str, str]:
    """Return the colour and the marker of a class: ten colours as circles, then the same ten as triangles, and so on.

    No sequence of more than ten colours stays apart for colour-blind people, so beyond ten the shape tells as well.
    Below 0 stands what has no colour of its own.
    """
    if index < 0:
        return REST, "o"
    return PALETTE[index % len(PALETTE)], MARKERS[index // len(PALETTE) % len(MARKERS)]


def usual_range(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return between which numbers a scale of colours runs: all but the outermost hundredths; NaN is none."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (1, 99)) if len(known) else (0.0, 1.0)
    if high <= low and len(known):
        low, high = known.min(), known.max()
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def date_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Where to write on a scale of dates, and what: years, months, days or minutes, as few letters as tell."""
    first, last = dates_of(np.array([low, high])).astype(object)
    ticks = num2date(AutoDateLocator(minticks=3).tick_values(first, last))  # type: ignore[no-untyped-call]
    dates = np.array([tick.replace(tzinfo=None) for tick in ticks], "datetime64[s]")
    dates = dates[(first <= dates) & (dates <= last)]
    texts = [str(one).replace("T", " ") for one in dates]
    letters = next((n for n in (4, 7, 10, 16) if len({text[:n] for text in texts}) == len(texts)), 19)
    every = -(-len(texts) // (6 if letters <= 10 else 3))  # for texts not to touch
    return years_of(dates)[::every].tolist(), [text[:letters] for text in texts[::every]]


def far_out(X: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say which numbers (n, k) lie so far from the rest of their column that beside them the rest would be one dot."""
    far = np.zeros(X.shape, bool)
    if len(X) < _FEWEST:
        return far
    few = X[:: max(1, len(X) // 10_000)]
    most = -(-len(few) // 100)  # on either side
    ordered = np.partition(few, (most, len(few) - 1 - most), axis=0).astype(np.float64)
    low, high = ordered[most], ordered[-1 - most]
    span = 1.5 * (high - low)  # of the middle, widened by half
    whole = X.max(axis=0).astype(np.float64) - X.min(axis=0)
    some = np.flatnonzero((whole > _FAR * span) & (span > 0))  # columns
    far[:, some] = np.maximum(low[some] - X[:, some], X[:, some] - high[some]) > span[some]
    return far


def largest(counts: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Choose the `most` largest groups, in their own order; of equally large ones some evenly spaced."""
    if len(counts) <= most:
        return np.arange(len(counts))
    threshold = np.sort(counts)[-most]
    sure, equal = np.flatnonzero(counts > threshold), np.flatnonzero(counts == threshold)
    spaced = np.linspace(0, len(equal) - 1, most - len(sure)).round().astype(np.int64)
    return np.sort(np.concatenate([sure, equal[spaced]]))
