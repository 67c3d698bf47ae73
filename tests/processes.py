"""Commands in this process, and processes forked from one that has loaded the package: to load it takes seconds."""

import contextlib
import io
import multiprocessing
import os
import warnings
from pathlib import Path

import pytest

START = "forkserver"
"""Nothing of the tests' own process, its threads and locks say, is in these."""

CONTEXT = multiprocessing.get_context(START)
CONTEXT.set_forkserver_preload(["latentmap.estimator", "pytest"])


def command(folder, *words):
    """Run a command in this process and in a folder: its status, and what it wrote."""
    from latentmap.cli import main  # not at the top: some look at what is imported in a process

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
        warnings.catch_warnings(), pytest.raises(SystemExit) as end,
    ):  # fmt: skip
        main([str(word) for word in words])
    return end.value.code, out.getvalue(), err.getvalue()


class Process:
    """A function at work in a process and in a folder; what it writes is kept beside the folder."""

    def __init__(self, folder, work, *given):
        self._written = [Path(f"{folder}.{name}") for name in ("out", "err")]
        self._process = CONTEXT.Process(target=_work, args=(folder, self._written, work, given))
        self._process.start()
        self.kill, self.is_alive = self._process.kill, self._process.is_alive

    def end(self):
        """Its status, minus the signal where it was killed, and what it wrote."""
        self._process.join(300)
        return self._process.exitcode, *(path.read_text() for path in self._written)


def _work(folder, written, work, given):
    os.chdir(folder)
    for stream, path in enumerate(written, 1):
        with path.open("w") as file:
            os.dup2(file.fileno(), stream)
    work(*given)
