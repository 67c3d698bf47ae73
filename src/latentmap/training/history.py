"""What is remembered of training: one record an epoch, plain enough for a list of dicts, a table or a JSON line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of training.

    Parameters
    ----------
    epoch : int
        Its number, from 1.
    train_loss : float
        The objective, averaged over the epoch's samples while they were learned from.
    valid_loss : float or None
        The objective on the validation part after the epoch; None where there is none.
    learning_rate : float
        At the epoch's last step.
    seconds : float
        From the start of training to the end of the epoch.
    """

    epoch: int
    train_loss: float
    valid_loss: float | None
    learning_rate: float
    seconds: float

    @property
    def loss(self) -> float:
        """What epochs are compared by: the validation loss, or the training loss where there is none."""
        return self.train_loss if self.valid_loss is None else self.valid_loss

    def as_dict(self) -> dict[str, Any]:
        """Return the record as a row of a table."""
        return asdict(self)
