"""Tables as sources, wherever they come from: which columns are features, and which one names the class.

What belongs here: the choice of columns. Reading them is the business of ``csv_files``, ``parquet_files``, ``hub`` and
``objects``; what numbers must be like, and what becomes of missing ones, that of ``arrays``.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import ArrayReader, Parts
from latentmap.data.reading import Wishes
from latentmap.errors import DatasetError

CLASS_LIKE = ("label", "labels", "class", "target", "y")  # columns that are probably not features
_ID_LIKE = ("id", "index", "idx", "row", "rownames", "unnamed: 0", "__index_level_0__")
_FEWEST = 5  # rows: in fewer a column may count up by chance

Kind = Literal["number", "date", "comma", "text", "empty"]
_PASSED_OVER: dict[Kind, tuple[str, str]] = {
    "text": ("hold no numbers", ""),
    "date": ("hold dates", " Write them as numbers, days since the first say, to learn from them."),
    "comma": ("hold numbers with commas", " Write 3.5 for 3,5, or separate the columns by semicolons."),
    "empty": ("hold no values", ""),
}


@dataclass(frozen=True, eq=False)
class Table:
    """A table that gives its columns when they are asked for.

    Parameters
    ----------
    name, where : str
        What people call it, and what it is called in an error.
    kinds : mapping of str to Kind
        What each column holds, in order.
    numbers : callable
        Gives some columns, shape (n, n_columns), float64, NaN where there is no value.
    classes : callable
        Gives the column that names the class.
    class_names : callable
        Gives the names of the classes where that column holds their numbers, None where they are not known.
    row : callable
        Says where a row is, for an error.
    is_test : ndarray of bool, optional
        Which rows belong to the test split, where the source says so.
    content : str
        Changes when the table does.
    notes : list of str
        What the user should be told.
    """

    name: str
    where: str
    kinds: Mapping[str, Kind]
    numbers: Callable[[Sequence[str]], NDArray[np.float64]]
    classes: Callable[[str], NDArray[Any]]
    class_names: Callable[[str], tuple[str, ...] | None] = lambda _: None
    row: Callable[[int], str] = "row {:,}".format
    is_test: NDArray[np.bool_] | None = None
    content: str = ""
    notes: list[str] = field(default_factory=list)


def read_table(table: Table, wishes: Wishes, y: Any = None) -> ArrayReader:
    """Return the reader of a table's features; `y` are classes that do not stand in it.

    Raises
    ------
    DatasetError
        If a column is missing, none holds numbers, or a number is missing and nothing was asked for that case.
    """
    known = wishes.reading
    label = None if y is not None and wishes.label is None else class_column(table.kinds, wishes, table.where)
    notes = list(table.notes)
    if known is not None and known.columns is not None:
        columns = known.columns
        lacking = [column for column in columns if table.kinds.get(column) not in ("number", "empty")]
        if lacking:
            raise DatasetError(
                f"{table.where} lacks the column(s) {listed(lacking)} of numbers, which the model was fitted on."
            )
        X = table.numbers(columns)
    elif wishes.columns is not None:
        columns = _asked_for(table, wishes.columns, label)
        X = table.numbers(columns)
    else:
        columns, X = _choose(table, label, notes)
    if wishes.missing is None and (known is None or known.missing is None):
        _refuse_gaps(X, columns, table, of_model=known is not None)
    _refuse_too_large(X, columns, table)
    if y is None and label is not None:
        y = table.classes(label)
    parts = Parts(X, y)
    if table.is_test is not None:
        for_test = table.is_test
        parts = Parts(
            X[~for_test], None if y is None else y[~for_test], X[for_test], None if y is None else y[for_test]
        )
    names = None if label is None else table.class_names(label)
    reader = ArrayReader(table.name, parts, wishes, columns=columns, class_names=names, content=table.content)
    reader.reading = replace(reader.reading, label=label)
    reader.known.notes[:0] = notes
    return reader


def class_column(names: Collection[str], wishes: Wishes, where: str, *, guess: bool = False) -> str | None:
    """The column that names the class: the one asked for, the model's own if it is there, or the likely one."""
    if wishes.label is not None:
        if wishes.label not in names:
            raise DatasetError(f"{where} has no column {wishes.label!r}. It has {listed(names)}.")
        return wishes.label
    if wishes.reading is not None and wishes.reading.label is not None:
        # New data of a labelled model may well have no labels.
        return wishes.reading.label if wishes.reading.label in names else None
    return _likely_class(names) if guess else None


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse two columns of one name."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
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
            lines.append(f"{len(names):,} columns that {what}{done}: {listed(names)}{'.' + way if end else ''}")
    return lines


def _likely_class(names: Collection[str]) -> str | None:
    """The column that by its name is probably no feature."""
    return next((name for name in names if name.lower() in CLASS_LIKE), None)


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
    if counts.all() or empty.all():
        counts[:] = False  # there is nothing else
    for i in np.flatnonzero(empty):
        others[columns[i]] = "empty"
    notes += describe_others(others, " are passed over", end=True)
    if counts.any():
        passed = [columns[i] for i in np.flatnonzero(counts)]
        notes.append(
            f"{len(passed):,} columns that only number the rows are passed over: {listed(passed)}. Name the features "
            "with --columns to keep them."
        )
    kept = ~(empty | counts)
    if not kept.any():
        why = " ".join(describe_others(others, end=True))
        raise DatasetError(f"{table.where} has no usable columns, neither images nor numbers. {why}".rstrip())
    likely = _likely_class([name for name in others if _may_name_classes(name, columns, X)]) if label is None else None
    if likely is not None:
        notes.append(f"should column {likely!r} name the class, add --label {likely}.")
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
    """Whether a column counts the rows up from 0 or 1, or is called a number of theirs and is one."""
    n = len(x)
    if n < _FEWEST:
        return False
    if x[0] in (0, 1) and x[1] == x[0] + 1 and x[-1] == x[0] + n - 1:
        return bool((np.diff(x) == 1).all())
    return name.strip().lower() in _ID_LIKE and bool((x == np.round(x)).all()) and len(np.unique(x)) == n


def _refuse_too_large(X: NDArray[np.float64], columns: Sequence[str], table: Table) -> None:
    """Refuse infinity and what float32 takes for it, naming the first."""
    wrong = np.abs(X) > np.finfo(np.float32).max
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
        "--columns."
    )
    if of_model:
        way = "Fill it in or leave the row out; a model fitted with --missing does so itself."
    more = f" ({int(gaps.sum()):,} are missing in all)" if gaps.sum() > 1 else ""
    raise DatasetError(
        f"{table.where}, {table.row(row)}, column {columns[place]!r}: nothing in place of a number{more}. {way}"
    )
