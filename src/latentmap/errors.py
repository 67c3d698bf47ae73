"""The exceptions Latentmap raises for faults of the world around it.

A wrong parameter is a plain ``ValueError`` or ``TypeError``, as everywhere in Python. Every message is one line
that says what is wrong and what to do about it, in characters that `printable` leaves.
"""

import re
import sys
import warnings
from typing import Self

_BETWEEN = {"latentmap", "sklearn", "joblib", "torch", "contextlib"}  # where calls of the user's pass through


def printable(text: str) -> str:
    r"""A text on one line, as anything can show it: ``\xff`` for a byte that is not UTF-8, ``\x1b`` for escape."""

    def shown(match: re.Match[str]) -> str:
        char = match[0]
        if "\udc80" <= char <= "\udcff":  # how Python holds such a byte of a file's name
            return f"\\x{ord(char) - 0xDC00:02x}"
        return char if char.isprintable() or char in "\u200c\u200d" else ascii(char)[1:-1]  # those join letters

    return re.sub(r"[^ -~]", shown, " ".join(text.split()))


def words_of(error: BaseException, most: int = 200) -> str:
    """What an error says, or the beginning of it, in one line; its name where it says nothing."""
    return " ".join(str(error).split())[:most].rstrip(".") or type(error).__name__


def count(n: int, what: str) -> str:
    """How many there are of something: "1 image", "1,234 images", "20 classes"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}es" if what.endswith("s") else f"{n:,} {what}s"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as from the line outside that led here, however many calls lie between."""
    frame, level = sys._getframe(1), 2  # as its documentation has it, there is no other way
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class LatentmapError(Exception):
    """Base class of every error about the world rather than about a parameter; its message is made `printable`.

    Examples
    --------
    >>> from latentmap import LatentmapError, load_dataset
    >>> try:
    ...     load_dataset("no/such/folder")
    ... except LatentmapError as error:
    ...     print(type(error).__name__)
    DatasetError
    """

    def __init__(self, *args: object) -> None:
        # Here, since any file may hold a name with a newline, and any message may quote it.
        super().__init__(*(printable(one) if isinstance(one, str) else one for one in args))


class DatasetError(LatentmapError):
    """Data is missing, damaged, or not what its name or labels claim."""


class LayerError(LatentmapError):
    """A network has layers that only PyTorch knows."""


class ModelFileError(LatentmapError):
    """A model folder cannot be written, or cannot be read back as it was written."""


class CheckpointError(LatentmapError):
    """A checkpoint cannot be continued from."""


class TrainingError(LatentmapError):
    """Training cannot go on."""


class OutputError(LatentmapError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(LatentmapError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, what: str, package: str, extra: str) -> Self:
        """Say what needs a package, and the two ways to install the extra of Latentmap that brings it."""
        return cls(
            f"{what} needs {package}. Install it with: pip install 'latentmap[{extra}]', or in a checkout of the "
            f"repository: pip install '.[{extra}]'."
        )
