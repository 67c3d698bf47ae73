"""The data that benchmarks run on.

`benchmark_dataset` is MNIST where it is at hand, else the digits, named in the output; `SETS` are many small ones of
every kind, read or made from fixed seeds, each by a function without arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn.datasets
from PIL import Image
from sklearn.preprocessing import StandardScaler

from latentmap import load_dataset
from latentmap.data import Dataset, Split
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


def photographs() -> Dataset:
    """Colour photographs 32x32 of ten classes, 20,000 to learn from and 2,000 to test, where they are at hand."""
    folder = Path(os.environ.get("LATENTMAP_DATA", ".")) / "photographs"
    sheets = sorted(folder.glob("batch_*.png"))
    if len(sheets) != 22:
        raise DatasetError(f"there are no 22 sheets in {folder}. Set LATENTMAP_DATA to the folder above it.")
    images = np.concatenate([np.asarray(Image.open(sheet).convert("RGB")).reshape(-1, 32, 32, 3) for sheet in sheets])
    labels = np.loadtxt(folder / "labels.txt", dtype=np.int64)
    return Dataset("photographs", Split(images[:20_000], labels[:20_000]), Split(images[20_000:], labels[20_000:]))


def patches() -> Dataset:
    """600 patches 45x37, overlapping, of the two gray photographs that come with scikit-learn."""
    rng = np.random.default_rng(0)
    corners = [
        (photo, rng.integers(427 - 45 + 1), rng.integers(640 - 37 + 1)) for photo in _photos() for _ in range(300)
    ]
    return load_dataset(np.stack([photo[top : top + 45, left : left + 37] for photo, top, left in corners]))


def tiles() -> Dataset:
    """480 images 28x28 cut from the same without overlap, so that nothing of a test image is learned from."""
    cut = [photo[:420, :616].reshape(15, 28, 22, 28).swapaxes(1, 2).reshape(-1, 28, 28) for photo in _photos()]
    return load_dataset(np.random.default_rng(0).permutation(np.concatenate(cut))[:480])


def _photos() -> list[np.ndarray]:
    """The two photographs, gray, (427, 640) uint8."""
    return [np.asarray(Image.fromarray(photo).convert("L")) for photo in sklearn.datasets.load_sample_images().images]


def faces() -> Dataset:
    """1,000 drawn faces 40x32 of 40 people, who differ in their features, turned and lit at random."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 25)
    # Blobs of a position, depth, width, height and brightness each, everybody's a little different.
    head, nose, mouth = (0, 0, 0, 11, 15, 0.8), (0, 1, 9, 1.5, 3, 0.3), (0, 7, 5, 4, 1.3, -0.4)
    blobs = np.array([head, (-5, -4, 5, 2, 1.3, -0.5), (5, -4, 5, 2, 1.3, -0.5), nose, mouth])
    blobs = (blobs + rng.normal(0, 0.12, (40, 5, 6)) * (6, 6, 6, 6, 6, 0.8))[people][..., np.newaxis, np.newaxis]
    x, y, depth, width, height, brightness = np.moveaxis(blobs, 2, 0)
    yaw, pitch, light = rng.uniform(-0.5, 0.5, (3, 1000, 1, 1, 1))
    rows, columns = np.mgrid[-20:20, -16:16] + 0.5
    across, down = columns - x * np.cos(yaw) - depth * np.sin(yaw), rows - y * np.cos(pitch) - depth * np.sin(pitch)
    drawn = (brightness * np.exp(-((across / width) ** 2) - (down / height) ** 2)).sum(axis=1)
    shaded = drawn * (1 + light[:, 0] * columns / 8)
    return load_dataset(np.uint8(np.clip(shaded, 0, 1) * 255), labels=people)


def _bundled(name: str, n_noise: int = 0) -> Dataset:
    """A table of scikit-learn's in its own units; with columns of noise added, also of several units."""
    scaled = {"scaled": False} if name == "diabetes" else {}
    table = getattr(sklearn.datasets, f"load_{name}")(**scaled)
    noise = np.random.default_rng(0).normal(size=(len(table.data), n_noise)) * 10.0 ** np.arange(n_noise)
    return load_dataset(np.hstack([table.data, noise]), labels=None if name == "diabetes" else table.target)


def housing() -> Dataset:
    """A table like that of California's housing: mixed units, skewed, correlated; 4,000 districts of 9 numbers."""
    rng = np.random.default_rng(0)
    town = rng.integers(12, size=4000)
    latitude, longitude = (rng.uniform(low, low + 9, 12)[town] + rng.normal(0, 0.4, 4000) for low in (33, -124))
    wealth, density, newness = rng.normal(0, 0.6, (3, 12))[:, town] + rng.normal(0, 0.8, (3, 4000))
    income = np.exp(1.2 + 0.45 * wealth)
    rooms = 3 + 1.5 * np.sqrt(income) + rng.gamma(1, 0.4, 4000)
    households = np.exp(6 + 0.7 * density + 0.2 * rng.normal(size=4000))
    occupants = 2 + rng.gamma(2, 0.4, 4000) + np.exp(-2 * wealth - 1) * 0.1
    age = np.clip(28 - 10 * newness + 3 * density, 1, 52)
    price = np.minimum(5e5, 6e4 * income**0.8 * np.exp(0.1 * (latitude - 38) ** 2 / 9 + 0.15 * rng.normal(size=4000)))
    columns = (latitude, longitude, income, rooms, rooms * households, households * occupants, occupants, age, price)
    return load_dataset(np.stack(columns, axis=1))


