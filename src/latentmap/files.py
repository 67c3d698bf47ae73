"""Writing so that nothing is lost or half-written: to a temporary name beside the target, then one rename.

What belongs here: what every writer of files and folders shares. What is written is the business of the caller.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from latentmap.errors import OutputError


@contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes `path` when the block ends without an error.

    Parameters
    ----------
    path : path
        The file wanted; an existing file of that name is replaced. Missing parent folders are made.

    Yields
    ------
    Path
        Of a file that does not exist yet, in the same folder and with the same suffix.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
            temporary = Path(folder) / target.name
            yield temporary
            _flush(temporary)
            temporary.replace(target)


@contextmanager
def new_folder(path: str | os.PathLike[str], is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary folder to fill, which becomes `path` when the block ends without an error.

    Parameters
    ----------
    path : path
        The folder wanted. One that is there already is replaced if it is empty or `is_ours` says that we wrote it.
    is_ours : callable
        Tells whether an existing folder is one of ours, to be replaced.

    Yields
    ------
    Path
        Of an empty folder beside `path`.

    Raises
    ------
    OutputError
        If `path` holds something we did not write, or cannot be written.
    """
    target = Path(path).absolute()
    with _explained(target):
        check_folder(path, is_ours)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            temporary = Path(scratch) / target.name
            temporary.mkdir()
            yield temporary
            _swap(temporary, target)


def check_folder(path: str | os.PathLike[str], is_ours: Callable[[Path], bool]) -> None:
    """Refuse a folder that `new_folder` would refuse, before hours of work go into what is to be written there.

    Parameters
    ----------
    path, is_ours
        As for `new_folder`.

    Raises
    ------
    OutputError
        If `path` holds something we did not write, or its nearest existing parent cannot be written to.
    """
    target = Path(path).absolute()
    recover_folder(target)
    if target.exists() and not (target.is_dir() and (is_ours(target) or not any(target.iterdir()))):
        raise OutputError(f"{path} exists and was not written by latentmap. Choose another name or remove it.")
    parent = next(parent for parent in target.parents if parent.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(f"{path} cannot be written: {parent} is no folder that can be written to.")


def _flush(path: Path) -> None:
    """Have the operating system write a file out, so that a power cut cannot leave its name without its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def recover_folder(target: Path) -> None:
    """Put back a folder that a crash caught between the two renames of a replacement."""
    retired = _retired(target)
    if retired.is_dir() and not target.exists():
        retired.rename(target)


def _swap(new: Path, target: Path) -> None:
    """Put `new` where `target` is; the old folder goes only once the new one stands."""
    retired = _retired(target)
    if target.exists():
        shutil.rmtree(retired, ignore_errors=True)
        target.rename(retired)
    try:
        new.rename(target)
    except OSError:
        recover_folder(target)
        raise
    shutil.rmtree(retired, ignore_errors=True)


def _retired(target: Path) -> Path:
    """Where an old folder waits while the new one takes its place."""
    return target.with_name(f".{target.name}.old")


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn the operating system's errors into one line with the path in it."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}.") from error
