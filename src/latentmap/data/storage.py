"""Files of object storage and shared file systems, by their addresses: ``s3://bucket/photos``, ``gs://bucket/*.parquet``.

pyarrow's file systems do the work; credentials and endpoints come from the environment, as its documentation says.
"""

import fnmatch
import io
import os
import re
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote

from latentmap.data.source import explained
from latentmap.errors import DatasetError, MissingExtraError, OutputError

_ADDRESS = re.compile(r"(s3|gs|gcs|abfs|abfss|hdfs|file)://", re.IGNORECASE)
_PATTERN = re.compile(r"[*[]|\?(?!\w+=)")  # ?region=... asks something of the file system


def absolute(path: str) -> str:
    """A path or pattern from the root, as another process finds it, its links as they are; an address as it is."""
    return path if is_address(path) else os.path.abspath(path)  # noqa: PTH100  # `resolve` would follow links


def is_address(source: object) -> bool:
    """Whether a source is the address of a file system's file or folder."""
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def is_pattern(source: object) -> bool:
    """Whether a path or address stands for all files that match it."""
    return isinstance(source, str) and _PATTERN.search(source) is not None and not os.path.lexists(source)


@dataclass(frozen=True)
class StoredFile:
    """A file of a file system: what readers need of a `Path`."""

    filesystem: Any = field(compare=False)
    path: str  # as the file system names it
    size: int  # bytes
    changed: int  # nanoseconds since 1970

    def __str__(self) -> str:
        return self.path

    @property
    def state(self) -> str:
        """What changes when the file does."""
        return f"{self.path}\0{self.size}\0{self.changed}"

    def open(self, _mode: str = "rb") -> BinaryIO:
        """The whole file, to be read from memory: one request, where seeking would make many."""
        with explained(self.path), self.filesystem.open_input_stream(self.path) as file:
            return io.BytesIO(file.read())

    def seekable(self) -> Any:
        """Opened to be read here and there, as Parquet is."""
        return self.filesystem.open_input_file(self.path)


@dataclass(frozen=True)
class Storage:
    """A folder of a file system."""

    address: str  # as the user wrote it; a path is one of this machine

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """What people call it."""
        return PurePosixPath(self.address.rstrip("/")).stem

    @property
    def filesystem(self) -> Any:
        """Pyarrow's."""
        return self._found[0]

    @property
    def path(self) -> str:
        """What the file system calls it."""
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[Any, str]:
        """The file system, and its path of this folder."""
        try:
            from pyarrow import fs
        except ImportError as error:
            raise MissingExtraError.of("object storage", "pyarrow", "parquet") from error
        with explained(self.address):
            if not is_address(self.address):
                return fs.LocalFileSystem(), absolute(self.address)
            address = re.sub(r"^gcs://", "gs://", self.address, flags=re.IGNORECASE)
            if not re.match(r"\w+://[^/]|file:///", address):
                raise DatasetError(f"{self.address} names no bucket. Write it after the two slashes.")
            filesystem, path = fs.FileSystem.from_uri(quote(address.rstrip("/"), safe=":/?&=%@"))
            return filesystem, str(path)

    def files(self, *, hidden: bool = False) -> list[tuple[PurePosixPath, StoredFile]]:
        """All files at and below it, by their paths from here; of a file itself that one."""
        from pyarrow import fs

        filesystem, path = self._found
        with explained(self.address):
            here = filesystem.get_file_info(path)
            if here.type == fs.FileType.File:
                return [(PurePosixPath(here.base_name), _stored(filesystem, here))]
            try:
                infos = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
            except FileNotFoundError:
                infos = []
        found = [
            (PurePosixPath(info.path).relative_to(path), _stored(filesystem, info))
            for info in infos
            if info.type == fs.FileType.File
        ]
        return sorted((one for one in found if hidden or not is_hidden(one[0])), key=lambda one: str(one[0]))

    def write(self, name: str, content: bytes) -> None:
        """Write a file of this folder, whole or not at all: object storage does so, elsewhere it is moved there."""
        filesystem, path = self._found
        place = f"{path}/{name}"
        with explained(f"{self.address}/{name}", OutputError):
            if filesystem.type_name in ("s3", "gcs"):
                with filesystem.open_output_stream(place) as file:
                    file.write(content)
                return
            filesystem.create_dir(path, recursive=True)
            temporary = f"{path}/.{name}.{uuid.uuid4().hex}.part"  # another worker may be at the same file
            with filesystem.open_output_stream(temporary) as file:
                file.write(content)
            filesystem.move(temporary, place)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name in this folder."""
        from pyarrow import fs

        filesystem, path = self._found
        with explained(f"{self.address}/{name}"):
            return bool(filesystem.get_file_info(f"{path}/{name}").type == fs.FileType.File)

    def read(self, name: str) -> bytes | None:
        """The content of a file of this folder; None where there is none."""
        if not self.has(name):
            return None
        with (
            explained(f"{self.address}/{name}"),
            self.filesystem.open_input_stream(f"{self.path}/{name}") as file,
        ):
            return bytes(file.read())

    def open(self, name: str) -> Any:
        """A file of this folder, to be read here and there."""
        with explained(f"{self.address}/{name}"):
            return self.filesystem.open_input_file(f"{self.path}/{name}")

    def remove(self, name: str) -> None:
        """Remove a file of this folder, where it is there."""
        if self.has(name):
            with explained(f"{self.address}/{name}", OutputError):
                self.filesystem.delete_file(f"{self.path}/{name}")


def cut(pattern: str) -> tuple[str, str]:
    """The folder that a pattern begins with, and the rest."""
    first = _PATTERN.search(pattern)
    start, slash, _ = pattern[: first.start() if first else None].rpartition("/")
    return start or slash or ".", pattern[len(start + slash) :]


def matching(pattern: str) -> tuple[Storage, list[tuple[PurePosixPath, StoredFile]]]:
    """The folder that a pattern of an address begins with, and the files below it that match."""
    start, rest = cut(pattern)
    folder = Storage(start)
    return folder, [(path, file) for path, file in folder.files() if _matches(path.parts, rest.split("/"))]


def _matches(parts: tuple[str, ...], patterns: list[str]) -> bool:
    """Whether a path matches, ``**`` standing for any number of folders."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches(parts[i:], patterns[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def _stored(filesystem: Any, info: Any) -> StoredFile:
    """A file that was found."""
    return StoredFile(filesystem, info.path, info.size, info.mtime_ns or 0)


def is_hidden(path: PurePath) -> bool:
    """Whether a file is not meant to be read: hidden, or a Parquet file that only describes others."""
    is_about_others = path.suffix in (".parquet", "") and any(part.startswith("_") for part in path.parts)
    return is_about_others or any(part.startswith(".") for part in path.parts)
