"""Hooks into training, for progress bars, logs, and whatever a user wants to watch."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from latentmap.training.history import EpochRecord


@dataclass(frozen=True)
class TrainingPlan:
    """What training is about to do.

    Parameters
    ----------
    model : str
        The architecture's name.
    epochs : int
        Passes over the training part.
    batch_size : int
        Samples per step.
    learning_rate : float
        The highest of the schedule.
    n_train, n_validation : int
        Samples learned from, and kept to judge epochs by.
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    n_train: int
    n_validation: int


class Callback:
    """Base class of callbacks: override the hooks you need, and pass an instance in ``Autoencoder(callbacks=[...])``.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> class Losses(Callback):
    ...     def __init__(self):
    ...         self.losses = []
    ...     def on_epoch_end(self, record):
    ...         self.losses.append(record.valid_loss)
    >>> losses = Losses()
    >>> _ = Autoencoder(epochs=3, callbacks=[losses]).fit(load_dataset("digits").train.images)
    >>> len(losses.losses)
    3
    """

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Called once before the first epoch."""

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Called after every epoch, with its losses."""

    def on_train_end(self) -> None:
        """Called once after the last epoch, also when training ends with an error."""


class PrintEpochs(Callback):
    """Writes one line an epoch to standard error: what ``verbose=1`` does."""

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Write the epoch's line."""
        valid = "" if record.valid_loss is None else f"  valid {record.valid_loss:.5f}"
        sys.stderr.write(f"epoch {record.epoch:3d}  train {record.train_loss:.5f}{valid}  {record.seconds:6.1f} s\n")
