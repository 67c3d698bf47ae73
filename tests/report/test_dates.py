"""Dates that colour pictures are told as dates."""

import numpy as np
import pandas as pd
import pytest

from latentmap.data.dates import are_dates
from latentmap.report import CodeMap, embedding
from latentmap.report.explorer import _packed_values
from latentmap.report.figures.style import date_ticks, usual_range
from latentmap.report.given import take_values


def dates(first, last, unit):
    """Dates between two, evenly spaced and to the unit, as they come to be measurements."""
    ends = np.array([first, last], f"datetime64[{unit}]").astype(np.int64)
    taken = np.linspace(*ends, 60).astype(np.int64).astype(f"datetime64[{unit}]")
    return take_values(pd.Series(taken.astype("datetime64[ns]"), name="taken"))["values"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (dates("1850-01-01", "2020-01-01", "D"), ["1860", "1900", "1940", "1980"]),
        (dates("2015-03-01", "2023-06-01", "s"), ["2016", "2018", "2020", "2022"]),
        (dates("2020-05-01", "2022-09-01", "D"), ["2020-07", "2021-01", "2021-07", "2022-01", "2022-07"]),
        (dates("2021-02-01", "2021-06-15", "s"), ["2021-03", "2021-04", "2021-05", "2021-06"]),
        (
            dates("2021-03-03", "2021-04-20", "s"),
            ["2021-03-08", "2021-03-15", "2021-03-22", "2021-04-01", "2021-04-08", "2021-04-15"],
        ),
        (dates("2021-03-03", "2021-03-04", "s"), ["2021-03-03 03:00", "2021-03-03 12:00", "2021-03-03 21:00"]),
    ],
)
def test_a_scale_of_dates_has_years_or_months_or_days(values, told):
    assert are_dates(values, "taken")
    places, texts = date_ticks(*usual_range(values))
    assert texts == told
    assert all(np.diff(places) > 0)
    codes = CodeMap("m", np.random.default_rng(0).normal(size=(60, 2)), values=values, values_name="taken")
    figure = embedding(codes)
    figure.draw_without_rendering()
    bar = figure.axes[1]
    assert [text.get_text() for text in (*bar.get_xticklabels(), *bar.get_yticklabels()) if text.get_text()] == told


RANDOM = np.random.default_rng(0).normal(2021, 1, 50)


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        (RANDOM.round(2), "sampling_date", True),
        (np.arange(1900.0, 1960), "year built", True),
        (RANDOM.round(2), "price", False),
        (RANDOM.round(2), "income per year", False),
        (RANDOM.round(2), "yearly", False),
        (RANDOM, "mass", False),
        (1600 + np.arange(400) / 16, "mass", False),
        (RANDOM - 2021, "date", False),
        (np.full(30, np.nan), "date", False),
    ],
)
def test_only_dates_are_dates(values, name, expected):
    assert are_dates(values, name) == expected


def test_the_explorer_is_told_how_much_of_dates_tells_samples_apart():
    rows = np.arange(50)
    for values, name, letters in (
        (np.arange(1900.0, 1950), "year", 4),
        (RANDOM, "date", 10),
        (dates("2021-03-03", "2021-03-04", "s")[:50], "taken", 16),
        (RANDOM, "mass", 0),
    ):
        assert _packed_values(values, name, rows)["dated"] == letters
