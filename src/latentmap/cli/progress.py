"""Progress of training, and of the stages of a report or sweep."""

from __future__ import annotations

from latentmap.cli.bar import Bar, note
from latentmap.errors import count
from latentmap.training import OBJECTIVES, Callback, EpochRecord, TrainingPlan


class TrainingBar(Callback):
    """A bar of steps with epoch, losses, and the time left; in the end a line of what was reached, if that is all."""

    def __init__(self, name: str | None = None, *, ends_with_a_line: bool = True) -> None:
        self._name = name
        self._ends_with_a_line = ends_with_a_line

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Show an empty bar."""
        self._plan = plan
        self._records: list[EpochRecord] = []
        self._start: list[EpochRecord] = []
        self._bar = Bar(self._name or plan.model, plan.epochs_done / plan.epochs)
        self._bar.update(None, f"epoch {min(plan.epochs_done + 1, plan.epochs)}/{plan.epochs}")

    def on_start(self, record: EpochRecord) -> None:
        """Keep what was reached before the first epoch, which may be kept in the end."""
        self._start = [record]

    def on_step_end(self, step: int, n_steps: int) -> None:
        """Move on."""
        self._bar.update(step / n_steps)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Say what the epoch came to."""
        self._records.append(record)
        epochs = self._plan.epochs
        words = [f"epoch {min(record.epoch + 1, epochs)}/{epochs}", f"train {record.train_loss:.4g}"]
        if record.valid_loss is not None:
            words.append(f"validation {record.valid_loss:.4g}")
        self._bar.update(record.epoch / epochs, "  ".join(words))

    def on_train_end(self) -> None:
        """Say what was reached, unless training was broken off."""
        if not self._ends_with_a_line or not self._records or self._records[-1].epoch < self._plan.epochs:
            return
        last = self._records[-1]
        # Of a run that was resumed the epochs before are not known here, nor whether one of them was the best.
        best = last if self._plan.epochs_done else min(self._start + self._records, key=lambda record: record.loss)
        note(f"{self._name or self._plan.model}: {reached(self._plan.objective, best, last)}")


def reached(objective: str, best: EpochRecord, last: EpochRecord) -> str:
    """Words for what training came to: the loss of the best epoch, and what it took."""
    part = "training" if best.valid_loss is None else "validation"
    what = "loss" if OBJECTIVES[objective].loss_is_error else f"objective ({objective})"  # which may be below 0
    return f"{part} {what} {best.loss:.4g} after {count(last.epoch, 'epoch')} in {last.seconds:.0f} s"


_STAGES = {
    "evaluate": "measuring the models on the test split",
    "tsne": "projecting the longest codes with t-SNE",
    "figures": "drawing the figures",
    "page": "writing the page",
}


def show_stage(name: str) -> None:
    """Say which stage of a report or sweep begins; training has its own bars."""
    Bar(_STAGES.get(name) or f"preparing {name.removeprefix('fit_').replace('_', ' ')}")
