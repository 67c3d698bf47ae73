"""Tables as sources, wherever they come from: which columns are features, and which one names the class."""

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import LARGEST, read_arrays
from latentmap.data.labels import Classes
from latentmap.data.source import ReadOptions, Samples
from latentmap.errors import DatasetError, count

CLASS_LIKE = ("label", "labels", "class", "target", "y")  # columns that are probably not features
_ID_LIKE = ("id", "index", "idx", "row", "rownames", "unnamed: 0", "__index_level_0__")
_FEWEST = 5  # rows: in fewer a column may count up by chance

Kind = Literal["number", "date", "comma", "text", "empty"]
_PASSED_OVER: dict[Kind, tuple[str, str]] = {  # what such columns hold, and the way out
    "text": ("no numbers", ""),
    "date": (
        "dates",
        " Write them as numbers, days since the first say, to learn from them; those that are such as 20240131 may be "
        "named with --columns.",
    ),
    "comma": (
        "numbers with commas",
        " Write 3.5 for 3,5; between semicolons either is read, but not both in a column.",
    ),
    "empty": ("no values", ""),
}

_ONE_COLUMN = "Of a CSV file: do commas, semicolons or tabs part its cells, and is its first line the header?"


@dataclass(frozen=True, eq=False)
class Table:
    """A table that gives its columns when they are asked for."""

    name: str  # what people call it
    where: str  # what it is called in an error
    kinds: Mapping[str, Kind]  # of each column, in order
    numbers: Callable[[Sequence[str]], NDArray[np.float64]]  # of columns: (n, n_columns), NaN where there is no value
    classes: Callable[[str], Classes]  # the column that names the class
    row: Callable[[int], str] = "row {:,}".format  # where a row is, for an error
    is_test: NDArray[np.bool_] | None = None  # where the source says which rows test
    content: str = ""  # changes when the table does
    notes: Sequence[str] = ()  # what the user should be told

    def samples(
        self, X: NDArray[Any], classes: Classes | None, options: ReadOptions, label: str | None,
        columns: tuple[str, ...] | None, notes: list[str],
    ) -> Samples:  # fmt: skip
        """What was chosen of it."""
        y, names = classes or (None, None)
        return read_arrays(
            self.name, [(X, y)], options, label=label, columns=columns, class_names=names, is_test=self.is_test,
            content=self.content, notes=notes,
        )  # fmt: skip


def read_table(table: Table, options: ReadOptions, classes: Classes | None = None) -> Samples:
    """Return the samples of a table's features; `classes` do not stand in it."""
    label = None if classes is not None else class_column(table.kinds, options, table.where)
    notes = list(table.notes)
    columns, X = _features(table, label, options, notes)
    if options.missing is None and options.known.missing is None:
        _refuse_gaps(X, columns, table, of_model=options.reading is not None)
    _refuse_too_large(X, columns, table)
    if table.is_test is not None and len(np.unique(table.is_test)) == 1:
        raise DatasetError(
            f"{table.where}: the {'training' if table.is_test[0] else 'test'} split has no rows. Leave it out."
        )
    if label is not None:
        classes = table.classes(label)
    return table.samples(X, classes, options, label, columns, notes)