def swiss_roll() -> Dataset:
    """2,000 points of a rolled sheet turned in 50 dimensions, with a little noise in all."""
    rng = np.random.default_rng(0)
    roll = sklearn.datasets.make_swiss_roll(2000, random_state=0)[0]
    return load_dataset(roll @ np.linalg.qr(rng.normal(size=(50, 3)))[0].T + rng.normal(0, 0.1, (2000, 50)))


def noise() -> Dataset:
    """2,000 rows of 160 normal numbers: nothing to learn, all to lose."""
    return load_dataset(np.random.default_rng(0).normal(size=(2000, 160)))


def low_rank() -> Dataset:
    """2,000 rows of 160 numbers: 20 linear directions and noise of a tenth of the variance."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(2000, 20)) @ rng.normal(size=(20, 160)) / np.sqrt(20)
    return load_dataset(signal + rng.normal(0, 1 / 3, (2000, 160)))


def counts() -> Dataset:
    """2,000 rows of 200 counts, nine of ten of them zero: few topics of few words each."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.3, 1, (2000, 8)) @ rng.gamma(0.1, 0.6, (8, 200))
    return load_dataset(rng.poisson(rates).astype(float))


def heavy_tails() -> Dataset:
    """2,000 rows of 160 numbers mixed from Student's t with 2 degrees of freedom: a few rows hold most of it."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(160, 160)) * 0.95 ** np.arange(160)[:, np.newaxis]
    return load_dataset(rng.standard_t(2, (2000, 160)) @ mixing)


def curved() -> Dataset:
    """2,000 rows of 20 numbers that are waves of only 4."""
    rng = np.random.default_rng(0)
    waves = np.sin(rng.uniform(-1, 1, (2000, 4)) @ rng.normal(0, 1.5, (4, 20)) + rng.uniform(0, 6, 20))
    return load_dataset(waves * rng.uniform(0.5, 2, 20) + rng.normal(0, 0.02, (2000, 20)))


def _labelled(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All samples and their classes."""
    train, test = dataset.train, dataset.test
    return np.concatenate([train.X, test.X]), np.concatenate([train.labels, test.labels])


def _named(source: str) -> tuple[np.ndarray, np.ndarray]:
    """All samples of a named set; tables in standard deviations."""
    return _labelled(benchmark_dataset(short=False, source=source, size=None))


def clusters() -> tuple[np.ndarray, np.ndarray]:
    """10,000 rows of 50 numbers, 12 of them telling, of 8 classes with 3 clusters each."""
    X, y = sklearn.datasets.make_classification(
        10_000,
        50,
        n_informative=12,
        n_redundant=18,
        n_classes=8,
        n_clusters_per_class=3,
        class_sep=1.5,
        random_state=0,
    )
    return StandardScaler().fit_transform(X).astype(np.float32), y


def sheet() -> tuple[np.ndarray, np.ndarray]:
    """10,000 points of a rolled sheet turned in 50 dimensions with a little noise; classes are stretches of it."""
    rng = np.random.default_rng(0)
    roll, along = sklearn.datasets.make_swiss_roll(10_000, random_state=0)
    X = roll @ np.linalg.qr(rng.normal(size=(50, 3)))[0].T + rng.normal(0, 0.3, (10_000, 50))
    return X.astype(np.float32), np.digitize(along, np.quantile(along, np.linspace(0.1, 0.9, 9)))


def _photographs_of_classes() -> tuple[np.ndarray, np.ndarray]:
    """The first 10,000 photographs and what they show."""
    train = photographs().train
    return train.X[:10_000], train.labels[:10_000]


MAP_SETS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "digits": lambda: _named("digits"),
    "breast_cancer": lambda: _named("breast_cancer"),
    "wine": lambda: _named("wine"),
    "clusters": clusters,
    "sheet": sheet,
    "faces": lambda: _labelled(faces()),
    "photographs": _photographs_of_classes,
}

SETS: dict[str, Callable[[], Dataset]] = {
    "mnist": lambda: load_dataset("mnist"),
    "digits": lambda: load_dataset("digits"),
    "photographs": photographs,
    "patches": patches,
    "tiles": tiles,
    "faces": faces,
    "breast_cancer": lambda: _bundled("breast_cancer"),
    "wine": lambda: _bundled("wine"),
    "wine_noise": lambda: _bundled("wine", n_noise=7),
    "diabetes": lambda: _bundled("diabetes"),
    "housing": housing,
    "swiss_roll": swiss_roll,
    "noise": noise,
    "low_rank": low_rank,
    "counts": counts,
    "heavy_tails": heavy_tails,
    "curved": curved,
}
