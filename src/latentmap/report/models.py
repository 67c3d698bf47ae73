"""Which models a report compares; how they are fitted, and kept until the report is whole."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latentmap.data.dataset import Dataset
from latentmap.errors import CheckpointError, ModelFileError, count, warn
from latentmap.estimator import Autoencoder
from latentmap.models import MODELS
from latentmap.models.base import Recipe
from latentmap.models.files import is_model_folder
from latentmap.training.checkpoints import check_settings, remove_checkpoint
from latentmap.training.objectives import make_objective
from latentmap.training.plan import auto_batch_size, auto_epochs

_CHECKPOINT = ".checkpoint"


@dataclass(frozen=True)
class ModelSpec:
    """A model to be fitted for a report.

    Parameters
    ----------
    name : str
        Its key in ``metrics.json`` and the folder it is saved in.
    params : mapping
        Arguments of `latentmap.Autoencoder`.
    about : str
        What it is, in half a sentence.
    pictured : bool, default=True
        Whether figures of samples show it; a model that only serves as a check stands in the table alone.

    Examples
    --------
    >>> from latentmap.report import ModelSpec
    >>> spec = ModelSpec("small", {"model": "dense", "latent_dim": 2, "epochs": 5}, "a dense network, in a hurry")
    >>> spec.name, spec.pictured
    ('small', True)
    """

    name: str
    params: Mapping[str, Any]
    about: str
    pictured: bool = True


_VECTOR_CODE, _COLOUR_CODE = 8, 128  # numbers
_MAP_SHARE, _COLOUR_SHARE, _LINEAR_SHARE = 1 / 2, 1 / 8, 1 / 4
"""Of the epochs that the map, the model of photographs and the linear one have by default: a report should not take so
long, and what starts as PCA and is linear has nothing to learn."""


def short_schedule(model: str, objective: str, share: float, n_train: int) -> int:
    """Return so large a share of the epochs that an architecture would be given; a map of few samples gets less."""
    recipe = replace(make_objective(objective, None).adapt(MODELS[model].recipe), steps_exponent=Recipe.steps_exponent)
    return max(1, round(share * auto_epochs(recipe, n_train, auto_batch_size(recipe, n_train))))


def default_specs(
    sample_shape: tuple[int, ...],
    n_train: int,
    *,
    objective: str = "reconstruction",
    objective_params: Mapping[str, Any] | None = None,
    epochs: int | None = None,
) -> tuple[ModelSpec, ...]:
    """Return the models to compare on data of a shape: convolutions take images only.

    Parameters
    ----------
    sample_shape : tuple of int
        Of one sample.
    n_train : int
        How many samples are learned from.
    objective, objective_params
        Of the first two models, see `latentmap.Autoencoder`; the others are there for comparison.
    epochs : int, optional
        Of all models; by default as many as `latentmap.Autoencoder` takes, or less where that would be minutes.

    Returns
    -------
    tuple of ModelSpec

    Examples
    --------
    >>> from latentmap.report import default_specs
    >>> [spec.name for spec in default_specs((28, 28, 1), n_train=60_000)]
    ['dense', 'conv', 'map', 'linear']
    """
    is_image, n_features = len(sample_shape) > 1, sample_shape[0]
    flat = 2 if is_image else min(2, n_features)
    specs = [ModelSpec("dense", {"model": "dense", "latent_dim": flat}, "layers of fully connected units")]
    if is_image and sample_shape[-1] > 1:  # of a photograph, 2 numbers leave a smear of its mean colours
        short = short_schedule("strided", objective, _COLOUR_SHARE, n_train)
        params = {"model": "strided", "latent_dim": _COLOUR_CODE, "epochs": short}
        about = f"convolutions beside PCA, {_schedule(short, epochs)}"
        specs = [ModelSpec("strided", params, about)]
    if is_image:
        specs.append(ModelSpec("conv", {"model": "conv"}, "convolutions that keep the place of things"))
    elif n_features > 4:
        params = {"model": "residual", "latent_dim": min(_VECTOR_CODE, n_features // 2)}
        specs.append(ModelSpec("residual", params, "residual blocks of fully connected units"))
    if objective != "reconstruction":
        chosen = {"objective": objective, "objective_params": dict(objective_params) if objective_params else None}
        specs = [replace(spec, params={**spec.params, **chosen}, about=f"{spec.about}, {objective}") for spec in specs]
    short = short_schedule("residual", "neighbors", _MAP_SHARE, n_train)
    params = {"model": "residual", "latent_dim": flat, "objective": "neighbors", "epochs": short}
    about = f"residual blocks that keep neighbours together, {_schedule(short, epochs)}"
    short = short_schedule("linear", "reconstruction", _LINEAR_SHARE, n_train)
    linear = {"model": "linear", "latent_dim": flat, "epochs": short}
    specs += [
        ModelSpec("map", params, about),
        ModelSpec("linear", linear, f"one matrix each way, from PCA on, {_schedule(short, epochs)}", pictured=False),
    ]
    own = {} if epochs is None else {"epochs": epochs}
    return tuple(replace(spec, params={**spec.params, **own}) for spec in specs)


def _schedule(short: int, asked: int | None) -> str:
    """How long a model learns that learns less than by default, unless it was asked for."""
    return f"on a short schedule ({count(short, 'epoch')})" if asked is None else f"in {count(asked, 'epoch')}"


def spec_of(name: str, model: Autoencoder) -> ModelSpec:
    """Return what a model is that was fitted before."""
    about = f"{model.model_}, fitted before in {count(model.n_iter_, 'epoch')}"
    return ModelSpec(name, {"model": model.model_, "objective": model.objective}, about)


# ---- fitting -------------------------------------------------------------------------------------------------------


def discard(unfinished: Path) -> None:
    """Remove the models and checkpoints of an interrupted run, and nothing else."""
    for path in unfinished.iterdir() if unfinished.is_dir() else ():
        if is_model_folder(path):
            shutil.rmtree(path)
        elif path.suffix == _CHECKPOINT:
            remove_checkpoint(path)
    if unfinished.is_dir() and not any(unfinished.iterdir()):
        unfinished.rmdir()


def fit_or_load(model: Autoencoder, dataset: Dataset, kept: Path, *, resume: bool) -> Autoencoder:
    """Fit a model and keep it, or take the one kept by a run with the same data and settings."""
    X, checkpoint = dataset.train.X, kept.with_name(kept.name + _CHECKPOINT)
    try:
        if resume and is_model_folder(kept):
            former = Autoencoder.load(kept)
            check_settings(kept, former.settings_ or {}, model.settings(X))
            return former
        model.fit(X, checkpoint=checkpoint, resume=resume)
    except (CheckpointError, ModelFileError) as error:  # of other settings, or damaged
        warn(f"{kept.name} is trained again: {error}")
        remove_checkpoint(checkpoint)
        model.fit(X, checkpoint=checkpoint)
    model.save(kept, metadata=dataset.facts)
    remove_checkpoint(checkpoint)
    return model
