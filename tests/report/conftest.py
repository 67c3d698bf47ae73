"""A small dataset of any kind, models that learn in no time, and a browser to look at pages with."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from latentmap.data.dataset import Dataset, Split
from latentmap.report import ModelSpec, build, build_report
from latentmap.report.figures import FIGURES

KINDS = {"20 classes": (20, 1), "3 classes": (3, 1), "colour without labels": (None, 3)}
KINDS |= {"vectors": (3, 0), "vectors without labels": (None, 0)}


def longer(report):
    """The name of the model with the longer codes."""
    return "conv" if report.experiment.dataset.is_images else "residual"


def quick(dataset):
    """Models of a default report's names that learn in no time."""

    def spec(name, model="dense", latent_dim=2, **params):
        return ModelSpec(name, {"model": model, "latent_dim": latent_dim, "epochs": 3, **params}, "", name != "linear")

    return [
        spec("dense"),
        spec("conv" if dataset.is_images else "residual", latent_dim=6),
        spec("map", objective="neighbors"),
        spec("linear", "linear"),
    ]


def make_report(dataset, folder, **arguments):
    """Build a report of quick models."""
    return build_report(dataset, folder, **{"specs": quick(dataset), **arguments})


def small_dataset(kind, n_train=120, n_test=60):
    """Noisy images, one pattern a class, taller than wide."""
    n_classes, channels = KINDS[kind]
    rng = np.random.default_rng(0)
    labels = np.arange(n_train + n_test) % (n_classes or 5)
    patterns = rng.integers(0, 256, (n_classes or 5, 9, 7, channels))
    images = np.clip(patterns[labels] + rng.normal(0, 40, (len(labels), 9, 7, channels)), 0, 255).astype(np.uint8)
    if channels == 0:  # features of different units, one of them constant
        scale = np.array([1, 10, 100, 0.1, 1, 1, 1, 5, 0])
        vectors = rng.normal(size=(n_classes or 5, 9))[labels] + rng.normal(0, 0.4, (len(labels), 9))
        images = (vectors * scale + 3).astype(np.float32)
    names = tuple(f"a class called {i}" if i % 2 else str(i) for i in range(n_classes)) if n_classes else None
    if n_classes is None:
        labels = None
    train = Split(images[:n_train], None if labels is None else labels[:n_train])
    test = Split(images[n_train:], None if labels is None else labels[n_train:])
    return Dataset(kind, train, test, names)


def blank(figures=FIGURES, size=(1, 1)):
    """The same figures with their captions, of empty paper: drawing takes seconds."""
    return [replace(figure, draw=lambda *_: Figure(size)) for figure in figures]


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser():
    """The system's browser, driven by Playwright; nothing is downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    if BROWSER is None:
        pytest.skip("needs a browser: install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


SEVERAL = ["20 classes", "colour without labels", "vectors", "vectors without labels"]
DRAWN = SEVERAL[:3]  # seconds each; what vectors without labels have of their own, the other two have between them


@pytest.fixture(scope="session", params=SEVERAL)
def report(request, tmp_path_factory):
    """A report of each kind of data, its figures left empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "FIGURES", blank(size=(8, 5)))
        folder = tmp_path_factory.mktemp("reports") / "report"
        return make_report(small_dataset(request.param), folder, command="latentmap report x")


@pytest.fixture(scope="session")
def nasty_report(tmp_path_factory):
    """A report of data whose name and classes are not to be trusted, its figures left empty."""
    dataset = replace(
        small_dataset("3 classes"),
        name="<script>alert('x')</script>caf\udce9\x1b[31m",
        class_names=("<b>$$", "$x$ \u4e2d\udcff", "&amp;"),
    )
    folder = tmp_path_factory.mktemp("reports") / "nasty"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "FIGURES", blank(size=(8, 5)))
        return make_report(dataset, folder, command='latentmap report "<i>"')
