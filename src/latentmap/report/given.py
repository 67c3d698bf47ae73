"""What people give to be drawn: fitted models of any kind and samples of any kind, brought to what figures take."""

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentmap.data.arrays import check_finite
from latentmap.data.dataset import Dataset, Split
from latentmap.data.labels import are_measured, missing_cells, number_classes, of_dates
from latentmap.data.objects import (
    DENSE_IN_PIPELINES,
    as_array,
    check_rows,
    classes_of,
    frame_numbers,
    is_frame,
    names_of_fit,
)
from latentmap.data.preprocessing import Preprocessing
from latentmap.data.source import Reading
from latentmap.data.tables import listed
from latentmap.errors import DatasetError

Models = Any  # a fitted model, a sequence of them, or a mapping of titles to them


@dataclass(frozen=True, eq=False)
class Seen:
    """A model that takes and gives samples as figures have them, whatever shape and units it was fitted on."""

    model: Any  # or ready codes
    sample_shape: tuple[int, ...]  # of figures
    columns: tuple[str, ...] | None = None  # the names of features, where they have some
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
        names = names_of_fit(self.model)
        if names is None or self.columns is None:
            return np.asarray(self.model.transform(rows))
        if lacking := [name for name in names if name not in self.columns]:
            raise ValueError(f"X lacks the column(s) {listed(lacking)}, which fit saw.")
        rows = rows[:, [self.columns.index(name) for name in names]]
        if self.frame is not None:
            rows = self.frame({name: rows[:, i] for i, name in enumerate(names)})
        with warnings.catch_warnings():  # they are in the order that fit saw
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return np.asarray(self.model.transform(rows))

    def inverse_transform(self, Z: NDArray[Any]) -> NDArray[Any]:
        """Samples that codes stand for."""
        if not callable(getattr(self.model, "inverse_transform", None)):
            raise ValueError(f"{type(self.model).__name__} has no inverse_transform: it cannot draw samples.")
        samples = np.asarray(self.model.inverse_transform(Z))
        if len(self.sample_shape) > 1 or samples.dtype != np.float64:  # vectors may need their digits
            samples = samples.astype(np.float32, copy=False)
        samples = samples.reshape(len(Z), *self.sample_shape)
        return (samples - self.low) / self.span if (self.low, self.span) != (0.0, 1.0) else samples

    def _takes_rows(self) -> bool:
        """Whether images are to be given as rows of numbers, as scikit-learn's own models take them."""
        steps = [step for _, step in getattr(self.model, "steps", [("", self.model)])]  # of a pipeline
        known = (getattr(step, "preprocessing_", step) for step in steps)
        shapes = (getattr(one, "sample_shape", None) or getattr(one, "sample_shape_", None) for one in known)
        shape = next(filter(None, shapes), None)
        return len(shape) == 1 if shape else isinstance(steps[0], BaseEstimator)


def take(models: Models, X: Any, y: Any) -> tuple[dict[str, Any], Dataset]:
    """Models by title, and a data set in which images have channels, and pixels from 0 to 1 or bytes."""
    named = by_title(models)
    if isinstance(X, Dataset):
        if y is not None:
            raise ValueError("y must be left out where X is a Dataset: it has its own labels.")
        X = with_test(X)
        columns = None if X.reading is None or X.is_images else X.reading.columns
        return {title: Seen(model, X.sample_shape, columns) for title, model in named.items()}, X
    check_rows(X, y)
    named, samples, columns = _of_last_step(named, X)
    frame = type(samples) if hasattr(samples, "dtypes") else None
    if is_frame(samples):
        columns, samples = frame_numbers(samples, fitted_columns(named))
    refuse_sparse(samples)
    samples = np.asarray(as_array(samples))
    if samples.ndim not in (2, 3, 4) or samples.dtype.kind not in "biuf" or not len(samples):
        raise ValueError(f"X must be samples as fit saw them, got {samples.dtype} of shape {samples.shape}.")
    if samples.dtype.kind == "f":
        try:
            check_finite(samples, "X", np.arange(len(samples)), columns)
        except DatasetError as error:
            raise ValueError(str(error)) from error
    low, span = 0.0, 1.0
    if samples.ndim > 2 and samples.dtype != np.uint8:
        known = (getattr(model, "preprocessing_", None) for model in named.values())
        units = next((one for one in known if one is not None and one.is_images), None) or Preprocessing.fit(samples)
        low, white = units.pixel_range
        span = white - low
        samples = ((samples - low) / span).astype(np.float32)
    samples = samples[..., None] if samples.ndim == 3 else samples
    labels, class_names = number_labels(y, len(samples))
    if samples.ndim == 2:  # in float64 where it is given so, as models see it
        samples = samples.astype(np.result_type(samples.dtype, np.float32), copy=False)
    scale = take_values(y) if y is not None and labels is None else {}
    split = Split(samples, labels, values=scale.get("values"))
    reading = Reading(columns=columns, label=scale.get("values_name")) if columns or scale else None
    dataset = Dataset("samples", split, split, class_names, reading)
    fitted = (getattr(model, "_fitted", None) for model in named.values())
    unit = next((one.error_unit for one in fitted if one is not None), None)
    if unit is not None and samples.ndim == 2:
        dataset = dataset.in_unit(unit)  # of what fit saw, as anomaly_score has it, and not of these samples
    shape = dataset.sample_shape
    return {title: Seen(one, shape, columns, low, span, frame) for title, one in named.items()}, dataset


