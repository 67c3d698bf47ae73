"""Dates as they are measured, years with what is gone of them: 2021.5 is the middle of 2021."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, num2date
from numpy.typing import NDArray

_FIRST, _LAST = 1500, 2200  # years: numbers out of these are none
_COARSE = 128_000  # of what was measured in thousandths or 128ths, seconds of a year are whole as well


def are_dates(values: NDArray[np.floating], name: str) -> bool:
    """Whether numbers are dates: years as their name says, or else with whole seconds of them gone."""
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known) or known.min() < _FIRST or known.max() >= _LAST:
        return False
    if re.search(r"^(years?|dates?)\b(?! of\b)|(?<!per)(?<!to)[ ](year|date)$", name.lower().replace("_", " ")):
        return True
    _, seconds = _year(np.floor(known).astype(np.int64))
    return _are_whole((known % 1) * seconds) and not _are_whole(_COARSE * known)


def date_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Where to write on a scale of dates, and what: years, months, days or minutes, as few letters as tell."""
    ends = np.array([low, high])
    begun, seconds = _year(np.floor(ends).astype(np.int64))
    first, last = (begun + np.round((ends % 1) * seconds).astype("timedelta64[s]")).astype(object)
    ticks = num2date(AutoDateLocator(minticks=3).tick_values(first, last))  # type: ignore[no-untyped-call]
    dates = np.array([tick.replace(tzinfo=None) for tick in ticks], "datetime64[s]")
    dates = dates[(first <= dates) & (dates <= last)]
    years = 1970 + dates.astype("datetime64[Y]").astype(np.int64)
    begun, seconds = _year(years)
    places, texts = years + (dates - begun).astype(np.int64) / seconds, [str(one).replace("T", " ") for one in dates]
    letters = next((n for n in (4, 7, 10, 16) if len({text[:n] for text in texts}) == len(texts)), 19)
    every = -(-len(texts) // (6 if letters <= 10 else 3))  # for texts not to touch
    return places[::every].tolist(), [text[:letters] for text in texts[::every]]


def _year(years: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """When years began, and how many seconds they have."""
    begun, ended = ((years - 1970 + i).astype("datetime64[Y]").astype("datetime64[s]") for i in (0, 1))
    return begun, (ended - begun).astype(np.int64)


def _are_whole(numbers: NDArray[np.float64]) -> bool:
    """Whether all are whole numbers, but for rounding."""
    return bool((np.abs(numbers - np.round(numbers)) < 1e-3).all())
