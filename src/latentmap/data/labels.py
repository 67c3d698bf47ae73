"""Labels as sources give them: which are classes, and numbered; which are measurements; which are missing."""

import datetime
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.dataset import NO_LABEL
from latentmap.data.dates import years_of
from latentmap.data.folder import natural_order
from latentmap.errors import DatasetError

MANY_NUMBERS = 20  # kinds of labels: more of them are hardly classes, where they are floats
_OF_A_KIND = 5  # samples that a class has at least, on the average

Classes = tuple[NDArray[Any], tuple[str, ...] | None]
"""Labels, and the names of the classes where they are the numbers of these."""


def number_classes(
    labels: NDArray[Any] | None,
    name: str,
    class_names: tuple[str, ...] | None = None,
    *,
    notes: list[str],
    is_test: NDArray[np.bool_] | None = None,
    measure: bool | None = None,
    of_table: bool = False,  # whole numbers of a table may be measurements too, as an age is; others are classes
) -> tuple[NDArray[Any] | None, tuple[str, ...] | None]:
    """Number the classes of samples from 0, and name them; -1 throughout a split whose labels are all hidden.

    Where they are measurements and no classes, which `measure` says or they themselves, they come back in float64, and
    there are no names.
    """
    if labels is None:
        return None, None
    dated = of_dates(labels)
    what = "numbers" if dated is labels else "dates (years)"
    is_test = np.zeros(len(labels), bool) if is_test is None else is_test
    splits = {"training": ~is_test, "test": is_test}
    hidden = _hidden(dated, list(splits.values()), class_names is not None, notes)
    if hidden.all():
        notes.append("every label is hidden (-1 or missing): the samples have none.")
        return None, None
    absent = [split for split, rows in splits.items() if rows.any() and hidden[rows].all()]
    notes += [f"every label of the {split} split is hidden (-1 or missing): it has none." for split in absent]
    values = of_one_type(dated[~hidden])
    if measure or (values.dtype.kind == "O" and all(isinstance(value, Decimal) for value in values)):
        with suppress(ValueError):  # texts where there were numbers
            values = values.astype(np.float64)
    kinds = len(np.unique(values)) if values.dtype.kind in "iuf" else 0
    if class_names is None and kinds and (are_measured(values, whole=of_table) if measure is None else measure):
        if measure is None:
            notes.append(
                f"the labels are {kinds:,} different {what}: measurements, which colour pictures on a scale. Were "
                "they classes, they would have to be written with a letter, as in c7."
            )
        measured = np.full(len(labels), np.nan)
        measured[~hidden] = values
        return measured, None
    many = kinds > max(MANY_NUMBERS, len(values) // _OF_A_KIND)
    if class_names is None and values.dtype.kind in "iu" and many:
        notes.append(
            f"the labels are {kinds:,} different whole numbers, each of which is taken for a class. Write them with a "
            "point, as in 7.0, if they are measurements."
        )
    known, names = _numbered(values, np.flatnonzero(~hidden), name, class_names)
    numbers = np.full(len(labels), -1, np.int64)
    numbers[~hidden] = known
    for split in absent:
        hidden &= ~splits[split]
    if hidden.any():
        notes.append(
            f"{hidden.sum():,} of {len(labels):,} samples have no label (-1 or missing): their class is {NO_LABEL!r}."
        )
        numbers[hidden] = len(names)
        names = (*names, NO_LABEL)
    return numbers, names


def of_one_type(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels that are Python's objects in the type that NumPy finds for them; others as they are."""
    return np.asarray(labels.tolist()) if labels.dtype.kind == "O" else labels


def values_of(cells: Iterable[Any]) -> NDArray[Any]:
    """What the chunks of a column of Arrow hold, as Python has it."""
    return np.array([value for chunk in cells for value in chunk.to_pylist()], object)


def in_order(cells: Sequence[Any]) -> Classes:
    """The labels in a column's chunks; of ordered dictionaries the places in their order, -1 for none, and names."""
    values = values_of(cells)
    if not all(str(chunk.type).startswith("dictionary") and chunk.type.ordered for chunk in cells):
        return values, None
    orders = [chunk.dictionary.to_pylist() for chunk in cells]  # files and row groups have one each
    used = set(values)
    order = [value for value in max(orders, key=len, default=[]) if value in used]
    places = {value: place for place, value in enumerate(order)}
    for other in orders:
        found = [places.get(value, -1) for value in other if value in used]
        if found != sorted(found) or -1 in found:  # they contradict each other
            return values, None
    return np.array([places.get(value, -1) for value in values], np.int64), tuple(map(str, order))


def of_dates(labels: NDArray[Any]) -> NDArray[Any]:
    """Texts, where labels are dates of few kinds; years with what is gone of them, a measurement, where of many."""
    if labels.dtype.kind == "O":
        given = ~missing_cells(labels)
        if not given.any() or not all(isinstance(one, datetime.date) for one in labels[given]):
            return labels
        dates = np.full(len(labels), "NaT", "datetime64[us]")
        plain = (one.replace(tzinfo=None) if isinstance(one, datetime.datetime) else one for one in labels[given])
        dates[given] = [np.datetime64(one, "us") for one in plain]
        labels = dates
    if labels.dtype.kind != "M":
        return labels
    days, missing = labels.astype("datetime64[D]"), np.isnat(labels)
    n_kinds = len(np.unique(labels[~missing]))
    if n_kinds <= MANY_NUMBERS:
        return np.where(missing, "", (days if len(np.unique(days[~missing])) == n_kinds else labels).astype(str))
    return years_of(labels)


def are_measured(values: NDArray[Any], *, whole: bool = False) -> bool:
    """Whether labels are numbers of many kinds, and no classes: counted from 0 or 1, beside gaps several of each."""
    if values.dtype.kind not in ("fiu" if whole else "f") or not np.isfinite(values).all():
        return False
    kinds = np.unique(values)
    counted = not len(kinds) or (kinds[0] in (0, 1) and bool((np.diff(kinds) == 1).all()))
    return len(kinds) > MANY_NUMBERS and not (
        counted and (values.dtype.kind != "f" or len(values) >= _OF_A_KIND * len(kinds))
    )


def _hidden(
    labels: NDArray[Any], splits: list[NDArray[np.bool_]], has_names: bool, notes: list[str]
) -> NDArray[np.bool_]:
    """Which labels say that there is none: missing ones, and -1 where it is no class."""
    hidden = missing_cells(labels)
    values = of_one_type(labels[~hidden])
    if values.dtype.kind not in "if" or not (values == -1).any():
        return hidden
    minus, others = np.asarray(labels == -1), values[values != -1]
    # -1 beside 1, or beside 0 and 1, is how classes are coded too; beside 0, 1, 2, ... it is not.
    counted = bool(len(others) and others.min() >= 0 and others.max() >= 2)
    for rows in splits:
        if has_names or counted or minus[rows & ~hidden].all():
            hidden |= rows & minus
    if (minus & ~hidden).any() and len(others) and others.min() == 0:
        notes.append("-1 is taken for a class, as 0 and 1 are. Leave those labels empty (NaN) if it means none.")
    return hidden


def missing_cells(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some labels, or cells of a table, are no values at all."""
    if values.dtype.kind == "O":
        empty = [value is None or str(value) in ("", "nan", "<NA>", "NaT") for value in values]
        return np.array(empty, bool)
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    return np.asarray(values == "") if values.dtype.kind == "U" else np.zeros(len(values), bool)


def _order(name: str) -> tuple[bool, float, Any]:
    """A key that sorts the names of classes: numbers by what they are, before texts, in which 2 comes before 10."""
    if re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", name):
        return False, float(name), natural_order(name)
    return True, 0.0, natural_order(name)


def _numbered(
    values: NDArray[Any], rows: NDArray[np.int64], name: str, class_names: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as numbers of classes, and the names of these: those given, else the values in order."""
    if class_names is not None and values.dtype.kind in "biuf":
        wrong = ~np.isin(values, np.arange(len(class_names)))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise DatasetError(
                f"{name}: labels must be whole numbers from 0 to {len(class_names) - 1}, since there are "
                f"{len(class_names):,} names of classes, got {values[first]} in row {rows[first]:,}. Mend it."
            )
        return values.astype(np.int64), class_names
    if values.dtype.kind == "f":
        infinite = ~np.isfinite(values)
        if infinite.any():
            first = int(np.argmax(infinite))
            raise DatasetError(
                f"{name}: the labels must be finite, got {values[first]} in row {rows[first]:,}. Mend it."
            )
    found, numbers = np.unique(values.astype(str) if values.dtype.kind == "O" else values, return_inverse=True)
    if found.dtype.kind == "U":  # 2 before 10, as folders are
        order = sorted(range(len(found)), key=lambda i: _order(str(found[i])))
        found, numbers = found[order], np.argsort(order)[numbers]
    if values.dtype.kind == "f" and (found == found.round()).all():
        found = found.astype(np.int64)
    return numbers.astype(np.int64), tuple(str(value) for value in found)
