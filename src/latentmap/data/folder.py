"""Folders of image files: which files count, which folders are classes, and which are splits."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np

from latentmap.data.images import SUFFIXES
from latentmap.data.readers import EncodedImages, Known
from latentmap.data.reading import Wishes
from latentmap.errors import DatasetError

_SPLITS = ("train", "test")


def read_folder(folder: Path, wishes: Wishes) -> EncodedImages:
    """Return the reader of a folder of images.

    Nested folders are classes where every image lies exactly one level down; folders ``train`` and ``test``, where
    both are there, are the splits.

    Parameters
    ----------
    folder : Path
        Searched all the way down; hidden files and folders are passed over.
    wishes : Wishes
        What the user asked for.

    Raises
    ------
    DatasetError
        If there is no image, or the folder cannot be looked into.
    """
    files, n_others = find_images(folder)
    notes = [f"{n_others:,} files that are no images are passed over."] if n_others else []
    is_test = None
    inside = files
    tops = {file.parts[0] for file in files if len(file.parts) > 1}
    if tops >= set(_SPLITS):
        kept = [file for file in files if file.parts[0] in _SPLITS]
        if len(kept) < len(files):
            notes.append(f"{len(files) - len(kept):,} images outside of train/ and test/ are passed over.")
        files, inside = kept, [Path(*file.parts[1:]) for file in kept]
        is_test = np.array([file.parts[0] == "test" for file in files])
    if not files:
        raise DatasetError(
            f"{folder} holds no images ({', '.join(SUFFIXES)}), hidden files aside. Name the folder that does."
        )
    depths = {len(file.parts) for file in inside}
    found = [file.parts[0] for file in inside] if depths == {2} else []
    classes = tuple(sorted(set(found), key=natural_order))
    if len(classes) < 2:  # one class tells nothing
        classes = ()
        if len(depths) > 1:
            notes.append("images lie at different depths, so that folders are not taken for classes.")
    labels = np.array([classes.index(name) for name in found], np.int64) if classes else None
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        stat = (folder / file).stat()
        digest.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    known = Known(
        name=folder.resolve().name or "images",
        n=len(files),
        labels=labels,
        class_names=classes or None,
        is_test=is_test,
        names=[file.as_posix() for file in files],
        in_class_order=True,
        notes=notes,
    )
    return EncodedImages(known, lambda row: folder / files[row], wishes, digest.hexdigest())


def find_images(folder: Path) -> tuple[list[Path], int]:
    """Return the image files of a folder, relative to it and in natural order, and the number of other files.

    Raises
    ------
    DatasetError
        If it, or a folder in it, cannot be looked into.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}. Check its permissions.") from error

    files: list[Path] = []
    endings: Counter[bool] = Counter()
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            is_image = Path(name).suffix.lower() in SUFFIXES
            endings[is_image] += 1
            if is_image:
                files.append(Path(parent, name).relative_to(folder))
    return sorted(files, key=lambda file: [natural_order(part) for part in file.parts]), endings[False]


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts names as people do: 2 before 10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part] or [
        (True, 0, name)
    ]
