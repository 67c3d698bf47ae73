"""One call of fit: batches, callbacks, interrupts and checkpoints put around the loop.

What belongs here: the order in which the parts meet. What is learned is the business of the caller, how it is learned
that of ``loop``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentmap.data.cache import FileRegion
from latentmap.data.preprocessing import Preprocessing
from latentmap.models import AutoencoderModule
from latentmap.training.augmentation import AUGMENTATIONS
from latentmap.training.batches import Batches, BatchesBase
from latentmap.training.callbacks import Callback
from latentmap.training.checkpoints import Checkpoints
from latentmap.training.device import threads
from latentmap.training.history import EpochRecord
from latentmap.training.interrupts import deferred_interrupts
from latentmap.training.loop import TrainingResult, train
from latentmap.training.objectives.base import Objective
from latentmap.training.plan import TrainingPlan
from latentmap.training.streamed import StreamedBatches

# Moved images are a little blurred by interpolation; the last epochs see them as they are.
_AUGMENTED = 0.8


@dataclass(frozen=True, eq=False)
class Material:
    """What is learned from.

    Parameters
    ----------
    samples : Tensor, shape (n, *sample_shape), or FileRegion
        What `Preprocessing.hold` returns, or where it lies in a file.
    preprocessing : Preprocessing
        Turns rows of it into network input.
    seed : int
        Decides the split and the orders.
    validation_fraction : float
        The part kept to judge epochs by.
    """

    samples: Tensor | FileRegion
    preprocessing: Preprocessing
    seed: int
    validation_fraction: float


def learn(
    module: AutoencoderModule,
    material: Material,
    objective: Objective,
    plan: TrainingPlan,
    *,
    device: torch.device,
    callbacks: Sequence[Callback] = (),
    untrained: bool = True,
    optimizer_state: dict[str, Tensor] | None = None,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
) -> tuple[TrainingResult, TrainingPlan]:
    """Train a module in place and leave it on the CPU, in evaluation mode.

    Parameters
    ----------
    module : AutoencoderModule
        Trained in place.
    material : Material
        The samples and how to take them.
    objective : Objective
        What is to be made small.
    plan : TrainingPlan
        Epochs, learning rate and so on; how many samples make which part is filled in.
    device : torch.device
        Where to train.
    callbacks : sequence of Callback
        Told of beginning, steps, epochs and end.
    untrained : bool, default True
        Whether the module may begin by drawing the mean sample.
    optimizer_state : dict, optional
        Where to go on from, of an earlier result.
    checkpoints : Checkpoints, optional
        Where to keep the run; Ctrl-C then saves before it stops.
    resume : bool, default False
        Whether to go on from the checkpoint, where there is one.

    Returns
    -------
    TrainingResult
        As `train` gives it.
    TrainingPlan
        As it was carried out.

    Raises
    ------
    TrainingInterrupted
        If Ctrl-C came while there was a checkpoint to keep.
    ValueError
        If a batch holds too few samples for the architecture.
    CheckpointError, OutputError
        If the checkpoint cannot be gone on from, or not written.
    """
    snapshot = checkpoints.load() if checkpoints is not None and resume else None
    module.to(device)
    batches = _batches(material, plan, device)
    if untrained:
        module.start_from(batches.mean())
    objective.to(device).begin(module, batches)
    plan = replace(
        plan,
        n_train=batches.n_train,
        n_validation=batches.n_validation,
        epochs_done=0 if snapshot is None else len(snapshot.fact("history", list)),
    )
    for callback in callbacks:
        callback.on_train_begin(plan)

    def on_step(step: int, n_steps: int) -> None:
        for callback in callbacks:
            callback.on_step_end(step, n_steps)

    def on_epoch(record: EpochRecord) -> None:
        for callback in callbacks:
            callback.on_epoch_end(record)

    try:
        # Without a checkpoint there is nothing to save, and Ctrl-C stops at once as everywhere.
        noted = deferred_interrupts() if checkpoints is not None else contextlib.nullcontext(_never)
        with noted as stop_wanted, threads(1 if module.recipe.one_thread else None):
            result = train(
                module,
                batches,
                objective,
                plan,
                on_step=on_step,
                on_epoch=on_epoch,
                optimizer_state=optimizer_state,
                checkpoints=checkpoints,
                snapshot=snapshot,
                stop_wanted=stop_wanted,
            )
    except ValueError as error:
        if "more than 1 value per channel" in str(error):  # PyTorch's words for a batch of one
            raise ValueError(
                f"batch_size must be at least 2 for model={plan.model!r}, whose batch norm compares samples, got "
                f"batches of one of {plan.n_train} samples. Use larger batches or pieces."
            ) from error
        raise
    finally:
        module.to("cpu").eval()
        for callback in callbacks:
            callback.on_train_end()
    return result, plan


def _batches(material: Material, plan: TrainingPlan, device: torch.device) -> BatchesBase:
    """The batches that a plan asks for, of samples in memory or in a file."""
    how = {
        "batch_size": plan.batch_size,
        "seed": material.seed,
        "validation_fraction": material.validation_fraction,
        "device": device,
        "augmentation": AUGMENTATIONS[plan.augmentation],
        "augmented_epochs": round(_AUGMENTED * plan.epochs),
    }
    if isinstance(material.samples, FileRegion):
        return StreamedBatches(material.samples, material.preprocessing, **how)  # type: ignore[arg-type]
    return Batches(material.samples, material.preprocessing, **how)  # type: ignore[arg-type]


def _never() -> bool:
    """No stop is wanted."""
    return False
