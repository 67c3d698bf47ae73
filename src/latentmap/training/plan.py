"""What training is about to do, what ``"auto"`` means, and what is remembered of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from latentmap.models.base import Recipe
from latentmap.training.runtime import choose_precision

_RECIPE_SAMPLES = 60_000  # what recipes are stated for
_FEWEST_STEPS = 150
_FEWEST_EPOCHS = 2
_SMALLEST_BATCH = 8
_PATIENCE = 1 / 3  # of the epochs
_FEWEST_TO_STOP = 1000  # samples; fewer are learned from in seconds, and what is kept of them is too few to tell by
_LONG_CODE = 8  # numbers


@dataclass(frozen=True)
class TrainingPlan:
    """What training is about to do, with nothing left on "auto".

    Parameters
    ----------
    model : str
        The architecture's name.
    epochs : int
        Passes over the training part, at most.
    batch_size : int
        Samples per step.
    learning_rate : float
        The highest of the schedule.
    n_train, n_validation : int
        Samples learned from, and kept to judge epochs by.
    decay : bool, default True
        Whether the rate goes down to zero over the epochs, or stays.
    patience : int, optional
        Stop after so many epochs without a better one.
    precision : {"float32", "bfloat16"}, default "float32"
        Of the network's arithmetic while it learns; weights are float32 always.
    augmentation : {"none", "affine", "elastic", "crop"}, default "none"
        What is done to images before they are learned from.
    weight_decay : float, default 0
        How fast weights shrink: each step takes ``learning_rate * weight_decay`` of them.
    epochs_done : int, default 0
        Epochs that an interrupted run had behind it.
    norms_settle : float, default 1
        The share of the epochs after which batch norm compares batches no longer, but goes by the means it has kept.
    objective : str, default "reconstruction"
        The name in `OBJECTIVES` of what is made small; ``OBJECTIVES[name].loss_is_error`` says whether that is an
        error.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.training import Callback
    >>> class ShowPlan(Callback):
    ...     def on_train_begin(self, plan):
    ...         print(plan.model, plan.batch_size, plan.n_train)
    >>> X = load_dataset("digits", size=8).limit(100).train.images
    >>> _ = Autoencoder(epochs=1, callbacks=[ShowPlan()]).fit(X)
    dense 12 90
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    n_train: int = 0
    n_validation: int = 0
    decay: bool = True
    patience: int | None = None
    precision: str = "float32"
    augmentation: str = "none"
    weight_decay: float = 0.0
    epochs_done: int = 0
    norms_settle: float = 1.0
    objective: str = "reconstruction"


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

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.training import Callback
    >>> class ShowEpochs(Callback):
    ...     def on_epoch_end(self, record):
    ...         print(record.epoch, record.loss == record.valid_loss)
    >>> X = load_dataset("digits", size=8).limit(100).train.images
    >>> _ = Autoencoder(epochs=2, callbacks=[ShowEpochs()]).fit(X)
    1 True
    2 True
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


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves behind besides the module's weights."""

    plan: TrainingPlan  # as it was carried out
    history: tuple[EpochRecord, ...]  # one an epoch
    best_epoch: int  # whose weights the module has, from 1; 0 if none was better than the start, or none was finished
    optimizer_state: dict[str, Tensor]  # and the objective's: to go on from
    stopped_early: bool  # whether patience ran out before the epochs did
    problem: str | None = None  # why training could not be finished, and what to do
    start: EpochRecord | None = None  # epoch 0, of a network that began as principal component analysis

    @property
    def records(self) -> list[EpochRecord]:
        """The records of all epochs, that of the start first where there is one."""
        return [*([] if self.start is None else [self.start]), *self.history]

    def facts(self, n_before: int = 0) -> dict[str, Any]:
        """Return what a model file records; `n_before` epochs were carried out before."""
        plan = self.plan
        return {
            "n_train": plan.n_train,
            "n_validation": plan.n_validation,
            "epochs": n_before + len(self.history),
            "best_epoch": n_before + self.best_epoch,
            "stopped_early": self.stopped_early,
            "batch_size": plan.batch_size,
            "learning_rate": plan.learning_rate,
            "precision": plan.precision,
            "augmentation": plan.augmentation,
            "weight_decay": plan.weight_decay,
        }


def auto_batch_size(recipe: Recipe, n_samples: int) -> int:
    """Return the recipe's batch size, or an eighth of the samples where that is less: an epoch needs some steps."""
    return min(recipe.batch_size, max(_SMALLEST_BATCH, n_samples // 8))


def auto_epochs(recipe: Recipe, n_samples: int, batch_size: int, *, is_images: bool = True) -> int:
    """Return enough epochs: the steps needed grow with a power of the number of samples, mostly the cube root.

    Fewer samples have less to be learned from them, but not proportionally less; many samples are seen in two
    epochs at the least. The rule was set by digits (1,437 samples) and MNIST (60,000); ``docs/decisions`` has the
    figures.
    """
    exponent = recipe.steps_exponent if is_images or n_samples > _RECIPE_SAMPLES else recipe.few_vectors_exponent
    n_steps: float = max(_FEWEST_STEPS, recipe.n_steps * (n_samples / _RECIPE_SAMPLES) ** exponent)
    return max(_FEWEST_EPOCHS, round(n_steps * batch_size / n_samples))


def resolve(
    parameters: Mapping[str, Any], recipe: Recipe, model: str, n_samples: int, device: torch.device, *,
    latent_dim: int, is_images: bool, can_be_moved: bool = True, loss_is_error: bool = True,
) -> TrainingPlan:  # fmt: skip
    """Return the plan for parameters of `Autoencoder`: what they leave on "auto" is settled by the recipe."""
    names = ("epochs", "batch_size", "learning_rate", "augmentation", "weight_decay")
    chosen = {name: parameters[name] for name in names if parameters[name] != "auto"}
    batch_size = int(chosen.get("batch_size", auto_batch_size(recipe, n_samples)))
    epochs = int(chosen.get("epochs", auto_epochs(recipe, n_samples, batch_size, is_images=is_images)))
    usual = recipe.augmentation if can_be_moved else "none"
    if can_be_moved and latent_dim < _LONG_CODE:
        usual = recipe.augmentation_of_short_codes or usual
    patience = parameters["patience"]
    if patience == "auto":
        stops = loss_is_error and "epochs" not in chosen and n_samples >= _FEWEST_TO_STOP
        patience = max(3, round(_PATIENCE * epochs)) if stops else None
    return TrainingPlan(
        model,
        epochs,
        batch_size,
        float(chosen.get("learning_rate", recipe.learning_rate)),
        patience=patience,
        precision=choose_precision(parameters["precision"], device, pays=recipe.bfloat16_pays),
        augmentation=chosen.get("augmentation", usual) if is_images else "none",
        weight_decay=float(chosen.get("weight_decay", recipe.weight_decay)),
        norms_settle=recipe.norms_settle if is_images else 1.0,
        objective=parameters["objective"],
    )
