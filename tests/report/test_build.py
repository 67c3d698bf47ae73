"""What is written, when, and what is never overwritten."""

import json
import math
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from latentmap import Autoencoder, load_dataset, plot
from latentmap.errors import DatasetError, OutputError
from latentmap.report import ModelSpec, build_report, default_specs
from latentmap.report import build as build_module
from latentmap.report.build import is_report
from latentmap.report.figures import FIGURES
from latentmap.report.measured import Measuring, Stopwatch
from tests.report.conftest import blank, longer, make_report, quick, small_dataset
from tests.report.toy_figure import FIGURE as TOY

NAMES = {figure.name for figure in FIGURES}
FIELDS = {"latent_dim", "test_mse", "knn_accuracy", "trustworthiness", "fit_seconds", "n_parameters"}


@pytest.fixture
def plain(monkeypatch):
    """A report of one small model: without the slow figures, and with empty ones, for drawing takes seconds."""
    monkeypatch.setattr(
        build_module, "FIGURES", blank([figure for figure in FIGURES if not (figure.is_slow or figure.is_of_data)])
    )

    def make(folder, dataset=None, **arguments):
        dataset = dataset or small_dataset("3 classes")
        return build_report(dataset, folder, **{"specs": quick(dataset)[:1], **arguments})

    return make


