"""What people give to be drawn: fitted models of any kind and samples of any kind, brought to what figures take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentmap.data.dataset import Dataset, Split
from latentmap.data.objects import as_array
from latentmap.data.preprocessing import Preprocessing
from latentmap.data.source import Reading

Models = Any  # a fitted model, a sequence of them, or a mapping of titles to them


@dataclass(frozen=True, eq=False)
class Seen:
    """A model that takes and gives samples as figures have them, whatever shape and units it was fitted on."""

    model: Any  # or ready codes
    sample_shape: tuple[int, ...]  # of figures
    low: float = 0.0  # black, in the units of the model
    span: float = 1.0  # from there to white; both are of images that are not in [0, 1] or bytes
    frame: Any = None  # the type of data frame that X came in

    @property
    def is_ready(self) -> bool:
        """Whether there are ready codes in place of a model."""
        return not callable(getattr(self.model, "transform", None))

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Codes of samples."""
        if self.is_ready:
            if len(self.model) != len(X):
                raise ValueError(f"codes must be one for each of {len(X):,} samples, got {len(self.model):,}.")
            return np.asarray(self.model)
        if (self.low, self.span) != (0.0, 1.0):
            X = X * self.span + self.low
        rows: Any = X.reshape(len(X), -1) if X.ndim > 2 and self._takes_rows() else X
        names = getattr(self.model, "feature_names_in_", None)
        if names is not None and self.frame is not None:
            rows = self.frame({name: rows[:, i] for i, name in enumerate(names)})
        return np.asarray(self.model.transform(rows))

    def inverse_transform(self, Z: NDArray[Any]) -> NDArray[Any]:
        """Samples that codes stand for."""
        if not callable(getattr(self.model, "inverse_transform", None)):
            raise ValueError(f"{type(self.model).__name__} has no inverse_transform: it cannot draw samples.")
        samples = np.asarray(self.model.inverse_transform(Z), np.float32).reshape(len(Z), *self.sample_shape)
        return (samples - self.low) / self.span if (self.low, self.span) != (0.0, 1.0) else samples

    def _takes_rows(self) -> bool:
        """Whether images are to be given as rows of numbers, as scikit-learn's own models take them."""
        first = self.model.steps[0][1] if hasattr(self.model, "steps") else self.model  # of a pipeline
        shape = getattr(getattr(first, "preprocessing_", first), "sample_shape", None)
        shape = shape or getattr(first, "sample_shape_", None)
        return len(shape) == 1 if shape else isinstance(first, BaseEstimator)


def take(models: Models, X: Any, y: Any) -> tuple[dict[str, Any], Dataset]:
    """Models by title, and a data set in which images have channels, and pixels from 0 to 1 or bytes."""
    named = by_title(models)
    if isinstance(X, Dataset):
        if y is not None:
            raise ValueError("y must be left out where X is a Dataset: it has its own labels.")
        return {title: Seen(model, X.sample_shape) for title, model in named.items()}, X
    frame = type(X) if hasattr(X, "columns") and hasattr(X, "dtypes") else None
    columns = tuple(str(name) for name in X.columns) if frame else None
    samples = np.asarray(as_array(X))
    if samples.ndim not in (2, 3, 4) or samples.dtype.kind not in "biuf" or not len(samples):
        raise ValueError(f"X must be samples as fit saw them, got {samples.dtype} of shape {samples.shape}.")
    low, span = 0.0, 1.0
    if samples.ndim > 2 and samples.dtype != np.uint8:
        known = (getattr(model, "preprocessing_", None) for model in named.values())
        units = next((one for one in known if one is not None and one.is_images), None) or Preprocessing.fit(samples)
        low, white = units.pixel_range
        span = white - low
        samples = ((samples - low) / span).astype(np.float32)
    samples = samples[..., None] if samples.ndim == 3 else samples
    labels, class_names = _classes(y, len(samples))
    split = Split(samples if samples.dtype == np.uint8 else samples.astype(np.float32), labels)
    reading = Reading(columns=columns) if columns else None
    dataset = Dataset("samples", split, split, class_names, reading)
    fitted = (getattr(model, "_fitted", None) for model in named.values())
    unit = next((one.error_unit for one in fitted if one is not None), None)
    if unit is not None and samples.ndim == 2:
        dataset.__dict__["unit"] = unit  # of what fit saw, as anomaly_score has it, and not of these samples
    return {title: Seen(one, dataset.sample_shape, low, span, frame) for title, one in named.items()}, dataset


def take_one(model: Any, X: Any, y: Any) -> tuple[tuple[str, Any], Dataset]:
    """The same of one model, or of a mapping of its title to it."""
    named, dataset = take(model, X, y)
    if len(named) != 1:
        raise ValueError(f"model must be one model, got {len(named)}. plot.compare draws several.")
    return next(iter(named.items())), dataset


def _classes(y: Any, n: int) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels of any type as numbers, and their names; -1 is none."""
    if y is None:
        return None, None
    values = np.asarray(as_array(y))
    if values.shape != (n,):
        raise ValueError(f"y must be one label for each of {n:,} samples, got shape {values.shape}.")
    names, labels = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    if names.dtype.kind in "if" and len(names) and names[0] == -1:
        names, labels = names[1:], labels - 1
    return labels.astype(np.int64), tuple(_as_text(names))


def _as_text(names: NDArray[Any]) -> list[str]:
    """Names of classes as text; whole numbers without their point."""
    whole = names.dtype.kind == "f" and (names == np.round(names)).all()
    return [str(name) for name in (names.astype(np.int64) if whole else names)]


def by_title(models: Models) -> dict[str, Any]:
    """Models by title; two of one title get numbers."""
    if isinstance(models, Mapping):
        return {str(title): _checked(model) for title, model in models.items()}
    if not isinstance(models, list | tuple):
        models = [models]
    if not models:
        raise ValueError("models must be at least one fitted model, got none.")
    named: dict[str, Any] = {}
    for model in [_checked(one) for one in models]:
        title = base = _title(model)
        while title in named:
            title = f"{base} no. {sum(name.startswith(base) for name in named) + 1}"
        named[title] = model
    return named


def _checked(model: Any) -> Any:
    """A model, or ready codes."""
    if not callable(getattr(model, "transform", None)) and getattr(model, "ndim", 0) != 2:
        raise TypeError(f"model must be fitted and have transform, or be codes of shape (n, 2), got {model!r:.80}.")
    return model


def _title(model: Any) -> str:
    """What to call a model: its architecture or its class, and how many numbers its codes have."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    name = getattr(last, "model_", None) or ("codes" if isinstance(last, np.ndarray) else type(last).__name__)
    name = {"PcaBaseline": "PCA"}.get(name, name)
    size = getattr(last, "latent_dim_", None) or getattr(last, "n_components_", None)
    return f"{name} ({size})" if isinstance(size, int | np.integer) else str(name)
