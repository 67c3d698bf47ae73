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
        self._last: EpochRecord | None = None
        self._bar = Bar(self._name or plan.model, plan.epochs_done / plan.epochs)
        self._bar.update(None, f"epoch {min(plan.epochs_done + 1, plan.epochs)}/{plan.epochs}")

    def on_step_end(self, step: int, n_steps: int) -> None:
        """Move on."""
        self._bar.update(step / n_steps)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Say what the epoch came to."""
        self._last = record
        epochs = self._plan.epochs
        words = [f"epoch {min(record.epoch + 1, epochs)}/{epochs}", f"train {record.train_loss:.4g}"]
        if record.valid_loss is not None:
            words.append(f"validation {record.valid_loss:.4g}")
        self._bar.update(record.epoch / epochs, "  ".join(words))

    def on_train_end(self) -> None:
        """Say what the last epoch came to, unless training was broken off; which one is kept is not known here."""
        last = self._last
        if self._ends_with_a_line and last is not None and last.epoch >= self._plan.epochs:
            loss = _loss(self._plan.objective, last)
            note(f"{self._name or self._plan.model}: {_took(last)}, {loss} in the last")


def reached(objective: str, best: EpochRecord, last: EpochRecord) -> str:
    """Words for what training came to: the loss of the best epoch, and what it took."""
    start = "" if best.epoch else ", that of its start, which is PCA: no epoch was better by more than noise"
    return f"{_loss(objective, best)} after {_took(last)}{start}"


def _loss(objective: str, record: EpochRecord) -> str:
    """The loss that epochs are compared by, in words."""
    part = "training" if record.valid_loss is None else "validation"
    what = "loss" if OBJECTIVES[objective].loss_is_error else f"objective ({objective})"  # which may be below 0
    return f"{part} {what} {record.loss:.4g}"


def _took(last: EpochRecord) -> str:
    """What training took, in words."""
    return f"{count(last.epoch, 'epoch')} in {last.seconds:.0f} s"


_STAGES = {
    "evaluate": "measuring the models on the test split",
    "tsne": "projecting the longest codes with t-SNE",
    "figures": "drawing the figures",
    "page": "writing the page",
}


def show_stage(name: str) -> None:
    """Say which stage of a report or sweep begins; training has its own bars."""
    Bar(_STAGES.get(name) or f"preparing {name.removeprefix('fit_').replace('_', ' ')}")