def _features(
    table: Table, label: str | None, options: ReadOptions, notes: list[str]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The columns that are features, and their numbers: those of the model, those asked for, or those of use."""
    if options.known.columns is not None:
        columns = options.known.columns
        lacking = [column for column in columns if table.kinds.get(column) not in ("number", "empty")]
        if lacking:
            raise DatasetError(
                f"{table.where} lacks the column(s) {listed(lacking)} of numbers, which the model was fitted on."
            )
        return columns, table.numbers(columns)
    if options.columns is not None:
        columns = _asked_for(table, options.columns, label)
        return columns, table.numbers(columns)
    return _choose(table, label, notes)


def class_column(names: Collection[str], options: ReadOptions, where: str, *, guess: bool = False) -> str | None:
    """The column that names the class: the one asked for, the model's own if it is there, or the likely one."""
    if options.label is not None:
        if options.label not in names:
            way = f" {_ONE_COLUMN}" if len(names) == 1 else ""
            raise DatasetError(f"{where} has no column {options.label!r}. It has {listed(names)}.{way}")
        return options.label
    if options.known.label is not None:  # new data of a labelled model may well have no labels
        return options.known.label if options.known.label in names else None
    return next((name for name in names if name.lower() in CLASS_LIKE), None) if guess else None


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse two columns of one name."""
    counts = Counter(names)
    if not counts:
        raise DatasetError(f"{where} has no columns.")
    name, n = counts.most_common(1)[0]
    if n > 1:
        raise DatasetError(f"{where} has more than one column {name!r}. Rename them.")


def listed(names: Collection[str], most: int = 8) -> str:
    """Names for a message, not too many."""
    shown = ", ".join(repr(name) for name, _ in zip(names, range(most), strict=False))
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def describe_others(kinds: Mapping[str, Kind], done: str = "", *, end: bool = False) -> list[str]:
    """Which columns are of no use as they are, those of a kind together; with what became of them, and the way out."""
    lines = []
    for kind, (what, way) in _PASSED_OVER.items():
        names = [name for name, found in kinds.items() if found == kind]
        if names:
            hold, are = ("holds", "is") if len(names) == 1 else ("hold", "are")
            said = f"that {hold} {what}{f' {are} {done}' if done else ''}"
            lines.append(f"{count(len(names), 'column')} {said}: {listed(names)}{'.' + way if end else ''}")
    return lines


def _asked_for(table: Table, patterns: Sequence[str], label: str | None) -> tuple[str, ...]:
    """The columns that names or patterns mean, in that order."""
    chosen: dict[str, None] = {}
    for pattern in patterns:
        if pattern in table.kinds:
            if table.kinds[pattern] != "number":
                raise DatasetError(f"{table.where}: column {pattern!r} must hold numbers to be a feature.")
            chosen[pattern] = None
            continue
        found = fnmatch.filter(table.kinds, pattern)
        if not found:
            raise DatasetError(f"{table.where} has no column {pattern!r}. It has {listed(table.kinds)}.")
        chosen |= dict.fromkeys(name for name in found if table.kinds[name] == "number" and name != label)
    if not chosen:
        raise DatasetError(f"{table.where}: none of the columns asked for holds numbers.")
    return tuple(chosen)


def _choose(table: Table, label: str | None, notes: list[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The columns that hold numbers and do more than count the rows, and these numbers."""
    others = {name: kind for name, kind in table.kinds.items() if name != label}
    columns = [name for name, kind in others.items() if kind == "number"]
    X = table.numbers(columns)
    empty = np.isnan(X).all(axis=0)
    counts = np.array([_counts_rows(name, X[:, i]) for i, name in enumerate(columns)], bool)
    if empty.all() or (counts.all() and len(columns) == len(others)):
        counts[:] = False  # there is nothing else
    days = np.array([_are_days(x) for x in X.T], bool)
    if (counts | empty | days).all():
        days[:] = False
    for i in np.flatnonzero(empty):
        others[columns[i]] = "empty"
    for i in np.flatnonzero(days):
        others[columns[i]] = "date"
    notes += describe_others(others, "passed over", end=True)
    if counts.any():
        passed = [columns[i] for i in np.flatnonzero(counts)]
        notes.append(
            "passed over, for only numbering the rows: "
            f"{listed(passed)}. Name the features with --columns to keep them."
        )
    kept = ~(empty | counts | days)
    if not kept.any():
        only = [f"{listed(columns)} only number{'s' * (len(columns) == 1)} the rows."] if counts.any() else []
        why = " ".join([*describe_others(others, end=True), *only])
        if len(table.kinds) == 1 and "text" in others.values():
            why += f" {_ONE_COLUMN}"
        raise DatasetError(f"{table.where} has no usable columns, neither images nor numbers. {why}".rstrip())
    likely = [name for name in others if name.lower() in CLASS_LIKE and _may_name_classes(name, columns, X)]
    if likely and label is None:
        notes.append(f"should column {likely[0]!r} name the class, add --label {likely[0]}.")
    if kept.all():
        return tuple(columns), X
    return tuple(columns[i] for i in np.flatnonzero(kept)), X[:, kept]


def _may_name_classes(name: str, columns: Sequence[str], X: NDArray[np.float64]) -> bool:
    """Whether a column is text, or few whole numbers: what is measured is no class, whatever it is called."""
    if name not in columns:
        return True
    x = X[:, columns.index(name)]
    return bool((x == np.round(x)).all()) and len(np.unique(x)) <= max(2, len(x) // 2)


def _counts_rows(name: str, x: NDArray[np.float64]) -> bool:
    """Whether a column counts the rows up from any whole number, or is called a number of theirs and is one."""
    n = len(x)
    if n < _FEWEST:
        return False
    if x[0] == np.round(x[0]) and x[1] == x[0] + 1 and x[-1] == x[0] + n - 1:
        return bool((np.diff(x) == 1).all())
    name = name.strip()  # patient_id, Patient ID, patientId; no humid or acid
    is_id = name.lower() in _ID_LIKE or re.search(r"[_ .-]id$", name.lower()) or re.search(r"[a-z]I[dD]$", name)
    return bool(is_id) and bool((x == np.round(x)).all()) and len(np.unique(x)) == n


def _are_days(x: NDArray[np.float64]) -> bool:
    """Whether numbers are days written as 20240131."""
    x = x[~np.isnan(x)]
    if len(x) < _FEWEST or x.min() < 1900_00_00 or x.max() > 2100_00_00 or (x != np.round(x)).any():
        return False
    month, day = x // 100 % 100, x % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _refuse_too_large(X: NDArray[np.float64], columns: Sequence[str], table: Table) -> None:
    """Refuse infinity, and numbers too large to compute with, naming the first."""
    wrong = np.abs(X) > LARGEST
    if wrong.any():
        row, place = (int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        raise DatasetError(
            f"{table.where}, {table.row(row)}, column {columns[place]!r}: {X[row, place]:g} in place of a number that "
            "can be learned from. Mend it, or leave the row out."
        )


def _refuse_gaps(X: NDArray[np.float64], columns: Sequence[str], table: Table, *, of_model: bool) -> None:
    """Refuse missing numbers, naming the first."""
    gaps = np.isnan(X)
    if not gaps.any():
        return
    row, place = (int(i) for i in np.unravel_index(int(np.argmax(gaps)), gaps.shape))
    way = (
        "Leave such rows out with --missing drop, put the mean in with --missing mean, or name the features with "
        "--columns (in Python missing='drop', missing='mean', columns=)."
    )
    if of_model:
        way = (
            "Fill it in or leave the row out: encode, evaluate and report do so with --missing drop or mean (in "
            "Python missing='drop', missing='mean'), and a model fitted so does it by itself."
        )
    more = f" ({int(gaps.sum()):,} are missing in all)" if gaps.sum() > 1 else ""
    raise DatasetError(
        f"{table.where}, {table.row(row)}, column {columns[place]!r}: nothing in place of a number{more}. {way}"
    )
