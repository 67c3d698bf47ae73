"""What is written, when, and what is never overwritten."""

import json
import math

import pytest
from matplotlib.figure import Figure

from latentmap.errors import DatasetError, OutputError
from latentmap.report import build as build_module
from latentmap.report import build_report, default_specs
from latentmap.report.build import is_report
from tests.report.conftest import longer, quick, small_dataset

FIGURES = {"training", "reconstructions", "embedding", "pca", "tsne", "generated", "interpolation", "latent_grid"}
FIGURES |= {"map"}
FIELDS = {"latent_dim", "test_mse", "knn_accuracy", "trustworthiness", "fit_seconds", "n_parameters"}


@pytest.fixture
def plain_figures(monkeypatch):
    """Empty figures in place of the real ones, which take seconds and are looked at elsewhere."""
    monkeypatch.setattr(build_module, "draw", lambda _: {name: Figure(figsize=(1, 1)) for name in FIGURES})


def test_metrics_keep_their_contract(report):
    metrics = json.loads((report.folder / "metrics.json").read_text())
    assert metrics == report.metrics
    assert set(metrics) == {"dataset", "seconds", "models"}
    shape = list(report.story.dataset.sample_shape)
    assert metrics["dataset"] == {
        "name": report.story.dataset.name,
        "n_train": 120,
        "n_test": 60,
        "image_shape": shape,
    }
    assert list(metrics["models"]) == ["dense", longer(report), "map", "linear", "pca-2", "pca-6"]
    labelled = report.story.dataset.test.labels is not None
    for entry in metrics["models"].values():
        assert set(entry) == FIELDS
        assert (entry["knn_accuracy"] is not None) == labelled
        assert all(value is None or math.isfinite(value) for value in entry.values())
    stages = {
        "load",
        "fit_dense",
        f"fit_{longer(report)}",
        "fit_map",
        "fit_linear",
        "fit_pca-2",
        "fit_pca-6",
        "evaluate",
        "tsne",
        "figures",
    }
    assert stages | {"page", "total"} == set(metrics["seconds"])


def test_the_folder_holds_what_it_should(report):
    assert {path.name for path in report.folder.iterdir()} == {"report.html", "metrics.json", "figures", "models"}
    assert {path.stem for path in (report.folder / "figures").iterdir()} == FIGURES
    assert {path.name for path in (report.folder / "models").iterdir()} == {"dense", longer(report), "map", "linear"}
    assert is_report(report.folder)


@pytest.mark.usefixtures("plain_figures")
def test_a_former_report_is_replaced_and_nothing_is_left_behind(tmp_path):
    dataset = small_dataset("3 classes")
    build_report(dataset, tmp_path / "out", make_model=quick, command="first")
    build_report(dataset, tmp_path / "out", make_model=quick, command="second")
    assert "second" in (tmp_path / "out" / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("broken", ["draw", "render", "evaluate"])
def test_a_failure_leaves_the_former_report_whole(tmp_path, monkeypatch, broken):
    dataset = small_dataset("3 classes")
    build_report(dataset, tmp_path / "out", make_model=quick)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module, broken, fail)
    with pytest.raises(KeyboardInterrupt):
        build_report(dataset, tmp_path / "out", make_model=quick)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(
    "foreign",
    [
        "thesis.tex",
        "figures/mine.svg",
        "figures/mine.png",
        "models/dense/notes.txt",
        "old/report.html",
        "models/my/config.json",
    ],
)
def test_foreign_files_are_never_deleted(tmp_path, foreign):
    dataset = small_dataset("3 classes")
    build_report(dataset, tmp_path / "out", make_model=quick)
    (tmp_path / "out" / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / "out" / foreign).write_text("years of work")
    with pytest.raises(OutputError, match="was not written by latentmap"):
        build_report(dataset, tmp_path / "out", make_model=lambda _: pytest.fail("trained before looking"))
    assert (tmp_path / "out" / foreign).read_text() == "years of work"


@pytest.mark.usefixtures("plain_figures")
def test_an_empty_folder_is_used_and_a_file_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    build_report(small_dataset("3 classes"), tmp_path / "empty", make_model=quick)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        build_report(small_dataset("3 classes"), tmp_path / "file", make_model=quick)
    with pytest.raises(OutputError):
        build_report(small_dataset("3 classes"), tmp_path / "file" / "below", make_model=quick)


@pytest.mark.usefixtures("plain_figures")
def test_stages_are_told_as_they_begin(tmp_path):
    told = []
    build_report(small_dataset("no labels"), tmp_path / "out", make_model=quick, progress=told.append)
    assert told[:3] == ["fit_dense", "fit_conv", "fit_map"]
    assert told[-1] == "page"


def test_other_models_can_be_compared(tmp_path):
    result = build_report(
        small_dataset("3 classes"), tmp_path / "out", specs=default_specs((8, 6, 1), 120)[1:2], make_model=quick
    )
    assert list(result.metrics["models"]) == ["conv", "pca-6"]
    assert {path.stem for path in (tmp_path / "out" / "figures").iterdir()} == FIGURES - {
        "map",
        "embedding",
        "pca",
        "latent_grid",
    }


@pytest.mark.parametrize("n", [3, 9])
def test_very_little_data_still_makes_a_report(tmp_path, n):
    dataset = small_dataset("3 classes", n_train=n + 3, n_test=n)
    build_report(dataset, tmp_path / "out", make_model=quick)
    assert (tmp_path / "out" / "report.html").is_file()


def test_too_few_samples_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="at least 3 samples in each split, got 120 and 2"):
        build_report(small_dataset("3 classes", n_test=2), tmp_path / "out")
