"""Progress on the terminal: bars of training and of downloads, silent where standard error is not a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from latentmap.training import Callback, EpochRecord, TrainingPlan


def _console() -> Console:
    """The console that progress goes to: standard error, so that results can be piped."""
    return Console(stderr=True)


class TrainingBar(Callback):
    """A bar with epoch, training and validation loss, and the time left."""

    def __init__(self) -> None:
        console = _console()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[losses]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Show an empty bar."""
        self._progress.start()
        self._task = self._progress.add_task(
            f"{plan.model:>8}", total=plan.epochs, completed=plan.epochs_done, losses=""
        )

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Move on by one epoch."""
        losses = f"train {record.train_loss:.5f}"
        if record.valid_loss is not None:
            losses += f" valid {record.valid_loss:.5f}"
        self._progress.update(self._task, advance=1, losses=losses)

    def on_train_end(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()


_STAGES = {
    "evaluate": "measuring the models on the test split",
    "tsne": "projecting the longest codes with t-SNE",
    "figures": "drawing the figures",
}


def show_stage(name: str) -> None:
    """Say which stage of a report begins; fitting has its own bars."""
    console = _console()
    if console.is_terminal and name in _STAGES:
        console.print(f"  {_STAGES[name]}", style="dim")


class DataBar:
    """A bar of bytes downloaded, or of samples decoded into the cache, in the form that pooch takes."""

    total: int = 0
    kind: str = "downloading"

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def update(self, n: int) -> None:
        """Move on by so many; the first call shows the bar."""
        if self._progress is None:
            console = _console()
            counted = [TextColumn("{task.completed:,.0f} of {task.total:,.0f}"), TimeRemainingColumn(compact=True)]
            columns = [DownloadColumn(), TransferSpeedColumn()] if self.kind == "downloading" else counted
            self._progress = Progress(
                TextColumn(self.kind), BarColumn(), *columns, console=console, disable=not console.is_terminal
            )
            self._progress.start()
            self._task = self._progress.add_task("", total=self.total)
        self._progress.update(self._task, advance=n)

    def reset(self) -> None:
        """Start again from nothing: pooch calls it at the end, before it fills the bar."""
        if self._progress is not None:
            self._progress.reset(self._task, total=self.total)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
