"""Checkpoints: what a run is at one moment, in one file that is replaced whole or not at all.

The file is safetensors, with the settings and the position as JSON in its header: no pickle. Which numbers are in a
snapshot is the loop's business, and what counts as a setting the caller's.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import safetensors
import safetensors.torch
from torch import Tensor

from latentmap.data.storage import Storage, is_address
from latentmap.errors import CheckpointError, OutputError, words_of
from latentmap.files import new_file, writing
from latentmap.training.ranks import Ranks

FORMAT_VERSION = 2
_NAME = "checkpoint.safetensors"
_HEADER = "latentmap"
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything needed to go on from one moment of a run."""

    tensors: Mapping[str, Tensor]  # by names ``part.rest``
    facts: Mapping[str, Any]  # as JSON can hold it

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with ``prefix.``, by the rest of their names."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    def fact(self, name: str, kind: type[T]) -> T:
        """Return a fact, or raise `CheckpointError` by its name where it is missing or of another kind."""
        value = self.facts.get(name)
        if kind is float and isinstance(value, int):
            value = float(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CheckpointError(
                f"the checkpoint does not fit this run: {name!r} must be {kind.__name__}, got {value!r:.60}. "
                "Start over."
            )
        return value


class Checkpoints:
    """The checkpoint of a run, which `settings` tells from others; as a context, it keeps others from the folder.

    Of several processes that learn together, the first one writes, and all read.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any], *, every: float = 30.0) -> None:
        self.folder = folder
        self.path = Path(folder) / _NAME
        self.settings = json.loads(json.dumps(settings))  # as they come back from the file
        self.every, self.writes = every, Ranks.here().is_first
        self._last = time.monotonic()
        self._locked = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Keep other runs from the folder; `OutputError` if one has it, or there is a file we did not write."""
        if not self.writes or is_address(self.folder):  # object storage has no locks
            return self
        with contextlib.ExitStack() as stack:
            stack.enter_context(writing(self.path.parent, wait=0))
            _check_ours(self.path)
            self._locked = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._locked.close()

    @property
    def are_due(self) -> bool:
        """Whether it is time for the next one."""
        return self.writes and time.monotonic() - self._last >= self.every

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint in place of the former one, which stays whole where that fails (`OutputError`)."""
        if not self.writes:
            return
        header = {"format_version": FORMAT_VERSION, "settings": self.settings, "facts": snapshot.facts}
        tensors = {name: value.detach().cpu().contiguous() for name, value in snapshot.tensors.items()}
        content = safetensors.torch.save(tensors, {_HEADER: json.dumps(header)})
        if is_address(self.folder):
            Storage(str(self.folder)).write(_NAME, content)
        else:
            with new_file(self.path) as temporary:
                temporary.write_bytes(content)
        self._last = time.monotonic()

    def load(self) -> Snapshot | None:
        """Read it back, None where there is none; `CheckpointError` if it is damaged or of other settings."""
        found = _find(self.folder)
        if found is None:
            return None
        header, tensors = found
        check_settings(f"{self.folder}/{_NAME}", header["settings"], self.settings)
        return Snapshot(tensors, header["facts"])


def has_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a checkpoint."""
    if is_address(folder):
        return Storage(str(folder)).has(_NAME)
    return (Path(folder) / _NAME).is_file()


def read_settings(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the settings of the checkpoint in a folder; None where there is none."""
    found = _find(folder)
    return None if found is None else dict(found[0]["settings"])


def _find(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Header and tensors of the checkpoint in a folder; None where there is none."""
    try:
        if is_address(folder):
            content = Storage(str(folder)).read(_NAME)
        else:
            content = (Path(folder) / _NAME).read_bytes() if has_checkpoint(folder) else None
    except OSError as error:
        raise CheckpointError(
            f"{folder}/{_NAME} cannot be read ({words_of(error)}). Make it readable, or start over."
        ) from error
    return None if content is None else _read(content, f"{folder}/{_NAME}")


def remove_checkpoint(folder: str | os.PathLike[str]) -> None:
    """Remove what `Checkpoints` wrote to a folder, and the folder where nothing else is in it."""
    if is_address(folder):
        Storage(str(folder)).remove(_NAME)
        return
    path = Path(folder)
    if not path.is_dir():
        return
    with writing(path, wait=0):
        with writing(path / _NAME, wait=0):  # clears away what a killed run was writing
            _check_ours(path / _NAME)
            (path / _NAME).unlink(missing_ok=True)
        if not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def _check_ours(path: Path) -> None:
    """Refuse to write over another program's file of the same name; a damaged one may be ours."""
    if path.is_file():
        with contextlib.suppress(OSError, safetensors.SafetensorError), safetensors.safe_open(path, "pt") as file:
            if _HEADER not in (file.metadata() or {}):
                raise OutputError(
                    f"{path} exists and holds something else than is to be written there. Choose another name."
                )


def check_settings(path: str | Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse settings that are not those wanted, by the name of the first that differs."""
    for name, value in wanted.items():
        if found.get(name) != value:
            raise CheckpointError(
                f"{path} was made with {name}={found.get(name)!r}, not {value!r}. Resume with the same settings and "
                "data, or start over."
            )


def _read(content: bytes, named: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a checkpoint file, which messages call by this name."""
    try:
        tensors = safetensors.torch.load(content)  # which checks what the next line goes by
        header = json.loads(
            json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"][_HEADER]
        )
        if header["format_version"] != FORMAT_VERSION:
            raise CheckpointError(
                f"{named} has format_version {header['format_version']}, this version of latentmap reads "
                f"{FORMAT_VERSION}. Resume with the version that wrote it, or start over."
            )
        if not isinstance(header["settings"], dict) or not isinstance(header["facts"], dict):
            raise TypeError("settings or facts are missing")
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{named} is truncated or damaged ({words_of(error)}). Start over.") from error
    return header, tensors
