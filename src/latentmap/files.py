"""Writing so that nothing is lost or half-written, and reading what others are writing.

A new file or folder is made in a hidden folder beside the target, `.NAME.latentmap-XXXX`, and put in place at once.
An output has one writer at a time: a lock beside it, `.NAME.latentmap-lock`, which the operating system frees when its
process ends, however it ends. So whoever holds the lock and finds a hidden folder knows that its writer was killed.
Missing parent folders are made, and of a symbolic link what it points at is replaced. What cannot be written is an
`OutputError`.
"""

import contextlib
import ctypes
import errno
import fnmatch
import hashlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from latentmap.errors import OutputError

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

_PATIENCE = 10.0  # seconds to wait for another writer: a model is saved in less, a run takes longer
_TRIES = 100  # to read a folder that is being replaced again and again
# In the hidden folder: what is to take the target's place, what stood there, and the same when nobody needs it.
_NEW, _OLD, _GONE = "new", "old", "gone"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no room: errors of writing, whatever was written
_mine = threading.local()  # the outputs this thread holds the lock of


@contextmanager
def new_file(path: str | os.PathLike[str], *, replace: bool = True) -> Iterator[Path]:
    """Give a path to write to, of the same suffix, which becomes `path` when the block ends without an error.

    What is there by then is replaced, or else refused.
    """
    with _scratch(path) as (scratch, target):
        with _explained(path):
            if target.exists() and not target.is_file():
                number = errno.EISDIR if target.is_dir() else errno.EINVAL  # a device, a pipe
                raise OSError(number, os.strerror(number))
        temporary = scratch / target.name
        yield temporary
        with _explained(path):
            flush(temporary)
            if not replace and target.exists():
                raise OutputError(f"{path} is there by now. Add --force to replace it, or choose another name.")
            temporary.replace(target)


