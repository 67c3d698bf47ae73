"""Codes of a source of any size: cut into parts, each written as a Parquet file once it is encoded.

A part is read by the readers of `load_dataset` and encoded by `Autoencoder.transform`, so its codes are those of one
machine. Which parts are done says the folder that they are written to; what is missing is done by whoever is free.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentmap.checks import how_refined
from latentmap.data.cache import file_state
from latentmap.data.codes import as_utf8, code_names
from latentmap.data.folder import digest_of, read_folder
from latentmap.data.loading import find_files, read_files
from latentmap.data.parquet_and_hub import Shard, opened, pyarrow, read_parquet
from latentmap.data.source import ReadOptions, Samples, explained
from latentmap.data.storage import Storage, absolute
from latentmap.errors import DatasetError, LatentmapError, OutputError
from latentmap.models.fitted import FEW

if TYPE_CHECKING:
    from latentmap.data.folder import Found
    from latentmap.estimator import Autoencoder

_FORMAT = 1
_FACTS = "_encoding.json"
_UNREADABLE = "_unreadable.parquet"
_OURS = re.compile(r"\.?(_encoding\.json|_unreadable\.parquet|part-\d+\.parquet)(\.\w+\.part)?")
_MOST_UNREADABLE = 0.1
_IMAGES_LOOKED_AT, _FILES_LOOKED_AT = 2048, 3
_PART_ROWS = 2**17  # of a part, unless a row group has more
_PART_IMAGES = 2**13  # files of their own
_BATCH = 2**13  # rows encoded at once: a multiple of what the network takes, as one machine does
_KEY = b"latentmap"
_THREADS = 16  # that ask a file system at a time


@dataclass(frozen=True)
class Part:
    """Some rows of a source."""

    number: int
    folder: Path | Storage
    images: Sequence[Found] = ()
    shard: Shard | None = None
    groups: range = range(0)  # of the shard
    start: int = 0  # the first of its rows in the shard
    n: int = 0  # rows

    @property
    def name(self) -> str:
        """The file that its codes are written to."""
        return f"part-{self.number:05}.parquet"

    def read(self, options: ReadOptions) -> Samples:
        """Its samples."""
        if self.shard is None:
            return read_folder(self.folder, self.images, [], options, in_part=True)
        return read_parquet(self.folder, options, [self.shard], self.groups)

    def names_of(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """The files that some rows of it come from, as they are called below the source."""
        if self.shard is None:
            return [as_utf8(self.images[row][0].as_posix()) for row in rows]
        folder = self.folder if isinstance(self.folder, Path) else self.folder.path
        path = PurePath(self.shard if isinstance(self.shard, Path) else self.shard.path)
        name = path.relative_to(folder) if PurePath(folder) in path.parents else PurePath(path.name)
        return [as_utf8(name.as_posix())] * len(rows)


def find_parts(source: str) -> tuple[list[Part], str]:
    """The parts of images or Parquet files (an address, a pattern, a folder or a file); what changes when they do."""
    folder, images, shards, _ = find_files(source)
    if images:
        cut = [images[i : i + _PART_IMAGES] for i in range(0, len(images), _PART_IMAGES)]
        return [Part(number, folder, images=some, n=len(some)) for number, some in enumerate(cut)], digest_of(images)
    parts: list[Part] = []
    digest = hashlib.blake2b(digest_size=16)
    with ThreadPoolExecutor(_THREADS) as pool:
        counts = list(pool.map(_group_sizes, shards))
    for shard, sizes in zip(shards, counts, strict=True):
        digest.update(file_state(shard).encode())
        ends = np.cumsum([0, *sizes])
        for groups in _cut(sizes):
            start, stop = int(ends[groups.start]), int(ends[groups.stop])
            parts.append(Part(len(parts), folder, shard=shard, groups=groups, start=start, n=stop - start))
    if not parts:
        raise DatasetError(f"{source} has no rows.")
    return parts, digest.hexdigest()


def _pixels(parts: Sequence[Part], options: ReadOptions) -> tuple[float, float]:
    """Which pixels are black and white, by a few images or files: of each part alone it might differ."""
    images = [one for part in parts for one in part.images]
    shards = list(dict.fromkeys(part.shard for part in parts if part.shard is not None))
    some = [images[i] for i in _spread(len(images), _IMAGES_LOOKED_AT)]
    few = [shards[i] for i in _spread(len(shards), _FILES_LOOKED_AT)]
    try:
        return read_files(parts[0].folder, some, few, [], options).pixels
    except DatasetError:  # of damaged ones their parts will say more
        return options.known.pixel_range


def _spread(n: int, most: int) -> list[int]:
    """So many numbers below n at most, evenly spaced."""
    return sorted(set(np.linspace(0, n - 1, most).astype(int).tolist())) if n else []


def _group_sizes(shard: Shard) -> list[int]:
    """How many rows each row group of a file has."""
    metadata = opened(shard).metadata
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def _cut(sizes: Sequence[int]) -> Iterator[range]:
    """Row groups of a file that make up a part."""
    first = n = 0
    for group, size in enumerate(sizes):
        if n and n + size > _PART_ROWS:
            yield range(first, group)
            first, n = group, 0
        n += size
    if n:
        yield range(first, len(sizes))


# ---- one part ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a part."""

    n: int  # its rows
    n_unreadable: int
    fault: str = ""  # why it could not be encoded at all


