"""Folders of image files: which files count, which folders are classes, and which are splits."""

import hashlib
import itertools
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np

from latentmap.data.images import SUFFIXES, UnreadableImageError, read_encoded
from latentmap.data.source import ReadOptions, Samples
from latentmap.data.storage import Storage, StoredFile
from latentmap.errors import DatasetError, count, printable

_TRAINS = ("train", "training")
_TESTS = ("test", "testing", "val", "valid", "validation")  # folders that may stand beside them

_LOOKED_AT = 2048  # images of object storage, evenly spaced: to look at each would be to fetch all

Found = tuple[PurePath, os.stat_result | StoredFile | str]
"""The path of an image file below its folder, and its state, or why it cannot be opened."""


def read_folder(
    folder: Path | Storage, images: Sequence[Found], notes: list[str], options: ReadOptions, *, in_part: bool = False
) -> Samples:
    """Return a folder's images, as `walk` found them: folders are classes, or the splits train and test.

    Of a part of its images folders say nothing.
    """
    is_test = None
    inside = [path.parts if not in_part else ("",) for path, _ in images]
    tops = {parts[0].lower(): parts[0] for parts in inside if len(parts) > 1}
    train, test = (next((tops[name] for name in names if name in tops), None) for names in (_TRAINS, _TESTS))
    if train is not None and test is not None:
        kept = [i for i, parts in enumerate(inside) if len(parts) > 1 and parts[0] in (train, test)]
        if len(kept) < len(images):
            notes.append(f"{len(images) - len(kept):,} images outside of {train}/ and {test}/ are passed over.")
        if test.lower() != "test":
            notes.append(f"the images in {test}/ are the test split.")
        is_test = np.array([inside[i][0] == test for i in kept])
        images, inside = [images[i] for i in kept], [inside[i][1:] for i in kept]
    if not images:
        raise DatasetError(
            f"{folder} holds no images ({', '.join(SUFFIXES)}), hidden files aside. Name the folder that does."
        )
    good = [i for i, (_, state) in enumerate(images) if not isinstance(state, str)]  # a stray link changes no classes
    found, told = _classes([inside[i][:-1] for i in good]) if good else ([], [])
    classes = tuple(sorted(set(found), key=natural_order))
    labels = None
    if len(classes) > 1:  # one class tells nothing
        number = {name: i for i, name in enumerate(classes)}
        labels = np.zeros(len(images), np.int64)
        labels[good] = [number[name] for name in found]

    def fetch(row: int) -> Path | StoredFile:
        path, state = images[row]
        if isinstance(state, str):
            raise UnreadableImageError(state)
        return state if isinstance(folder, Storage) else folder / path  # type: ignore[return-value]  # then it is one

    looked_at = None
    if isinstance(folder, Storage) and len(images) > _LOOKED_AT:
        looked_at = np.linspace(0, len(images) - 1, _LOOKED_AT).astype(np.int64)
    return read_encoded(
        (folder.name if isinstance(folder, Storage) else folder.resolve().name) or "images",
        len(images),
        fetch,
        options,
        classes=(None, None) if labels is None else (labels, classes),
        is_test=is_test,
        names=[path.as_posix() for path, _ in images],
        looked_at=looked_at,
        content=digest_of(images),
        notes=[*notes, *told],
    )


def digest_of(images: Sequence[Found]) -> str:
    """What changes when one of the images does."""
    digest = hashlib.blake2b(digest_size=16)
    for path, state in images:
        words = f"{state.st_size}\0{state.st_mtime_ns}" if isinstance(state, os.stat_result) else state
        words = state.state if isinstance(state, StoredFile) else words
        digest.update(f"{path}\0{words}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _classes(folders: list[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """The class of each image by the folders it lies in, none where they tell nothing, and what to say of it."""
    pairs = zip(min(folders), max(folders), strict=False)
    shared = [name for name, other in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]
    below = [parts[len(shared) :] for parts in folders]
    depths = {len(parts) for parts in below}
    if 0 in depths:
        mixed = "images lie at different depths, some in no folder, so that folders are not taken for classes."
        return [], [mixed] if len(depths) > 1 else []
    if len(depths) > 1:
        return [parts[0] for parts in below], [
            "images lie at different depths: the outermost folders are the classes."
        ]
    if depths == {1}:
        return [parts[0] for parts in below], [
            f"the folders in {printable('/'.join(shared))} are the classes."
        ] if shared else []
    distinct = set(below)
    if len({parts[-1] for parts in distinct}) == len(distinct):
        return [parts[-1] for parts in below], ["images lie in folders of folders: the innermost are the classes."]
    example = printable("/".join(below[0]))
    told = f"images lie in folders of folders: the innermost are the classes, called by their paths ({example})."
    return ["/".join(parts) for parts in below], [told]


def walk(folder: Path) -> tuple[list[Found], list[Path], list[str]]:
    """Return a folder's image files in natural order, its Parquet files in order, and what to say of the others.

    It is gone through all the way down. Hidden files and folders are passed over; links are followed, but not back to
    where they come from.
    """
    shards: list[Path] = []
    files: list[Found] = []
    loops: list[str] = []
    n_others = 0
    todo: list[tuple[Path, tuple[tuple[int, int], ...]]] = [(Path(), ())]  # each with the folders that it lies in
    while todo:
        path, above = todo.pop()
        is_image = path.suffix.lower() in SUFFIXES
        try:
            state = (folder / path).stat()
        except OSError as error:
            is_gone = isinstance(error, FileNotFoundError)
            files += [(path, "a link to what is not there" if is_gone else str(error.strerror))] if is_image else []
            n_others += not is_image
            continue
        if not stat.S_ISDIR(state.st_mode):
            is_file = stat.S_ISREG(state.st_mode)  # a pipe would be waited for without end, and a device has no end
            files += [(path, state if is_file else "no regular file")] if is_image else []
            # What begins with _ describes others, as in Spark's and our own folders of Parquet files.
            shards += [path] if is_file and path.suffix == ".parquet" and path.name[0] != "_" else []
            n_others += not is_image
            continue
        here = (state.st_dev, state.st_ino)
        if here in above:
            loops.append(path.as_posix())
            continue
        try:
            names = [entry.name for entry in (folder / path).iterdir()]
        except OSError as error:
            raise DatasetError(f"{folder / path} cannot be read: {error.strerror}. Check its permissions.") from error
        names = sorted((name for name in names if not name.startswith(".")), key=natural_order, reverse=True)
        todo += [(path / name, (*above, here)) for name in names]
    notes = [f"{count(n_others, 'file')} passed over: no images."] if n_others else []
    if loops:
        notes.append(
            f"links back to a folder that they lie in are not followed: {', '.join(map(printable, loops[:3]))}."
        )
    return files, [folder / path for path in sorted(shards)], notes


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a key that sorts names as people do: 2 before 10."""
    parts = [part for part in re.split(r"(\d+)", name.lower()) if part]
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts], name
