"""The one bar that says what goes on, and the lines beside it. Imports nothing heavy, so that it is there at once.

On a terminal the bar goes when it is done, and only lines stay. Elsewhere a line is written every ten seconds, then
ever more rarely.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from latentmap.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress

_FIRST, _SLOWEST = 10.0, 80.0  # seconds before and between lines where there is no terminal
_shown: Bar | None = None
_silent = False


class Bar:
    """Something that goes on, and how far it is; shown from now on in place of what went on before."""

    def __init__(self, what: str, share: float | None = None, *, elsewhere: bool = True) -> None:
        global _shown  # noqa: PLW0603  # a terminal has one last line
        clear()
        _shown = self
        self.what, self.detail = printable(what), ""
        self._start = time.perf_counter()
        self._stopped = threading.Event()
        self._progress = None if _silent else _progress(self.what, share)
        if self._progress is not None:
            self._progress.start()
        elif elsewhere and not _silent:
            threading.Thread(target=self._write_now_and_then, daemon=True).start()

    def update(self, share: float | None, detail: str | None = None) -> None:
        """Say how far it is, from 0 to 1, and what else there is to say."""
        self.detail = self.detail if detail is None else detail
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=share, detail=self.detail)

    def close(self) -> None:
        """Leave no trace."""
        global _shown  # noqa: PLW0603
        if _shown is self:
            _shown = None
        self._stopped.set()
        if self._progress is not None:
            self._progress.stop()

    def line(self) -> str:
        """The bar as a line of text."""
        seconds = f"{time.perf_counter() - self._start:.0f} s"
        return f"{self.what}: {', '.join(filter(None, [self.detail, seconds]))}"

    def _write_now_and_then(self) -> None:
        """Write a line every ten seconds, then ever more rarely."""
        pause = _FIRST
        while not self._stopped.wait(pause):
            note(self.line())
            pause = min(1.5 * pause, _SLOWEST)


class DataBar:
    """A bar of bytes downloaded, or of samples decoded into the cache, in the form that pooch takes."""

    total: int = 0
    kind: str = "downloading"

    def __init__(self, reading: str) -> None:
        self._reading = f"reading {reading}"
        Bar(self._reading)
        self._bar: Bar | None = None
        self._done = 0

    def update(self, n: int) -> None:
        """Move on by so many; the first call shows the bar."""
        if self._bar is None:
            self._bar = Bar(self.kind, 0.0)
        self._done += n
        done, total = self._done, max(self.total, 1)
        mib = f"{done / 2**20:,.1f} of {total / 2**20:,.1f} MiB"
        self._bar.update(done / total, mib if self.kind == "downloading" else f"{done:,} of {total:,}")

    def reset(self) -> None:
        """Start again from nothing: pooch calls it at the end, before it fills the bar."""
        self._done = 0

    def close(self) -> None:
        """Go back to reading."""
        self._done = 0
        if self._bar is not None:
            Bar(self._reading)
            self._bar = None


def _progress(what: str, share: float | None) -> Progress | None:
    """A bar for the terminal; None where standard error is none, or one that cannot draw."""
    from rich.console import Console

    console = Console(stderr=True)
    if not (sys.stderr.isatty() and console.is_interactive):
        return None
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    left = TimeElapsedColumn() if share is None else TimeRemainingColumn(compact=True)
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[detail]}", markup=False),
        left,
        console=console,
        transient=True,
        refresh_per_second=5,
        redirect_stdout=False,  # results may be piped, and the bar would take them along; `answer` makes room
    )
    task = progress.add_task(what, total=None if share is None else 1.0, detail="")
    progress.update(task, completed=share)
    return progress


def starting() -> None:
    """Show on a terminal that libraries are loaded."""
    Bar("starting", elsewhere=False)


def be_silent() -> None:
    """From now on show no bars, notes or answers: another process speaks for this one."""
    global _silent  # noqa: PLW0603  # a process is silent as a whole
    _silent = True


def clear() -> None:
    """Show nothing any more."""
    if _shown is not None:
        _shown.close()


def note(text: str) -> None:
    """Write one line to standard error, above the bar if there is one."""
    line = f"latentmap: {printable(text)}"
    if _silent:
        return
    if _shown is not None and _shown._progress is not None:
        _shown._progress.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
    else:
        sys.stderr.write(f"{line}\n")


def answer(text: object) -> None:
    """Write a command's result to standard output; nothing goes on any more."""
    clear()
    if not _silent:
        typer.echo(text)


def answer_table(heads: Sequence[str], rows: Iterable[Sequence[float | str | None]]) -> None:
    """Write rows as aligned columns; into a file or pipe without colours, and however wide they are."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, justify="right" if table.columns else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console = Console(width=None if sys.stdout.isatty() else 1000, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    answer("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _cell(value: float | str | None) -> str:
    """A value as tables show it."""
    return "-" if value is None else printable(value) if isinstance(value, str) else f"{value:.4g}"