def encode_part(part: Part, autoencoder: Autoencoder, options: ReadOptions, output: Storage) -> Outcome:
    """Encode the samples of a part and write their codes, a file that is there whole or not at all."""
    where = f"{part.folder if part.shard is None else part.shard}, part {part.number}"
    try:
        with explained(where):  # whatever a library raises at damaged data
            table, unreadable = _codes(part, autoencoder, part.read(options))
            file = io.BytesIO()
            table = table.replace_schema_metadata({_KEY: json.dumps(unreadable).encode()})
            pyarrow("parquet").write_table(table, file)
            output.write(part.name, file.getvalue())
    except LatentmapError as error:  # the others go on
        return Outcome(part.n, 0, str(error))
    return Outcome(part.n, len(unreadable))


def _codes(part: Part, autoencoder: Autoencoder, samples: Samples) -> tuple[Any, list[tuple[str, int, str]]]:
    """A table of keys and codes, and the rows that cannot be read, with the reasons."""
    info = samples.info
    found: dict[int, str] = {}
    tables = []
    classes = None if info.class_names is None else np.array(list(map(as_utf8, info.class_names)))
    # Rows that lack a number are left out where the model was fitted so: names are the numbers of the others.
    kept = np.arange(part.n) if part.shard is None or info.names is None else np.array(info.names, np.int64)
    found |= dict.fromkeys(np.setdiff1d(np.arange(part.n), kept).tolist(), "a number is missing")
    measured = "value" if info.reading.label in (None, "file", "row") else info.reading.label

    def table(there: NDArray[np.int64], Z: NDArray[np.float32]) -> Any:
        known: dict[str, Any] = {"file": np.array(part.names_of(there), str)}
        labels = None if info.labels is None else info.labels[there]
        if part.shard is not None:
            known["row"] = part.start + kept[there]
        if part.shard is not None and info.reading.label is not None:  # of images in files, folders say the class
            if info.reading.measured:
                known[measured] = np.full(len(there), np.nan) if labels is None else labels
            else:
                known["class"] = np.full(len(there), "") if classes is None or labels is None else classes[labels]
        return pyarrow().table({**known, **dict(zip(code_names(Z.shape[1]), Z.T, strict=True))})

    for there, X in _batches(samples, info.n, found):
        few = max(FEW - len(X), 0)  # codes are those of one machine, which encodes more at once
        tables.append(table(there, autoencoder.transform(np.concatenate([X, X[-1:].repeat(few, axis=0)]))[: len(X)]))
    if not tables:
        tables = [table(np.empty(0, np.int64), np.empty((0, autoencoder.latent_dim_), np.float32))]
    rows = sorted(found)
    unread = [(name, part.start + row, found[row]) for name, row in zip(part.names_of(rows), rows, strict=True)]
    return pyarrow().concat_tables(tables), unread


