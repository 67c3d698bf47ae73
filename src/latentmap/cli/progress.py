"""Progress of training, and of the stages of a report or sweep."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from functools import partial

from latentmap.cli.bar import Bar, note
from latentmap.errors import count
from latentmap.training import OBJECTIVES, Callback, EpochRecord, TrainingPlan


class TrainingBar(Callback):
    """A bar of steps with epoch, losses, and the time left; or one of several that share a bar and end with a line."""

    def __init__(self, name: str | None = None, *, beside: TrainingBars | None = None) -> None:
        self._name, self._beside = name, beside

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Show an empty bar."""
        self._plan, self._before = plan, sys.exception()
        self._last: EpochRecord | None = None
        name, share = self._name or plan.model, plan.epochs_done / plan.epochs
        self._update = Bar(name, share).update if self._beside is None else partial(self._beside.update, name)
        self._update(share, f"epoch {min(plan.epochs_done + 1, plan.epochs)}/{plan.epochs}")

    def on_step_end(self, step: int, n_steps: int) -> None:
        """Move on."""
        self._update(step / n_steps)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Say what the epoch came to."""
        self._last = record
        epochs = self._plan.epochs
        words = [f"epoch {min(record.epoch + 1, epochs)}/{epochs}"]
        if self._beside is None:  # of several there is no room for more
            words.append(f"train {record.train_loss:.4g}")
        if self._beside is None and record.valid_loss is not None:
            words.append(f"validation {record.valid_loss:.4g}")
        self._update(record.epoch / epochs, "  ".join(words))

    def on_train_end(self) -> None:
        """Say what the last epoch came to, unless an error ends training; which one is kept is not known here."""
        if self._beside is None:
            return  # the command says it
        self._update(1.0)
        last = self._last
        if last is not None and sys.exception() is self._before:
            loss = _loss(self._plan.objective, last)
            note(f"{self._name or self._plan.model}: {_took(last)}, {loss} in the last")


class TrainingBars:
    """One bar of several trainings, which may go on side by side."""

    def __init__(self, n: int, *, done: Iterable[str] = ()) -> None:
        self._n, self._lock = n, threading.Lock()
        self._shares: dict[str, float] = dict.fromkeys(done, 1.0)
        self._words: dict[str, str] = {}
        self._bar: Bar | None = None

    def one(self, name: str) -> list[Callback]:
        """What tells the bar of one of them."""
        return [TrainingBar(name, beside=self)]

    def update(self, name: str, share: float, words: str | None = None) -> None:
        """Say how far one is, from 0 to 1, and what epoch it is in."""
        with self._lock:
            self._bar = self._bar or Bar(f"training {count(self._n, 'model')}", 0.0)
            self._shares[name] = share
            self._words[name] = self._words[name] if words is None else words
            told = [f"{of} {self._words[of]}" for of, done in self._shares.items() if done < 1]
            self._bar.update(sum(self._shares.values()) / self._n, "; ".join(told))


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
    "fit": "training the models",
    "evaluate": "measuring the models on the test split",
    "figures": "drawing the figures",
    "page": "writing the page",
}


def show_stage(name: str) -> None:
    """Say which stage of a report or sweep begins; training has its own bars."""
    Bar(_STAGES.get(name) or f"preparing {name.removeprefix('fit_').replace('_', ' ')}")
