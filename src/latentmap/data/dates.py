"""Dates as they are measured, years with what is gone of them: 2021.5 is the middle of 2021."""

import re
from typing import Any

import numpy as np
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


def are_days(values: NDArray[np.floating]) -> bool:
    """Whether numbers are dates without a doubt: whole seconds of years, and not of years alone."""
    return bool((values[np.isfinite(values)] % 1 != 0).any()) and are_dates(values, "")


def years_of(dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Dates as years; NaN for none."""
    years = dates.astype("datetime64[Y]")
    begun, ended = (one.astype("datetime64[D]") for one in (years, years + 1))
    return np.where(np.isnat(dates), np.nan, 1970 + years.astype(np.int64) + (dates - begun) / (ended - begun))


def dates_of(years: NDArray[np.floating]) -> NDArray[np.datetime64]:
    """Years as dates, to the second; NaT for none."""
    known = np.where(np.isfinite(years), years, 1970)
    begun, seconds = _year(np.floor(known).astype(np.int64))
    dates: NDArray[np.datetime64] = begun + np.round((known % 1) * seconds).astype("timedelta64[s]")
    return np.where(np.isfinite(years), dates, np.datetime64("NaT"))


def in_words(dates: NDArray[np.datetime64]) -> NDArray[np.str_]:
    """Dates as texts, days or seconds of them; nothing for none."""
    days, missing = dates.astype("datetime64[D]"), np.isnat(dates)
    return np.where(missing, "", (days if (days == dates)[~missing].all() else dates).astype(str))


def _year(years: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """When years began, and how many seconds they have."""
    begun, ended = ((years - 1970 + i).astype("datetime64[Y]").astype("datetime64[s]") for i in (0, 1))
    return begun, (ended - begun).astype(np.int64)


def _are_whole(numbers: NDArray[np.float64]) -> bool:
    """Whether all are whole numbers, but for rounding."""
    return bool((np.abs(numbers - np.round(numbers)) < 1e-3).all())