@contextmanager
def new_folder(path: str | os.PathLike[str], is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a folder to fill, which becomes `path` in the end; what is there is replaced if it is empty or all ours."""
    with _scratch(path) as (scratch, target):
        with _explained(path):
            _check_ours(path, target, is_ours)
            temporary = scratch / _NEW
            temporary.mkdir()
        yield temporary
        with _explained(path):
            _check_ours(path, target, is_ours)  # much may have been put there during hours of training
            _put(temporary, target)


def check_folder(path: str | os.PathLike[str], is_ours: Callable[[Path], bool]) -> None:
    """Refuse a folder that `new_folder` would refuse, before hours of work go into what is to be written there."""
    with _explained(path):
        target = _target(path)
        parent = next(parent for parent in target.parents if parent.exists())
        writable = parent.is_dir() and os.access(parent, os.W_OK)
        if writable and parent == target.parent:
            with writing(path, wait=0):
                pass
        _check_ours(path, target, is_ours)
    if not writable:
        raise OutputError(f"{path} cannot be written: {parent} is no folder that can be written to.")


@contextmanager
def writing(path: str | os.PathLike[str], *, wait: float = _PATIENCE) -> Iterator[Path]:
    """Keep other writers of an output away, and give where it lies; what killed ones left is removed first.

    One thread may nest it.
    """
    with _explained(path):
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
    mine: set[Path] = _mine.__dict__.setdefault("outputs", set())
    if target in mine:
        yield target
        return
    lock = _beside(target, "lock")
    with _explained(path):
        descriptor = _acquire(lock, path, wait)
    mine.add(target)
    try:
        if descriptor is not None:
            with _explained(path):
                for left in _left(target):
                    _discard(left, target)
        yield target
    finally:
        mine.discard(target)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                lock.unlink()  # while it is held: see _acquire
            os.close(descriptor)


def read_folder(path: str | os.PathLike[str], read: Callable[[Path], T]) -> T:
    """Return what a function reads from a folder, all of it from one state: again if it was replaced meanwhile.

    Nothing is written, so that folders can be read where nobody may write. Where there is none, `read` is to say so.
    """
    wanted = Path(path)
    for _ in range(_TRIES):
        folder = _standing(wanted)
        if folder is None:
            break
        try:
            # As long as it is open no other folder gets its number. A named pipe would be waited for.
            descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:  # between the look and the opening it was moved
            continue
        except OSError:
            break
        try:
            found = read(folder)
        except Exception:
            if _is_at(descriptor, folder):
                raise
        else:
            if _is_at(descriptor, folder):
                return found
        finally:
            os.close(descriptor)
    return read(wanted)


def holds_only(folder: Path, patterns: Sequence[str]) -> bool:
    """Tell whether a folder holds, at any depth, only such files (``figures/*.png``); no link, but what a Mac adds."""
    folders = {str(parent) for pattern in patterns for parent in PurePosixPath(pattern).parents}
    for entry in folder.rglob("*"):
        name = entry.relative_to(folder).as_posix()
        wanted = () if entry.is_symlink() else folders if entry.is_dir() else patterns if entry.is_file() else ()
        is_wanted = any(fnmatch.fnmatchcase(name, one) and name.count("/") == one.count("/") for one in wanted)
        if not is_wanted and not (wanted is patterns and entry.name == ".DS_Store"):
            return False
    return True


def unfinished_of(path: str | os.PathLike[str]) -> Path:
    """Where what an interrupted run kept of an output waits for it to be gone on with."""
    return Path(path).with_name(f"{Path(path).name}.unfinished")


def flush(path: Path) -> None:
    """Have the operating system write a file out, so that a power cut cannot leave its name without its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


# ---- names ---------------------------------------------------------------------------------------------------------


def _target(path: str | os.PathLike[str]) -> Path:
    """Where an output lies: behind symbolic links, which stay."""
    target = Path(os.path.realpath(path))
    if not target.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _beside(target: Path, what: str) -> Path:
    """A hidden name beside the target, of a length that file systems take, which nobody else gives."""
    name = target.name
    if len(os.fsencode(name)) > 150:
        name = f"{name[:30]}-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}"
    return target.with_name(f".{name}.latentmap-{what}")


def _left(target: Path) -> list[Path]:
    """The hidden folders beside the target, of its writer or left by killed ones: by name, and by what they hold."""
    ours = re.compile(re.escape(_beside(target, "").name) + "[a-z0-9_]{8}")  # as tempfile draws names
    contents = {_NEW, _OLD, _GONE, target.name}
    try:
        with os.scandir(target.parent) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if ours.fullmatch(entry.name)
                and entry.is_dir(follow_symlinks=False)
                and {path.name for path in Path(entry.path).iterdir()} <= contents
            ]
    except OSError:
        return []


# ---- one writer at a time ------------------------------------------------------------------------------------------


def _acquire(lock: Path, path: str | os.PathLike[str], wait: float) -> int | None:
    """Take the lock of an output: the open file that holds it, or None where there are no locks."""
    if sys.platform == "win32":
        return None
    end = time.monotonic() + wait
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, 0o666)  # a colleague's lock, left when his process was killed, can be taken
        held = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its former holder removes the file before the lock: what was waited for may be a file no longer there.
            held = _is_at(descriptor, lock)
            if held:
                return descriptor
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise OutputError(
                    f"another run is writing {path}. Wait for it to end, or choose another name."
                ) from error
            time.sleep(0.01)
        except OSError:  # a file system that knows no locks
            lock.unlink(missing_ok=True)
            return None
        finally:
            if not held:
                os.close(descriptor)


@contextmanager
def _scratch(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path]]:
    """A hidden folder beside an output, and where the output lies; nobody else writes it meanwhile."""
    with writing(path) as target:
        with _explained(path):
            scratch = Path(tempfile.mkdtemp(prefix=_beside(target, "").name, dir=target.parent))
        try:
            yield scratch, target
        except OSError as error:
            if _is_of_writing(error, scratch):
                raise _unwritten(path, error) from error
            raise
        finally:
            _discard(scratch, target)


def _discard(scratch: Path, target: Path) -> None:
    """Remove a hidden folder; what stood at the target and has not been replaced is put back first."""
    old = scratch / _OLD
    if old.exists():
        # Moved in any case before anything in it goes: who reads it sees that it is there no longer.
        old.rename(scratch / _GONE if target.exists() else target)
    shutil.rmtree(scratch, ignore_errors=True)


# ---- taking the target's place -------------------------------------------------------------------------------------


def _check_ours(path: str | os.PathLike[str], target: Path, is_ours: Callable[[Path], bool]) -> None:
    """Refuse to replace what we did not write."""
    if target.exists() and not (target.is_dir() and (not any(target.iterdir()) or is_ours(target))):
        raise OutputError(f"{path} exists and holds something else than is to be written there. Choose another name.")


def _put(new: Path, target: Path) -> None:
    """Put a folder in the target's place; what stood there goes to the hidden folder.

    No rename replaces a folder that is not empty. Linux and macOS swap two folders in one step, so that whoever looks
    sees the old or the new one. Network and other file systems that cannot do that take two renames: readers look
    where the old folder waits in between (`_standing`), and the next writer puts it back if this one is killed there.
    """
    if not target.exists():
        new.rename(target)
    elif not _swap(new, target):
        target.rename(new.with_name(_OLD))
        new.rename(target)


def _swap(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where this cannot be done."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        names = os.fsencode(one), os.fsencode(other)
        if sys.platform == "darwin":
            failed = library.renamex_np(*names, 2)  # RENAME_SWAP
        else:
            failed = library.renameat2(-100, names[0], -100, names[1], 2)  # AT_FDCWD, RENAME_EXCHANGE
    except (OSError, TypeError, AttributeError):
        return False
    return not failed


def _standing(folder: Path) -> Path | None:
    """Where a folder is to be read: at its name, or where the old one waits between two renames; None if nowhere."""
    for _ in range(3):  # once it has been looked for in both places it may have come back to the first
        if os.path.exists(folder):  # noqa: PTH110  # which is quiet about names that are too long
            return folder
        target = Path(os.path.realpath(folder))
        waiting = [left / _OLD for left in (_left(target) if target.name else []) if (left / _OLD).is_dir()]
        if waiting:
            return waiting[0]
    return None


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether a path is that of an open file or folder."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


# ---- words ---------------------------------------------------------------------------------------------------------


def _is_of_writing(error: OSError, scratch: Path) -> bool:
    """Whether an error came of writing to the hidden folder, rather than of training or reading meanwhile."""
    names = [
        os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes, os.PathLike))
    ]
    return any(Path(name).is_relative_to(scratch) for name in names) or (not names and error.errno in _FULL)


def _unwritten(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The operating system's error as one line with the path in it."""
    return OutputError(f"{os.fspath(path)} cannot be written: {error.strerror or error}.")


@contextmanager
def _explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's errors into one line with the path in it."""
    try:
        yield
    except OSError as error:
        raise _unwritten(path, error) from error
