"""The exceptions Latentmap raises for faults of the world around it.

::

    LatentmapError
    ├── DatasetError      data that is missing, damaged or not what it claims to be
    ├── ModelFileError    a model folder that cannot be written, or read back as it was written
    ├── CheckpointError   a checkpoint that cannot be continued from
    ├── TrainingError     training that cannot go on (the loss diverged, say)
    ├── OutputError       a result that cannot be written where it was asked for
    └── MissingExtraError an optional dependency that is not installed

A wrong parameter is a plain ``ValueError`` or ``TypeError``, as everywhere in Python. Every message is one line
that says what is wrong and what to do about it. What belongs here: exception classes, and how a message spells what
is not ours.
"""

from __future__ import annotations

import unicodedata
from typing import Self


def spelled(text: str) -> str:
    r"""A text of somebody else's on one line: controls and the bytes of names that are not UTF-8 as in ``\xff``."""

    def shown(char: str) -> str:
        if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8, as the operating system's names have them
            return f"\\x{ord(char) - 0xDC00:02x}"
        # What a terminal takes for an order, or for the direction of what follows; scripts need the two joiners.
        hidden = unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\u200c\u200d"
        return ascii(char)[1:-1] if hidden else char

    text = " ".join(text.split())
    return text if text.isascii() and text.isprintable() else "".join(map(shown, text))


class LatentmapError(Exception):
    """Base class of every error about the world rather than about a parameter."""


class DatasetError(LatentmapError):
    """Data is missing, damaged, or not what its name or labels claim."""


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
        """Say what needs a package, and the two ways to install the extra that brings it.

        Parameters
        ----------
        what : str
            What was asked for.
        package : str
            What it needs.
        extra : str
            The extra of Latentmap that installs it.

        Returns
        -------
        MissingExtraError
            To be raised.
        """
        return cls(
            f"{what} needs {package}. Install it with: pip install 'latentmap[{extra}]', or in a checkout of the "
            f"repository: pip install '.[{extra}]'."
        )
