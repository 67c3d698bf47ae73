"""A small dataset of any kind, and models that learn in no time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentmap.analysis import PcaBaseline
from latentmap.data.dataset import Dataset, Split
from latentmap.report import build_report
from latentmap.report.figures import canvas

KINDS = {"10 classes": (10, 1), "20 classes": (20, 1), "3 classes": (3, 1), "no labels": (None, 1), "colour": (10, 3)}
KINDS |= {"vectors": (3, 0), "vectors without labels": (None, 0)}


class QuickModel:
    """PCA in an autoencoder's clothes: it keeps a history and can be saved."""

    def __init__(self, latent_dim):
        self._pca = PcaBaseline(latent_dim)

    def fit(self, X):
        self.history_ = [
            {"epoch": epoch, "train_loss": 1 / epoch, "valid_loss": 1.1 / epoch, "seconds": epoch}
            for epoch in (1, 2, 3)
        ]
        self._pca.fit(X)
        self.latent_dim_, self.n_parameters_ = self._pca.latent_dim_, self._pca.n_parameters_
        return self

    def transform(self, X):
        return self._pca.transform(X)

    def inverse_transform(self, Z):
        return self._pca.inverse_transform(Z)

    def save(self, path):
        Path(path).mkdir()
        (Path(path) / "config.json").write_text("{}")


def longer(report):
    """The name of the model with the longer codes."""
    return "conv" if report.story.dataset.is_images else "residual"


SIZES = {"dense": 2, "conv": 6, "residual": 6, "map": 2, "linear": 2}


def quick(spec):
    """Stand in for the estimator."""
    return QuickModel(SIZES[spec.name])


def small_dataset(kind, n_train=120, n_test=60):
    """Noisy images, one pattern a class, taller than wide."""
    n_classes, channels = KINDS[kind]
    rng = np.random.default_rng(0)
    labels = np.arange(n_train + n_test) % (n_classes or 5)
    patterns = rng.integers(0, 256, (n_classes or 5, 9, 7, channels))
    images = np.clip(patterns[labels] + rng.normal(0, 40, (len(labels), 9, 7, channels)), 0, 255).astype(np.uint8)
    if channels == 0:  # features of different units, one of them constant
        scale = np.array([1, 10, 100, 0.1, 1, 1, 1, 1, 1, 1, 5, 0])
        vectors = rng.normal(size=(n_classes or 5, 12))[labels] + rng.normal(0, 0.4, (len(labels), 12))
        images = (vectors * scale + 3).astype(np.float32)
    names = tuple(f"a class called {i}" if i % 2 else str(i) for i in range(n_classes)) if n_classes else None
    if n_classes is None:
        labels = None
    train = Split(images[:n_train], None if labels is None else labels[:n_train])
    test = Split(images[n_train:], None if labels is None else labels[n_train:])
    return Dataset(kind, train, test, names)


@pytest.fixture(scope="session", autouse=True)
def coarse_pictures():
    """Draw with few dots an inch: the same artists in a fraction of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "DPI", 40)
        yield


@pytest.fixture(scope="session", params=KINDS)
def report(request, tmp_path_factory):
    """A report of each kind of data."""
    folder = tmp_path_factory.mktemp("reports") / "report"
    return build_report(small_dataset(request.param), folder, make_model=quick, command="latentmap report x")


@pytest.fixture(scope="session")
def nasty_report(tmp_path_factory):
    """A report of data whose name and classes are not to be trusted."""
    dataset = replace(
        small_dataset("3 classes"),
        name="<script>alert('x')</script>",
        class_names=("<b>$$", "$x$ \u4e2d\udcff", "&amp;"),
    )
    folder = tmp_path_factory.mktemp("reports") / "nasty"
    return build_report(dataset, folder, make_model=quick, command='latentmap report "<i>"')