def with_test(dataset: Dataset) -> Dataset:
    """A data set with samples to show: all of them where none were kept for a test."""
    return dataset if len(dataset.test) else dataset.of("all")


def refuse_sparse(X: Any) -> None:
    """Refuse sparse samples as `fit` does."""
    if hasattr(X, "toarray"):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required. "
            f"Use '.toarray()' to convert to a dense numpy array. {DENSE_IN_PIPELINES}"
        )


def fitted_columns(named: Mapping[str, Any]) -> list[str] | None:
    """The columns of a data frame that models saw, if all know theirs: those of any of them."""
    known = [names_of_fit(model) for model in named.values()]
    if not known or any(names is None for names in known):
        return None
    return list(dict.fromkeys(name for names in known for name in names or ()))


def take_one(model: Any, X: Any, y: Any) -> tuple[tuple[str, Any], Dataset]:
    """The same of one model, or of a mapping of its title to it."""
    named, dataset = take(model, X, y)
    if len(named) != 1:
        raise ValueError(f"model must be one model, got {len(named)}. plot.compare draws several.")
    return next(iter(named.items())), dataset


def number_labels(y: Any, n: int, name: str = "y") -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels of any type as numbers, and their names; which of them are none is decided as `load_dataset` does.

    What `take_values` takes for numbers on a scale is no class.
    """
    if y is None:
        return None, None
    labels, names = classes_of(as_array(y))
    if labels.shape != (n,):
        raise ValueError(f"{name} must be one label for each of {n:,} samples, got shape {labels.shape}.")
    if take_values(y):
        return None, None
    return number_classes(labels, name, names, notes=[], measure=False)


def take_values(y: Any) -> dict[str, Any]:
    """Labels that are numbers on a scale, floats of many kinds, as `CodeMap` takes them; else nothing."""
    values = np.asarray(as_array(y))
    if values.ndim != 1 or str(getattr(y, "dtype", "")) == "category":
        return {}
    values = of_dates(values)
    if values.dtype.kind == "O":  # beside what is missing
        given = ~missing_cells(values)
        found = np.asarray(values[given].tolist())
        values = np.full(len(values), np.nan)
        if found.dtype.kind != "f":
            return {}
        values[given] = found
    if values.dtype.kind != "f" or not are_measured(values[np.isfinite(values)]):
        return {}
    return {"values": values.astype(np.float64), "values_name": str(getattr(y, "name", None) or "y")}


def _of_last_step(named: dict[str, Any], X: Any) -> tuple[dict[str, Any], Any, tuple[str, ...] | None]:
    """Of a pipeline that takes no numbers, or can't go back, the last step, what it sees, and the features' names."""
    model: Any = next(iter(named.values()), None)
    if len(named) > 1 or len(getattr(model, "steps", ())) < 2 or getattr(X, "ndim", 2) > 2:
        return named, X, None
    if _are_numbers(X) and (_goes_back(model, X) or not hasattr(model[-1], "inverse_transform")):
        return named, X, None
    first, names = model[:-1], None
    samples = first.transform(X)
    with contextlib.suppress(Exception):  # many steps don't know what they make
        names = tuple(map(str, first.get_feature_names_out()))
        own = tuple(name.rsplit("__", 1)[-1] for name in names)  # without the step that made them
        names = own if len(set(own)) == len(names) else names
    return dict.fromkeys(named, model[-1]), samples.toarray() if hasattr(samples, "toarray") else samples, names


def _goes_back(model: Any, X: Any) -> bool:
    """Whether a pipeline leads back to samples: imputers don't, nor do functions whose inverse is not told."""
    told = all(getattr(step, "func", None) is None or step.inverse_func is not None for _, step in model.steps[:-1])
    with contextlib.suppress(Exception):
        return told and np.shape(model.inverse_transform(model.transform(X[:1]))) == np.shape(X[:1])
    return False


def _are_numbers(X: Any) -> bool:
    """Whether samples are numbers, none missing."""
    with contextlib.suppress(ValueError, TypeError):
        samples = frame_numbers(X)[1] if is_frame(X) else np.asarray(as_array(X))
        return samples.dtype.kind in "biu" or (samples.dtype.kind == "f" and bool(np.isfinite(samples).all()))
    return False


def held_out(dataset: Dataset) -> Dataset:
    """Samples that are learned from and shown at once, in two parts: every fifth, or one, is kept to be shown."""
    n, step = len(dataset.test), min(5, len(dataset.test))
    if n < 3:
        raise ValueError(f"X must hold at least 3 samples, two to learn from and one to show, got {n}.")
    is_shown = np.arange(n) % step == step - 1
    return replace(dataset, train=dataset.test.at(~is_shown), test=dataset.test.at(is_shown))


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


def last_steps(named: Mapping[str, Any]) -> dict[str, Any]:
    """The last steps of those models that are pipelines, and the others as they are."""
    return {title: model[-1] if hasattr(model, "steps") else model for title, model in named.items()}


def _checked(model: Any) -> Any:
    """A model, or ready codes."""
    if isinstance(model, type):
        raise TypeError(f"model must be fitted, got the class {model.__name__}. Pass {model.__name__}(...).fit(X).")
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
