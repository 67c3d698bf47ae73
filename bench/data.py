"""The data that benchmarks run on: MNIST where it is at hand, else the digits, named in the output."""

from __future__ import annotations

import sklearn.datasets
from sklearn.preprocessing import StandardScaler

from latentmap import load_dataset
from latentmap.data import Dataset
from latentmap.errors import DatasetError

_TABLES = ("breast_cancer", "wine")


def benchmark_dataset(*, short: bool, size: int | str | None = "auto", source: str | None = None) -> Dataset:
    """MNIST, at 32x32 unless told, or in short runs and where there is no MNIST the digits; or another by name."""
    if source in _TABLES:
        table = getattr(sklearn.datasets, f"load_{source}")()
        # In standard deviations for everybody: not every method looks after units itself.
        return load_dataset(StandardScaler().fit_transform(table.data), labels=table.target)
    if source is not None:
        return load_dataset(source, size=size)
    if not short:
        try:
            return load_dataset("mnist", size=size)
        except DatasetError as error:
            print(f"MNIST is not at hand ({error}); this is a run on digits.")
    return load_dataset("digits", size=size)
