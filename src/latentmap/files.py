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
        recover_folder(target)
        if target.exists() and not (target.is_dir() and (is_ours(target) or not any(target.iterdir()))):
            raise OutputError(f"{path} exists and was not written by latentmap. Choose another name or remove it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            temporary = Path(scratch) / target.name
            temporary.mkdir()
            yield temporary
            _swap(temporary, target)


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
