"""Which models a report compares.

What belongs here: the list, and one fitted and measured model. How models learn is the estimator's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from latentmap.analysis import Evaluation, PcaBaseline, Transformer

History = Sequence[Mapping[str, Any]]


class Model(Transformer, Protocol):
    """What a report asks of a model beyond encoding and decoding: `latentmap.Autoencoder` has it all."""

    n_parameters_: int
    latent_dim_: int

    def fit(self, X: Any) -> Any:
        """Learn from samples."""


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
    """

    name: str
    params: Mapping[str, Any]
    about: str
    pictured: bool = True


MODEL_SPECS = (
    ModelSpec("dense", {"model": "dense", "latent_dim": 2}, "layers of fully connected units"),
    ModelSpec("conv", {"model": "conv"}, "convolutions that keep the place of things"),
    ModelSpec(
        "linear", {"model": "linear", "latent_dim": 2}, "one matrix each way: a check against PCA", pictured=False
    ),
)
"""What `build_report` compares by default; the baselines follow from the sizes of these."""

_VECTOR_CODE = 8


def default_specs(sample_shape: tuple[int, ...]) -> tuple[ModelSpec, ...]:
    """Return the models to compare on samples of a shape: convolutions take images only."""
    if len(sample_shape) > 1:
        return MODEL_SPECS
    n_features = sample_shape[0]
    flat = min(2, n_features)
    about = "residual blocks of fully connected units"
    specs = [ModelSpec("dense", {"model": "dense", "latent_dim": flat}, MODEL_SPECS[0].about)]
    if n_features > 4:
        longer = min(_VECTOR_CODE, n_features // 2)
        specs.append(ModelSpec("residual", {"model": "residual", "latent_dim": longer}, about))
    return (*specs, ModelSpec("linear", {"model": "linear", "latent_dim": flat}, MODEL_SPECS[2].about, pictured=False))


@dataclass(frozen=True, eq=False)
class Measured:
    """A fitted model with everything measured of it.

    Parameters
    ----------
    name : str
        Its key in ``metrics.json``.
    title : str
        What people call it, with the size of its codes.
    short : str
        The same without the size.
    about : str
        What it is, in half a sentence.
    model : Model
        The fitted model.
    evaluation : Evaluation
        Its scores and codes.
    fit_seconds : float
        How long learning took.
    pictured : bool
        Whether figures of samples show it.
    history : sequence of dict
        Its loss, epoch by epoch; empty for PCA.
    """

    name: str
    title: str
    short: str
    about: str
    model: Model
    evaluation: Evaluation
    fit_seconds: float
    pictured: bool = True
    history: History = field(default_factory=tuple)

    @property
    def is_baseline(self) -> bool:
        """Whether this is PCA."""
        return isinstance(self.model, PcaBaseline)

    @property
    def latent_dim(self) -> int:
        """How many numbers a code has."""
        return self.evaluation.latent_dim

    def metrics(self) -> dict[str, float | int | None]:
        """Return the model's entry in ``metrics.json``."""
        scores = self.evaluation
        return {
            "latent_dim": scores.latent_dim,
            "test_mse": scores.test_mse,
            "knn_accuracy": scores.knn_accuracy,
            "trustworthiness": scores.trustworthiness,
            "fit_seconds": round(self.fit_seconds, 3),
            "n_parameters": self.model.n_parameters_,
        }