def files(folder):
    """Every file below a folder, with what it holds."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_metrics_keep_their_contract(report):
    metrics = json.loads((report.folder / "metrics.json").read_text())
    assert metrics == report.metrics
    assert set(metrics) == {"dataset", "seconds", "models"}
    shape = list(report.experiment.dataset.sample_shape)
    assert metrics["dataset"] == {
        "name": report.experiment.dataset.name,
        "n_train": 120,
        "n_test": 60,
        "image_shape": shape,
    }
    assert list(metrics["models"]) == ["dense", longer(report), "map", "linear", "pca-2", "pca-6"]
    labelled = report.experiment.dataset.test.labels is not None
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
        "fit",
        "ranks",
        *(f"evaluate_{name}" for name in metrics["models"]),
        "growth",
        "tsne",
        "figures",
    }
    assert stages | {"page", "total"} == set(metrics["seconds"])


def test_the_folder_holds_what_it_should(report):
    assert {path.name for path in report.folder.iterdir()} == {
        "report.html",
        "explorer.html",
        "metrics.json",
        "figures",
        "models",
    }
    assert {path.stem for path in (report.folder / "figures").iterdir()} == NAMES
    assert {path.name for path in (report.folder / "models").iterdir()} == {"dense", longer(report), "map", "linear"}
    assert is_report(report.folder)


def test_a_former_report_is_replaced_and_nothing_is_left_behind(plain, tmp_path):
    plain(tmp_path / "out", command="first")
    plain(tmp_path / "out", command="second")
    assert "second" in (tmp_path / "out" / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("broken", ["build.make_figures", "build.render", "measured.evaluate"])
def test_a_failure_leaves_the_former_report_whole_and_the_models_kept(plain, tmp_path, monkeypatch, broken):
    plain(tmp_path / "out")
    before = files(tmp_path / "out")

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"latentmap.report.{broken}", fail)
        with pytest.raises(KeyboardInterrupt):
            plain(tmp_path / "out")
    assert files(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.unfinished"]
    monkeypatch.setattr(Autoencoder, "fit", lambda *_, **__: pytest.fail("fitted again what was kept"))
    result = plain(tmp_path / "out", resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert result.metrics["models"]["dense"]["fit_seconds"] > 0


def test_pca_serves_another_model_only_once_its_seconds_are_known():
    dataset = small_dataset("3 classes")
    small, large = (ModelSpec(f"of {size}", {"latent_dim": size}, "") for size in (2, 6))
    fitted = {
        spec.name: Autoencoder("linear", epochs=1, random_state=0, **spec.params).fit(dataset.train.X)
        for spec in (small, large)
    }

    class Watch(Stopwatch):
        @contextmanager
        def part(self, name):
            with super().part(name):
                yield
                if name == "fit_pca-6":  # as another thread may, between the fit and the note of how long it took
                    measuring.add(small, fitted[small.name])

    measuring = Measuring(dataset, Watch(0.0, None))
    measuring.add(large, fitted[large.name])
    assert [one.name for one in measuring.of([small, large])] == ["of 2", "of 6", "pca-2", "pca-6"]


def test_only_what_is_missing_or_changed_is_fitted_again(tmp_path, plain, monkeypatch):
    dataset = small_dataset("3 classes")
    whole = plain(tmp_path / "whole", specs=quick(dataset)[:3])
    fitted = []
    fit = Autoencoder.fit

    def stop_in_third(self, *args, **kwargs):
        fitted.append(self.latent_dim)
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(Autoencoder, "fit", stop_in_third)
    with pytest.raises(KeyboardInterrupt):
        plain(tmp_path / "out", specs=quick(dataset)[:3])
    first, second, third = quick(dataset)[:3]
    changed = replace(first, params={**first.params, "epochs": 1})
    result = plain(tmp_path / "out", specs=[changed, second, third], resume=True)
    assert fitted == [2, 6, 2, 2]  # the map, the longest codes, and dense, which is fitted again
    weights = [result.folder / "models" / name / "model.safetensors" for name in ("conv", "map")]
    assert [path.read_bytes() for path in weights] == [
        (whole.folder / path.relative_to(result.folder)).read_bytes() for path in weights
    ]


def test_without_resume_everything_is_fitted_and_what_is_not_ours_is_left(plain, tmp_path, monkeypatch):
    kept = tmp_path / "out.unfinished"
    with monkeypatch.context() as patch:
        patch.setattr(build_module, "render", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            plain(tmp_path / "out")
    (kept / "notes.txt").write_text("mine")
    weights = (kept / "dense" / "model.safetensors").read_bytes()
    result = plain(tmp_path / "out", seed=1)
    assert (result.folder / "models" / "dense" / "model.safetensors").read_bytes() != weights
    assert [path.name for path in kept.iterdir()] == ["notes.txt"]


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
def test_foreign_files_are_never_deleted(plain, tmp_path, monkeypatch, foreign):
    plain(tmp_path / "out")
    (tmp_path / "out" / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / "out" / foreign).write_text("years of work")
    monkeypatch.setattr(Autoencoder, "fit", lambda *_, **__: pytest.fail("trained before looking"))
    with pytest.raises(OutputError, match="holds something else than is to be written there"):
        plain(tmp_path / "out")
    assert (tmp_path / "out" / foreign).read_text() == "years of work"


def test_an_empty_folder_is_used_and_a_file_is_not(plain, tmp_path):
    (tmp_path / "empty").mkdir()
    plain(tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        plain(tmp_path / "file")
    with pytest.raises(OutputError):
        plain(tmp_path / "file" / "below")


def test_stages_are_told_once_as_they_begin(plain, tmp_path):
    told = []
    plain(tmp_path / "out", progress=told.append)
    assert told == ["fit", "figures", "page"]


def test_pca_of_very_many_numbers_is_not_fitted(plain, tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.analysis.baselines._MOST_COMPONENTS", 3)
    monkeypatch.setattr("latentmap.analysis.baselines.COVARIANCE_LIMIT", 62)
    dataset = small_dataset("3 classes")
    result = plain(tmp_path / "out", specs=quick(dataset)[:2])
    assert list(result.metrics["models"]) == ["dense", "conv", "pca-2", "pca-3"]
    assert "PCA has no more than 3 numbers here" in result.page.read_text()


def test_other_models_can_be_compared(tmp_path):
    dataset = small_dataset("3 classes")
    result = build_report(dataset, tmp_path / "out", specs=quick(dataset)[1:2])
    assert list(result.metrics["models"]) == ["conv", "pca-6"]
    assert {path.stem for path in (tmp_path / "out" / "figures").iterdir()} == NAMES - {
        "map",
        "embedding",
        "pca",
        "latent_grid",
    }


@pytest.mark.parametrize("n", [3, 9])
def test_very_little_data_still_makes_a_report(tmp_path, n):
    dataset = small_dataset("3 classes", n_train=n + 3, n_test=n)
    make_report(dataset, tmp_path / "out", specs=quick(dataset)[2:3])
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        ((32, 32, 1), {"dense": 2, "conv": None, "map": 2, "linear": 2}),
        (
            (32, 32, 3),
            {"strided": 128, "conv": None, "map": 2, "linear": 2},
        ),  # 2 numbers show nothing of a photograph
        ((12,), {"dense": 2, "residual": 6, "map": 2, "linear": 2}),
        ((3,), {"dense": 2, "map": 2, "linear": 2}),
        ((1,), {"dense": 1, "map": 1, "linear": 1}),
    ],
)
def test_the_models_suit_the_data(shape, named):
    assert {spec.name: spec.params.get("latent_dim") for spec in default_specs(shape, 100)} == named


@pytest.mark.parametrize("shape", [(32, 32, 3), (12,)])
def test_epochs_that_are_asked_for_are_those_of_all_models(shape):
    specs = default_specs(shape, 100, epochs=70)
    assert {spec.params["epochs"] for spec in specs} == {70}
    assert not any("short schedule" in spec.about for spec in specs)


def test_trained_models_are_shown_as_they_are(tmp_path, monkeypatch):
    dataset = small_dataset("3 classes")
    models = {
        "one": Autoencoder("dense", 2, epochs=2, random_state=0).fit(dataset.train.X),
        "two": Autoencoder("linear", 5, objective="denoising", epochs=1, random_state=0).fit(dataset.train.X),
    }
    codes = {name: model.transform(dataset.test.X) for name, model in models.items()}
    monkeypatch.setattr(Autoencoder, "fit", lambda *_, **__: pytest.fail("fitted something"))
    models["two"].save(tmp_path / "two")
    (tmp_path / "two" / "history.jsonl").unlink()
    models["two"] = Autoencoder.load(tmp_path / "two")  # it is shown without what is not known of it
    monkeypatch.setattr(build_module, "FIGURES", blank())
    report = build_report(dataset, tmp_path / "out", models=models)
    assert list(report.metrics["models"]) == ["one", "two", "pca-2", "pca-5"]
    assert report.metrics["models"]["one"]["fit_seconds"] == round(models["one"].history_[-1]["seconds"], 3)
    assert {path.stem for path in (report.folder / "figures").iterdir()} == NAMES - {"growth"}
    assert "dense, fitted before in 2 epochs" in report.page.read_text()
    for name, Z in codes.items():
        np.testing.assert_array_equal(Autoencoder.load(report.folder / "models" / name).transform(dataset.test.X), Z)


@pytest.mark.parametrize(("image_format", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_figures_are_written_in_the_format_that_is_asked_for(plain, tmp_path, image_format, begins):
    report = plain(tmp_path / "out", image_format=image_format, dpi=320)
    paths = list((report.folder / "figures").iterdir())
    assert {path.stem for path in paths} == NAMES - {"growth", "tsne"}
    assert {path.suffix for path in paths} == {f".{image_format}"}
    assert all(path.read_bytes().startswith(begins) for path in paths)
    if image_format == "png":
        for path in paths:
            with Image.open(path) as image:
                assert image.size == (320, 320)  # an inch each way
    assert "data:image/png" in report.page.read_text()
    assert is_report(report.folder)
    plain(tmp_path / "out")  # and is replaced


def test_too_few_samples_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="at least 3 samples in each split, got 120 and 2"):
        make_report(small_dataset("3 classes", n_test=2), tmp_path / "out")


def test_a_new_figure_is_one_module_and_one_entry(tmp_path, monkeypatch):
    dataset = small_dataset("3 classes")
    monkeypatch.setattr(build_module, "FIGURES", blank())
    build_module.FIGURES.append(TOY)
    report = make_report(dataset, tmp_path / "out", specs=quick(dataset)[:1])
    assert (report.folder / "figures" / "brightness.png").is_file()
    html = report.page.read_text()
    assert "How bright the images are" in html
    assert "The mean pixel of each of 60 test images." in html
    assert report.results["brightness"].shape == (60,)
    assert is_report(report.folder)
    vectors = make_report(small_dataset("vectors"), tmp_path / "vectors", specs=quick(dataset)[:1])
    assert not (vectors.folder / "figures" / "brightness.png").exists()  # nothing to show of vectors


def test_measurements_colour_pictures_and_are_no_classes(tmp_path):
    X = np.random.default_rng(0).normal(size=(80, 6))
    table = tmp_path / "sheet.csv"
    np.savetxt(table, np.c_[X, 3 * X[:, 0]], "%.6f", ",", header="a,b,c,d,e,f,price", comments="")
    dataset = load_dataset(table, label="price")
    specs = [ModelSpec("dense", {"model": "dense", "latent_dim": 2, "epochs": 2}, "")]
    report = make_report(dataset, tmp_path / "out", specs=specs)
    page = report.page.read_text()
    assert "none: coloured by price" in page
    assert "classes: price colours the pictures" in page
    assert "coloured by price, which the model never saw" in page
    scores = report.metrics["models"]["dense"]
    assert scores["knn_accuracy"] is None
    assert 0.1 < scores["knn_r2"] < 1
    assert f"kNN R² {scores['knn_r2']:.2f}" in report.experiment.code_map(report.experiment.models[0]).scores
    assert "how much of price the mean of the 10 nearest" in page
    explored = (report.folder / "explorer.html").read_text()
    assert '"values": {"name": "price"' in explored or '"values":{"name":"price"' in explored
    codes = plot.map(report.experiment.models[0].model, dataset).shown
    np.testing.assert_allclose(codes.values, dataset.test.values)
    assert codes.values_name == "price"
    (compared,) = plot.compare(report.experiment.models[0].model, dataset).shown
    assert compared.knn_r2 == pytest.approx(scores["knn_r2"])
