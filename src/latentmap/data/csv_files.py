"""CSV files as tables: what separates the columns, whether the first line names them, and what each holds.

Each of these is decided by looking at many lines.
"""

import csv
import re
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.cache import file_state
from latentmap.data.labels import MANY_NUMBERS
from latentmap.data.source import ReadOptions, Samples
from latentmap.data.tables import Kind, Table, check_names, class_column, listed, read_table
from latentmap.errors import DatasetError, count

_DELIMITERS = "\t;,"
_SAMPLE = 20  # lines, or cells of a column, that decide
_STEPS = 5  # numbers that go up or down alike and so may name columns
_SAMPLE_CELLS = 400_000  # cells looked at: of tables of very many columns fewer lines

_MISSING = {"", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "<na>", "?"}
_BOOLEANS = {"false": 0.0, "no": 0.0, "true": 1.0, "yes": 1.0}
_DATE = re.compile(r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3\d{4})([T ].*)?")
_YEAR_FIRST = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_WHOLE = re.compile(r"[+-]?\d{1,15}(\.0*)?")
_COMMA = re.compile(r"[+-]?(\d*|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")  # 0,5 and 1.234,5
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")  # 5.000.000, beside decimal commas


def read_csv(path: Path, options: ReadOptions) -> Samples:
    """Return the samples of a CSV file: a row a sample, with a header line or without."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(islice(file, _SAMPLE))
            if not lines:
                raise DatasetError(f"{path} is empty.")
            delimiter = _find_delimiter(lines)
            file.seek(0)
            rows = csv.reader(file, delimiter=delimiter)
            return read_table(_Cells(path, options, delimiter).read(rows), options)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except csv.Error as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}.") from error


# ---- what separates, what names ------------------------------------------------------------------------------------


def _find_delimiter(lines: list[str]) -> str:
    """The delimiter that gives all lines the same number of cells, the most numbers, and then the most cells."""
    best, chosen = (0.0, 0), max(_DELIMITERS, key=lines[0].count)
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:  # a whole line may be too long for a cell
            continue
        widths = {len(row) for row in rows}
        if len(widths) != 1 or widths == {1}:
            continue
        cells = list(islice(chain(*reversed(rows)), 1000))
        found = sum(_kind_of(cell) == "number" for cell in cells) / len(cells), len(rows[0])
        if found > best:
            best, chosen = found, delimiter
    return chosen


def _kind_of(cell: str) -> str:
    """What a cell looks like: a number, a boolean, a date, missing, or text."""
    cell = cell.strip()
    if cell.lower() in _MISSING:
        return "missing"
    if is_number(cell) or _COMMA.fullmatch(cell):
        return "number"
    if cell.lower() in _BOOLEANS:
        return "boolean"
    return "date" if _DATE.fullmatch(cell) else "text"


def has_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[bool, bool]:
    """Whether a table's first row names its columns, since it differs in kind from those below; and if that is plain.

    Names are text where numbers stand below, or numbers that count up (years, pixels) where those below do not.
    """
    above = [_kind_of(cell) for cell in first]
    if not below:
        return "number" not in above, True
    kinds = [_kind_below(column) for column in zip(*below, strict=False)]
    differ = sum(a == "text" and b not in ("text", "missing") for a, b in zip(above, kinds, strict=False))
    alike = sum(a == b != "text" and a != "missing" for a, b in zip(above, kinds, strict=False))
    if not alike:
        repeats = any(a == "text" and cell in column for a, cell, *column in zip(above, first, *below, strict=False))
        header = differ > 0 or not repeats or "number" not in kinds
        return header, header
    counted = [i for i, kind in enumerate(above) if kind == "number"]
    text = [i for i, kind in enumerate(above) if kind == "text"]
    named = bool(text) and not any(row[i] == first[i] for row in below for i in text if i < len(row))
    rows = [[row[i] for i in counted if i < len(row)] for row in below]
    if _counts_up([first[i] for i in counted], rows, beside_text=named):
        return True, False
    return differ >= alike, False


def _kind_below(cells: Sequence[str]) -> str:
    """The kind of most cells of a column."""
    counts = Counter(_kind_of(cell) for cell in cells)
    del counts["missing"]
    return counts.most_common(1)[0][0] if counts else "missing"


def _counts_up(cells: Sequence[str], below: Sequence[Sequence[str]], *, beside_text: bool) -> bool:
    """Whether numbers go up or down by equal steps as no row below does: many, or a few above fractions or a text.

    Two whole numbers that rise are enough above fractions, and of years beside a text, such as a country's.
    """

    def step(row: Sequence[str]) -> float:
        if len(row) < 2 or not all(re.fullmatch(r"\s*\d{1,9}(\.\d{1,6})?\s*", cell) for cell in row):
            return 0.0
        rises = np.diff(np.array(row, float))
        places = max(len(cell.strip().partition(".")[2]) for cell in row)
        rounded = 1.01 * 10.0**-places if places else 0.0  # off by so much at most, where the last place is rounded
        mean = float(rises.mean())
        return mean if abs(mean) > 3 * rounded and np.abs(rises - mean).max() <= rounded + 1e-4 * abs(mean) else 0.0

    rise = step(cells)
    if rise == 0 or any(np.isclose(step(row), rise) for row in below):
        return False
    if rise < 0 or not all(cell.strip().isdecimal() for cell in cells):  # wavenumbers, wavelengths in half steps
        return len(cells) >= _STEPS
    fractions = any(re.search(r"\d[.,]\d*[1-9]", cell) for row in below for cell in row)
    years = all(1500 <= int(cell) <= 2200 for cell in cells)
    return len(cells) >= (2 if fractions or (beside_text and years) else 3 if beside_text else _STEPS)


# ---- the cells -----------------------------------------------------------------------------------------------------


class _Cells:
    """The cells of a file, gone through once: numbers as such, the others by column until what it holds is plain."""

    def __init__(self, path: Path, options: ReadOptions, delimiter: str) -> None:
        self._path, self._options, self._delimiter = path, options, delimiter
        self._notes: list[str] = []
        self._lines = array("q")
        self._classes: list[str] = []
        self._texts: dict[int, tuple[list[int], list[str]]] = {}  # of a column: rows and cells that are no numbers
        self._settled: list[int] = []  # columns that hold text, of which nothing more need be known
        self._wrong: dict[int, tuple[int, str]] = {}  # of a column of numbers: the first row, and cell, that is none
        self._read: dict[str, list[int]] = defaultdict(list)  # how cells were read, and in which columns
        self._pointed: dict[int, array[int]] = defaultdict(lambda: array("q"))  # by column, rows of cells as 2.000

    def read(self, rows: Any) -> Table:
        """Return the table of the rows that a csv reader gives."""
        names, lines = self._name_columns(rows)
        check_names(names, str(self._path))
        label = class_column(names, self._options, str(self._path))
        values = self._read_values(lines, len(names), None if label is None else names.index(label))
        if not len(values):
            raise DatasetError(f"{self._path} has no rows.")
        empty = np.atleast_1d(np.isnan(values).all(axis=0))
        kinds: dict[str, Kind] = {
            name: self._kind(place, values) if place in self._texts else "empty" if empty[place] else "number"
            for place, name in enumerate(names)
        }
        for what, found in self._read.items():
            self._notes.append(
                f"{what} in {count(len(found), 'column')}: {listed([names[place] for place in found])}."
            )
        places = {name: place for place, name in enumerate(names)}

        def numbers(columns: Sequence[str]) -> NDArray[np.float64]:
            wanted = [places[column] for column in columns]
            self._refuse_text(wanted, names)
            return values if wanted == list(range(len(names))) else values[:, wanted]

        return Table(
            self._path.stem, str(self._path), kinds, numbers,
            lambda _: (_as_classes(self._classes, commas=self._delimiter == ";"), None),
            row=lambda row: f"line {self._lines[row]:,}", content=file_state(self._path), notes=self._notes,
        )  # fmt: skip

    def _name_columns(self, rows: Any) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
        """The names of the columns, and the rows with the lines they end in; the notes say what was decided."""
        numbered = ((rows.line_num, row) for row in rows if row)
        first = next(numbered, (0, [""]))
        n_sampled = max(2, min(_SAMPLE, _SAMPLE_CELLS // len(first[1])))
        sampled = list(islice(numbered, n_sampled))
        cells = [cell.strip() for cell in first[1]]
        known = self._options.known.columns
        if self._options.header is not None:
            header, plain = self._options.header, True
        elif known is not None and set(known) <= set(cells):
            header, plain = True, True
        else:
            header, plain = has_header(cells, [row for _, row in sampled])
        if known is not None and all(re.fullmatch(r"column \d+", column) for column in known):
            plain, cells = True, [""] * len(cells)  # the model knows them by their places
        if header and not plain:
            self._notes.append("the first line is taken as the names of the columns. If it is data, add --no-header.")
        elif not header and not plain:
            self._notes.append(
                "the first line is taken as data, being like those below: the columns are called 'column 0', "
                "'column 1' and so on. If it names them, add --header."
            )
        names = [cell if header and cell else f"column {i}" for i, cell in enumerate(cells)]
        return names, chain(sampled if header else [first, *sampled], numbered)

    def _read_values(
        self, lines: Iterator[tuple[int, list[str]]], n_columns: int, label: int | None
    ) -> NDArray[np.float64]:
        """All cells as numbers, shape (n, n_columns), NaN where they are none."""
        values = array("d")
        for line, row in lines:
            if len(row) != n_columns:
                way = "Mend the line."
                if not self._lines and len(row) == n_columns + 1:
                    way += " Where R wrote the table, write it with col.names=NA: the names of its rows lack a name."
                found = f"{len(row):,} values in place of {n_columns:,}"
                raise DatasetError(f"{self._path}, line {line:,}: {found}. {way}")
            self._lines.append(line)
            if label is not None:
                self._classes.append(sys.intern(row[label]))
                row[label] = "nan"
            for place in self._settled:
                row[place] = "nan"
            if self._delimiter == ";":
                for place, cell in enumerate(row):
                    if cell.rstrip()[-4:-3] == ".":
                        self._pointed[place].append(len(self._lines) - 1)
            try:
                values.extend(list(map(float, row)))
            except ValueError:
                values.extend([self._number(place, cell) for place, cell in enumerate(row)])
        return np.frombuffer(values).reshape(-1, n_columns) if values else np.empty((0, n_columns))

    def _number(self, place: int, cell: str) -> float:
        """The number that a cell stands for; one that stands for none is noted."""
        try:
            return float(cell)
        except ValueError:
            cell = cell.strip()
        if cell.lower() in _MISSING:
            return np.nan
        row = len(self._lines) - 1
        rows, cells = self._texts.setdefault(place, ([], []))
        rows.append(row)
        cells.append(sys.intern(cell))
        if len(cells) == _SAMPLE and _kind_below(cells) == "text" and len(cells) > row // 2:
            self._settled.append(place)
        return np.nan

    def _kind(self, place: int, values: NDArray[np.float64]) -> Kind:
        """What a column holds that has cells that are no plain numbers; those that can be read are."""
        rows, cells = self._texts[place]
        if place in self._settled:
            return "text"
        numbers = values[~np.isnan(values[:, place]), place]
        found = set(cells)
        if not len(numbers) and all(cell.lower() in _BOOLEANS for cell in found):
            values[rows, place] = [_BOOLEANS[cell.lower()] for cell in cells]
            self._read["booleans are read as 1 and 0"].append(place)
            return "number"
        is_comma = [bool(_COMMA.fullmatch(cell) or _THOUSANDS.fullmatch(cell)) for cell in cells]
        commas, others = (np.flatnonzero(np.array(is_comma) == kind) for kind in (True, False))
        pointed = np.array(self._pointed.get(place, ()), np.int64)
        pointed = pointed[~np.isnan(values[pointed, place])]
        whole = values[:, place].copy()  # a point beside decimal commas stands between thousands, where any does
        if any("." in cells[i] for i in commas) or (whole[pointed] == np.round(whole[pointed])).all():
            whole[pointed] = np.where(np.abs(whole[pointed]) < 1, whole[pointed], np.round(1000 * whole[pointed]))
        rest = whole[~np.isnan(whole)]
        if self._delimiter == ";" and len(commas) > len(others) and (rest == np.round(rest)).all():
            values[:, place] = whole
            values[[rows[i] for i in commas], place] = [float(_with_point(cells[i])) for i in commas]
            self._read["commas are read as decimal points"].append(place)
            if len(others):
                self._wrong[place] = rows[others[0]], cells[others[0]]
            return "number"
        if not len(others) and len(commas) > len(numbers):
            return "comma"
        if len(numbers) >= len(cells):
            self._wrong[place] = rows[0], cells[0]  # of a column of numbers, some cells are none
            return "number"
        return "date" if all(map(_DATE.fullmatch, found)) else "text"

    def _refuse_text(self, places: Sequence[int], names: Sequence[str]) -> None:
        """Refuse columns of numbers with cells that are none, naming the first."""
        wrong = min(((*self._wrong[place], place) for place in places if place in self._wrong), default=None)
        if wrong is None:
            return
        row, cell, place = wrong
        line = self._lines[row]
        way = "If the first line names the columns, add --header." if line == 1 else (
            "Fill it in, leave the row out, or name the column with --label."
        )  # fmt: skip
        raise DatasetError(
            f"{self._path}, line {line:,}, column {names[place]!r}: {cell!r:.60} in place of a number. {way}"
        )


def _as_classes(cells: list[str], *, commas: bool = False) -> NDArray[Any]:
    """The cells of a column of labels: numbers where all are whole, or of many kinds; None where there is nothing."""
    found = {cell: cell.strip() for cell in set(cells)}
    texts = {text for text in found.values() if text.lower() not in _MISSING}
    if commas and len(texts) > MANY_NUMBERS and any("," in text for text in texts):
        kinds = (_COMMA, _THOUSANDS, re.compile(r"[+-]?\d{1,15}"))
        if all(any(kind.fullmatch(text) for kind in kinds) for text in texts):
            found = {cell: text if text.lower() in _MISSING else _with_point(text) for cell, text in found.items()}
            texts = {text for text in found.values() if text.lower() not in _MISSING}
    # Codes such as 01234 or 1.10 are names: as numbers some would be the same.
    numbers = all(is_number(text) and not re.match(r"[+-]?0\d", text) for text in texts)
    as_class: Any = str
    if numbers and all(map(_WHOLE.fullmatch, texts)):
        as_class = float if any("." in text for text in texts) else int
    elif numbers and len(set(map(float, texts))) == len(texts) > MANY_NUMBERS:
        as_class = float
    elif texts and all(map(_DATE.fullmatch, texts)):
        with suppress(ValueError):  # of another order than year, month and day: names
            dates = {text: datetime.fromisoformat(_YEAR_FIRST.sub(_as_iso, text)) for text in texts}
            as_class = dates.__getitem__
    missing = _MISSING - {"none", "?"} if as_class is str else _MISSING  # which may be names
    classes = {cell: None if text.lower() in missing else as_class(text) for cell, text in found.items()}
    return np.array([classes[cell] for cell in cells], object)


def _with_point(cell: str) -> str:
    """A number with a decimal comma, maybe with points between thousands, as computers write it."""
    return cell.replace(".", "").replace(",", ".")


def _as_iso(date: re.Match[str]) -> str:
    """A day of which the year comes first, however it is written."""
    return "{}-{:0>2}-{:0>2}".format(*date.groups())


def is_number(cell: str) -> bool:
    """Whether text stands for a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
