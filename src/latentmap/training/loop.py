"""The training loop: the only one. Objectives, batches, optimizer and history are its parts.

It reads top to bottom: for each epoch, for each batch, one step down the objective's gradient; then the validation
loss, and the best weights so far are kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentmap.errors import TrainingError
from latentmap.models import AutoencoderModule
from latentmap.training.batches import Batches
from latentmap.training.history import EpochRecord
from latentmap.training.objectives import Objective
from latentmap.training.optimizer import Muon, linear_decay


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves behind besides the module's weights.

    Parameters
    ----------
    history : tuple of EpochRecord
        One record an epoch.
    best_epoch : int
        The epoch whose weights the module now has, from 1.
    optimizer_state : dict
        To go on from where training stopped.
    """

    history: tuple[EpochRecord, ...]
    best_epoch: int
    optimizer_state: dict[str, Any]


def train(
    module: AutoencoderModule,
    batches: Batches,
    objective: Objective,
    *,
    epochs: int,
    learning_rate: float,
    decay: bool = True,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    optimizer_state: dict[str, Any] | None = None,
) -> TrainingResult:
    """Train a module and leave it with the weights of its best epoch, in evaluation mode.

    Parameters
    ----------
    module : AutoencoderModule
        Trained in place.
    batches : Batches
        The data.
    objective : callable
        An entry of `OBJECTIVES`.
    epochs : int
        Passes over the training part, at least 1.
    learning_rate : float
        The rate of the first step.
    decay : bool, default True
        Whether the rate goes down to zero over the epochs, or stays.
    on_epoch : callable, optional
        Told of each epoch.
    optimizer_state : dict, optional
        Where to go on from.

    Returns
    -------
    TrainingResult

    Raises
    ------
    TrainingError
        If the loss is no longer a finite number.
    """
    optimizer = Muon(module.parameters(), learning_rate)
    if optimizer_state is not None:
        optimizer.load_state_dict(optimizer_state)
    n_steps = epochs * batches.n_batches
    history: list[EpochRecord] = []
    best: tuple[EpochRecord, dict[str, Tensor]] | None = None
    step, start = 0, time.perf_counter()

    for epoch in range(1, epochs + 1):
        module.train()
        losses = []
        for x in batches.epoch(epoch):
            rate = learning_rate * (linear_decay(step, n_steps) if decay else 1.0)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = objective(module, x)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.detach() * len(x))
            step += 1
        train_loss = float(torch.stack(losses).sum()) / len(batches.train_rows)
        valid_loss = validate(module, batches, objective)
        record = EpochRecord(epoch, train_loss, valid_loss, rate, time.perf_counter() - start)
        if not math.isfinite(record.train_loss + record.loss):
            raise TrainingError(
                f"training diverged in epoch {epoch}: the loss is {record.loss}. Lower learning_rate "
                f"(now {learning_rate:g}), for instance to {learning_rate / 3:.1g}."
            )
        history.append(record)
        if best is None or record.loss <= best[0].loss:
            best = record, {name: value.clone() for name, value in module.state_dict().items()}
        if on_epoch is not None:
            on_epoch(record)

    if best is None:
        raise ValueError(f"epochs must be at least 1, got {epochs}.")
    module.load_state_dict(best[1])
    module.eval()
    return TrainingResult(tuple(history), best[0].epoch, optimizer.state_dict())


@torch.no_grad()
def validate(module: AutoencoderModule, batches: Batches, objective: Objective) -> float | None:
    """Return the objective on the validation part, or None where there is none."""
    module.eval()
    n = len(batches.validation_rows)
    return sum(float(objective(module, x)) * len(x) for x in batches.validation()) / n if n else None