def _batches(
    samples: Samples, n_rows: int, unreadable: dict[int, str]
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Samples in batches of one size, but for the last; rows that cannot be read go to `unreadable`."""
    held: list[tuple[NDArray[np.int64], NDArray[Any]]] = []
    n = 0
    for there, X, others in samples.read(np.arange(n_rows)):
        unreadable.update({row: samples.unreadable.get(row, why) for row, why in others.items()})
        held.append((there, X))
        n += len(there)
        while n >= _BATCH:
            place, batch = (np.concatenate(some) for some in zip(*held, strict=True))
            yield place[:_BATCH], batch[:_BATCH]
            held, n = [(place[_BATCH:], batch[_BATCH:])], n - _BATCH
    if n:
        place, batch = (np.concatenate(some) for some in zip(*held, strict=True))
        yield place, batch


# ---- all parts ---------------------------------------------------------------------------------------------------

Run = Callable[[Callable[[Part], Outcome], Iterable[Part]], Iterable[Outcome]]
"""Maps what encodes a part over parts, in any order and wherever that may be done."""


def encode_parts(
    autoencoder: Autoencoder,
    options: ReadOptions,
    source: str,
    output: str,
    *,
    run: Run = map,
    force: bool = False,  # begin again where codes of another model or source are
    on_part: Callable[[int, int, int], None] = lambda *_: None,  # rows done, all rows, rows that cannot be read
) -> tuple[int, int]:
    """Write those codes of a source that a folder lacks; how many rows there are, and how many are unreadable."""
    parts, state = find_parts(absolute(source))
    n = sum(part.n for part in parts)
    place = Storage(absolute(output))
    with tempfile.TemporaryDirectory() as folder:
        autoencoder.save(Path(folder) / "model")
        weights = (Path(folder) / "model" / "model.safetensors").read_bytes()
    facts = {
        "format_version": _FORMAT,
        "model": hashlib.blake2b(weights, digest_size=16).hexdigest(),
        **how_refined(autoencoder.refine, autoencoder._fitted.twicing_gain),
        "source": state,
        "rows": n,
        "parts": len(parts),
    }
    there = _begin(place, facts, output, force=force)
    missing = [part for part in parts if part.name not in there]
    n_done = n - sum(part.n for part in missing)
    n_unreadable = 0
    on_part(n_done, n, n_unreadable)
    options = replace(options, skip_bad=True, budget=2**63)
    options = replace(options, pixels=_pixels(parts, options)) if missing else options
    encode = partial(encode_part, autoencoder=autoencoder, options=options, output=place)
    faults = []
    for outcome in run(encode, missing):
        n_done, n_unreadable = n_done + outcome.n, n_unreadable + outcome.n_unreadable
        on_part(n_done, n, n_unreadable)
        faults += [outcome.fault] if outcome.fault else []
    if faults:
        raise DatasetError(f"{len(faults)} of {len(parts)} parts of {source} cannot be encoded: {faults[0]}")
    return n, _finish(place, parts)


def check_unreadable(n: int, n_unreadable: int, output: str, *, skip_bad: bool) -> str | None:
    """Refuse too many unreadable rows; what to say of a few."""
    if not n_unreadable:
        return None
    said = f"{n_unreadable:,} of {n:,} rows cannot be read: {output.rstrip('/')}/{_UNREADABLE} names them."
    if n_unreadable == n or (n_unreadable > _MOST_UNREADABLE * n and not skip_bad):
        way = "" if n_unreadable == n else " The codes of the others are written; to leave it at that, add --skip-bad."
        raise DatasetError(f"{said}{way}")
    return said


def _begin(place: Storage, facts: Mapping[str, Any], output: str, *, force: bool) -> set[str]:
    """The files of the parts that are done; what is there of another model or source is refused, or removed."""
    names = {str(path) for path, _ in place.files(hidden=True)}
    known = place.read(_FACTS) if _FACTS in names else None
    try:
        former = None if known is None else json.loads(known)
    except ValueError:
        former = {}  # damaged
    if former is not None and not isinstance(former, dict):
        former = {}
    if former == facts:
        return {name for name in names if name.startswith("part-")}
    ours = [name for name in names if _OURS.fullmatch(name)]
    if len(ours) < len(names) or (names and former is None):
        raise OutputError(f"{output} holds other files than codes. Choose another name, or an empty folder.")
    if former is not None and former.get("format_version") != _FORMAT:
        raise OutputError(f"{output}/{_FACTS} is not of this version's folders of codes. Choose another name.")
    if names and not force:
        raise OutputError(
            f"{output} holds codes made otherwise: by another model, of other data, or refined by another number of "
            "steps. Choose another name, or add --force to replace them."
        )
    for name in sorted(ours, reverse=True):  # the facts, which tell whose the others are, last
        place.remove(name)
    place.write(_FACTS, json.dumps(facts).encode())
    return set()


def _finish(place: Storage, parts: Sequence[Part]) -> int:
    """Write down which rows could not be read, as the parts say; how many there are."""

    def of_part(part: Part) -> list[tuple[str, int, str]]:
        with place.open(part.name) as file:
            schema = pyarrow("parquet").read_schema(file)
        return [tuple(one) for one in json.loads((schema.metadata or {}).get(_KEY, b"[]"))]

    with ThreadPoolExecutor(_THREADS) as pool:
        rows = [one for some in pool.map(of_part, parts) for one in some]
    place.remove(_UNREADABLE)
    for path, _ in place.files(hidden=True):
        if path.suffix == ".part" and _OURS.fullmatch(str(path)):  # what a worker that was killed left
            place.remove(str(path))
    if rows:
        files, numbers, reasons = zip(*rows, strict=True)
        file = io.BytesIO()
        pyarrow("parquet").write_table(
            pyarrow().table({"file": files, "row": numbers, "why": list(map(as_utf8, reasons))}), file
        )
        place.write(_UNREADABLE, file.getvalue())
    return len(rows)
