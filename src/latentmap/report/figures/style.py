"""Sizes in inches and points, and colours that colour-blind people can tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
MOST_CLASSES = 20  # that are named and shown one by one; of more, some


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
