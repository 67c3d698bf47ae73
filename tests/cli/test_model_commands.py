import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from latentmap import Autoencoder, load_dataset
from latentmap.models import MODELS

from .test_frame import is_one_line, refused


@pytest.fixture(scope="module")
def digits8():
    return load_dataset("digits", size=8)


@pytest.fixture(scope="module")
def ae(model):
    return Autoencoder.load(model)


# ---- fit -----------------------------------------------------------------------------------------------------------


def test_fit_writes_the_model_that_the_estimator_would(latentmap, tmp_path, digits8):
    done = latentmap(
        "fit", "digits", "-o", "models/m", "--model", "linear", "--latent-dim", 3, "--epochs", 2, "--size", 8,
        "--limit", 300, "--seed", 5,
    )  # fmt: skip
    assert (done.status, done.out) == (0, "models/m\n")
    loaded = Autoencoder.load(tmp_path / "models" / "m")
    wanted = Autoencoder("linear", 3, epochs=2, random_state=5).fit(digits8.limit(300).train.images)
    np.testing.assert_array_equal(loaded.transform(digits8.test.images), wanted.transform(digits8.test.images))
    assert re.fullmatch(
        f"latentmap: linear with 3 numbers: validation loss {loaded.history_[0]['valid_loss']:.4g} after 2 epochs in "
        r"\d+ s, that of its start, which is PCA: no epoch was better by more than noise. Next: latentmap evaluate "
        r"models/m digits\n",
        done.err,
    )
    few = latentmap("fit", "digits", "--size", 8, "--latent-dim", 16, "--limit", 100, "--epochs", 1, "-o", "few").err
    assert "(low, for the components that it starts from are those of the validation part too). Next:" in few
    assert loaded.metadata_ == {
        "dataset": "digits",
        "class_names": list("0123456789"),
        "reading": {"height": 8, "width": 8, "channels": 1, "fit": "crop"},
        "split": "given",
    }


def test_fit_hands_its_options_to_the_estimator(latentmap, tmp_path):
    done = latentmap(
        "fit", "digits", "-o", "m", "--size", 8, "--limit", 60, "--epochs", 2, "--batch-size", 10, "--learning-rate",
        0.01, "--patience", 5, "--precision", "float32", "--device", "cpu",
    )  # fmt: skip
    assert done.status == 0
    ae = Autoencoder.load("m")
    wanted = {"batch_size": 10, "learning_rate": 0.01, "patience": 5, "precision": "float32", "device": "cpu"}
    assert {name: ae.get_params()[name] for name in wanted} == wanted
    assert ae.history_[0]["learning_rate"] < 0.01


def test_fit_begins_again_only_by_force(latentmap, tmp_path):
    from latentmap.training.checkpoints import Checkpoints, Snapshot

    fit = ("fit", "digits", "-o", "m", "--size", 8, "--limit", 60, "--epochs", 1)
    Checkpoints("m.unfinished", {"epochs": 9}).save(Snapshot({}, {}))
    done = latentmap(*fit)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "m.unfinished holds an interrupted run" in done.err
    assert latentmap(*fit, "--resume", "--force").status == 2
    assert not Path("m").exists()
    assert latentmap(*fit, "--force").status == 0
    assert not Path("m.unfinished").exists()


def test_fit_with_resume_and_nothing_to_resume_begins(latentmap):
    done = latentmap("fit", "digits", "-o", "m", "--size", 8, "--limit", 60, "--epochs", 1, "--resume")
    assert (done.status, done.err.count("\n")) == (0, 1)


def test_fit_finds_out_before_training_that_it_cannot_write(latentmap, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("mine")
    monkeypatch.setattr(Autoencoder, "fit", lambda *_, **__: pytest.fail("trained for nothing"))
    done = latentmap("fit", "digits", "-o", "a file/m")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "m cannot be written" in done.err


def test_fit_writes_for_tensorboard(latentmap, tmp_path):
    pytest.importorskip("tensorboard")
    done = latentmap("fit", "digits", "-o", "m", "--size", 8, "--limit", 60, "--epochs", 3, "--tensorboard", "logs")
    assert done.status == 0
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("logs").Reload()
    assert set(events.Tags()["scalars"]) == {"loss/train", "loss/validation", "learning_rate"}
    history = Autoencoder.load("m").history_[1:]  # the first is where it began
    assert [event.step for event in events.Scalars("loss/train")] == [1, 2, 3]
    assert [e.value for e in events.Scalars("loss/train")] == pytest.approx([row["train_loss"] for row in history])


def test_fit_refuses_to_replace_what_it_did_not_write(latentmap, tmp_path):
    (tmp_path / "thesis").write_text("years")
    done = latentmap("fit", "digits", "-o", "thesis", "--size", 8, "--limit", 50, "--epochs", 1)
    is_one_line(done, 1)
    assert "thesis exists and holds something else than is to be written there" in done.err
    assert (tmp_path / "thesis").read_text() == "years"


# ---- encode and decode ---------------------------------------------------------------------------------------------


def test_encode_writes_the_same_codes_in_every_format(latentmap, tmp_path, model, ae, digits8):
    for suffix in ("npy", "csv", "parquet"):
        done = latentmap("encode", model, "digits", "-o", f"codes.{suffix}")
        assert (done.status, done.out, done.err) == (0, f"codes.{suffix}\n", "")
    wanted = np.concatenate([ae.transform(digits8.train.images), ae.transform(digits8.test.images)])
    codes = np.load(tmp_path / "codes.npy")
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, wanted, rtol=1e-5, atol=1e-5)
    tables = [pd.read_csv(tmp_path / "codes.csv", dtype={"class": str}), pd.read_parquet(tmp_path / "codes.parquet")]
    for table in tables:
        assert list(table) == ["split", "class", "z1", "z2"]
        np.testing.assert_array_equal(table[["z1", "z2"]].to_numpy(np.float32), codes)
        assert list(table["split"]) == ["train"] * 1437 + ["test"] * 360
        labels = np.concatenate([digits8.train.labels, digits8.test.labels])
        assert list(table["class"]) == [str(label) for label in labels]


@pytest.mark.parametrize(("split", "n"), [("train", 1437), ("test", 360), ("all", 1797)])
def test_encode_takes_the_split_asked_for(latentmap, tmp_path, model, split, n):
    assert latentmap("encode", model, "digits", "-o", "codes.npy", "--split", split).status == 0
    assert np.load(tmp_path / "codes.npy").shape == (n, 2)


def test_encoding_piece_by_piece_gives_the_same(latentmap, tmp_path, model, monkeypatch):
    latentmap("encode", model, "digits", "-o", "whole.npy")
    monkeypatch.setattr("latentmap.cli.model_commands._PIECE", 100)
    latentmap("encode", model, "digits", "-o", "pieces.npy")
    np.testing.assert_allclose(np.load(tmp_path / "pieces.npy"), np.load(tmp_path / "whole.npy"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_encode_then_decode_is_inverse_transform_of_transform(latentmap, tmp_path, model, ae, digits8, suffix):
    latentmap("encode", model, "digits", "-o", f"codes.{suffix}", "--split", "test")
    done = latentmap("decode", model, f"codes.{suffix}", "-o", "images.npy")
    assert (done.status, done.out) == (0, "images.npy\n")
    X = digits8.test.images
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), ae.inverse_transform(ae.transform(X)))


def test_decode_writes_a_picture_per_code(latentmap, tmp_path, model, ae, digits8):
    latentmap("encode", model, "digits", "-o", "codes.npy", "--split", "test", "--limit", 12)
    done = latentmap("decode", model, "codes.npy", "-o", "pictures")
    assert (done.status, done.out) == (0, "pictures\n")
    paths = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(paths) == 12
    pixels = np.array([np.asarray(Image.open(path).convert("L")) for path in paths], float)
    wanted = ae.inverse_transform(ae.transform(digits8.limit(12).test.images))[..., 0]
    assert np.abs(pixels - wanted).max() <= 1


def test_codes_of_another_model_are_refused(latentmap, tmp_path, model):
    np.save(tmp_path / "codes.npy", np.zeros((4, 5), np.float32))
    done = latentmap("decode", model, "codes.npy", "-o", "images.npy")
    is_one_line(done, 1)
    assert "codes.npy must hold codes of 2 numbers each, got shape (4, 5)" in done.err


# ---- looking -------------------------------------------------------------------------------------------------------


def test_info_says_what_a_model_is(latentmap, model, ae):
    done = latentmap("info", model)
    assert (done.status, done.err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert rows["model"] == "dense"
    assert rows["latent_dim"] == "2"
    assert rows["parameters"] == str(ae.n_parameters_)
    assert rows["reading"] == "height 8, width 8, channels 1, fit crop"
    assert rows["class_names"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    loss = next(row["valid_loss"] for row in ae.history_ if row["epoch"] == ae.best_epoch_)
    assert rows["validation_loss"] == f"{loss:.4g}"
    assert json.loads(latentmap("info", model, "--json").out) == {**ae.describe(), "validation_loss": loss}


KINDS = {name: ("bytes", "floats", *([] if MODELS[name].images_only else ["vectors"])) for name in sorted(MODELS)}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in KINDS.items() for kind in kinds])
def test_what_files_state_is_what_the_model_is(latentmap, monkeypatch, digits8, vectors, name, kind):
    images = digits8.train.images[:60]
    X = {"bytes": images, "floats": images / np.float32(100) - 1, "vectors": vectors[:60]}[kind]
    ae = Autoencoder(name, epochs=2, random_state=0).fit(X)
    ae.save("m")
    loss = next(row["valid_loss"] for row in ae.history_ if row["epoch"] == ae.best_epoch_)
    wanted = {**ae.describe(), "validation_loss": loss}
    monkeypatch.setattr(Autoencoder, "load", lambda _: pytest.fail("the model was loaded"))
    assert json.loads(latentmap("info", "m", "--json").out) == wanted


def test_a_damaged_model_is_refused_by_name(latentmap, model):
    shutil.copytree(model, "m")
    weights = Path("m", "model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    assert refused(latentmap("info", "m"), 1, "model.safetensors is truncated or damaged")
    Path("m", "config.json").write_text(
        Path("m", "config.json").read_text().replace('"format_version": 3', '"format_version": 9')
    )
    assert refused(latentmap("info", "m"), 1, "has format_version 9")


def test_evaluate_measures_the_model_beside_pca(latentmap, model, ae, digits8):
    done = latentmap("evaluate", model, "digits", "--json")
    assert (done.status, done.err) == (0, "")
    results = json.loads(done.out)
    assert list(results) == ["dense", "pca-2"]
    for row in results.values():
        assert list(row) == ["latent_dim", "test_mse", "knn_accuracy", "trustworthiness"]
    X = digits8.test.images
    # In [0, 1], or in the units of X: the same figure as the estimator's own
    errors = np.mean((X - ae.inverse_transform(ae.transform(X))) ** 2)
    assert results["dense"]["test_mse"] in (pytest.approx(errors, rel=1e-3), pytest.approx(errors / 255**2, rel=1e-3))
    assert 0.1 < results["pca-2"]["knn_accuracy"] < 0.9
    assert 0.5 < results["pca-2"]["trustworthiness"] < 1
    table = latentmap("evaluate", model, "digits").out.splitlines()
    assert table[0].split() == ["model", "latent_dim", "test_mse", "knn_accuracy", "trustworthiness"]
    assert [line.split()[0] for line in table[1:]] == ["dense", "pca-2"]
    assert float(table[1].split()[2]) == pytest.approx(results["dense"]["test_mse"], rel=1e-3)


def test_dates_are_written_as_dates(latentmap, tmp_path):
    day = pd.date_range("2021-01-01", periods=60, freq="8D").astype(str).where(np.arange(60) != 5, "")
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc")).assign(day=day)
    rows.to_csv(tmp_path / "dated.csv", index=False)
    rows.assign(day=1950 + np.arange(60)).to_csv(tmp_path / "years.csv", index=False)
    assert latentmap("fit", "dated.csv", "-o", "m", "--label", "day", "--model", "linear", "--epochs", 1).status == 0
    assert latentmap("encode", "m", "dated.csv", "-o", "codes.csv").status == 0
    assert pd.read_csv(tmp_path / "codes.csv", keep_default_na=False)["day"].tolist() == [*day]
    assert latentmap("fit", "years.csv", "-o", "y", "--label", "day", "--model", "linear", "--epochs", 1).status == 0
    assert latentmap("encode", "y", "years.csv", "-o", "years-codes.csv").status == 0
    assert pd.read_csv(tmp_path / "years-codes.csv")["day"].tolist() == [*range(1950, 2010)]


def test_new_data_is_measured_and_drawn_to_the_last_row(latentmap, tmp_path, digits8):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(60, 4)) * [1, 2, 3, 4], columns=list("abcd")).assign(kind=["x", "y"] * 30)
    rows.to_csv(tmp_path / "known.csv", index=False)
    rows[:41].to_csv(tmp_path / "new.csv", index=False)
    rows[:1].to_csv(tmp_path / "one.csv", index=False)
    assert latentmap("fit", "known.csv", "-o", "m", "--label", "kind", "--latent-dim", 2, "--epochs", 1).status == 0
    part, whole = (latentmap("evaluate", "m", "new.csv", *more) for more in ([], ["--split", "all"]))
    assert "8 of 41 samples are taken" in part.err
    assert "--split all" in part.err
    assert "PCA is fitted to the samples that it is measured on." in whole.err
    assert "of the samples 51.2% are of one class, x." in whole.err
    accuracy = float(whole.out.splitlines()[1].split()[3])  # by cross-validation: no sample is its own neighbour
    assert 0.2 < accuracy < 0.8
    alone = latentmap("evaluate", "m", "one.csv", "--split", "all", "--json")
    assert json.loads(alone.out)["dense"]["knn_accuracy"] is None
    X = rows[:1][list("abcd")].to_numpy(np.float32)
    ae = Autoencoder.load(tmp_path / "m")
    assert json.loads(alone.out)["dense"]["test_mse"] == pytest.approx(ae.anomaly_score(X)[0], rel=1e-3)
    assert "at random: m learned from other data, perhaps with some of these in it" in part.err
    assert "PCA is fitted to the other 33 samples of this data" in part.err
    own = latentmap("evaluate", "m", "known.csv").err
    assert "12 of 60 samples are taken, the random part that fit keeps for testing" in own
    assert "other data" not in latentmap("evaluate", "m", "known.csv", "--limit", 20).err  # that can't be told
    drawn = latentmap("draw", "m", "new.csv", "-o", "all.svg", "--split", "all")
    assert drawn.err == ""
    svg = (tmp_path / "all.svg").read_text()
    assert "<!-- 41 samples" in svg
    assert "training codes" not in svg
    assert latentmap("draw", "m", "new.csv", "-o", "network.svg", "--kind", "network").err == ""
    assert latentmap("explore", "m", "new.csv", "-o", "e.html", "--split", "all").status == 0
    assert '"of": 41' in (tmp_path / "e.html").read_text(encoding="utf-8")


def test_evaluate_says_where_classes_are_too_small_for_ten_neighbours(latentmap, model):
    said = "10 of 10 classes have fewer than 10 training images, the smallest 6: most of the 10 nearest neighbours"
    assert said in latentmap("evaluate", model, "digits", "--limit", 60).err
    assert said not in latentmap("evaluate", model, "digits", "--limit", 150).err


def test_evaluate_says_where_pca_is_no_match_and_takes_objectives_it_does_not_know(latentmap, tmp_path, digits8):
    place = tmp_path / "m"
    Autoencoder("linear", 62, epochs=1).fit(digits8.train.images).save(place)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "objective": "somebody's"}))
    done = latentmap("evaluate", place, "digits", "--limit", 60, "--json")
    assert done.status == 0, done.err
    assert list(json.loads(done.out)) == ["linear"]
    assert "PCA has 60 numbers at most here: it is no match for 62." in done.err
    assert latentmap("generate", place, "--samples", 4, "-o", "new.png").status == 0


def test_explore_writes_a_page_of_one_model_or_more(latentmap, tmp_path, model):
    done = latentmap("explore", model, model, "digits", "-o", "explorer.html", "--limit", 40)
    assert (done.status, done.out) == (0, "explorer.html\n")
    page = (tmp_path / "explorer.html").read_text(encoding="utf-8")
    assert '"of": 360' in page
    assert "latentmap explore" in page
    again = latentmap("explore", model, "digits", "-o", "explorer.html")
    assert again.status == 1
    assert "--force" in again.err
    alone = latentmap("explore", model, "-o", "other.html")
    assert alone.status == 2
    assert "at least one model folder and the data" in alone.err


def test_draw_draws_what_is_asked_for(latentmap, tmp_path, model, monkeypatch):
    from latentmap import plot

    seen = {}
    for kind in ("map", "reconstructions", "latent_grid", "medians", "interpolation", "strangest", "tsne", "history",
                 "compare", "network"):  # fmt: skip
        assert kind in plot.__all__
        monkeypatch.setattr(
            plot, kind, lambda models, data, kind=kind: seen.update({kind: (models, data)}) or Figure()
        )
        assert latentmap("draw", model, "digits", "-o", f"{kind}.svg", "--kind", kind).out == f"{kind}.svg\n"
        assert [list(models) for models, _ in [seen[kind]]] == [["model (2)"]]
    assert len(seen["map"][1].test) == 360


def test_draw_writes_pictures_of_one_model_and_of_several(latentmap, tmp_path, model):
    assert latentmap("draw", model, "digits", "-o", "map.png", "--dpi", 50).status == 0
    with Image.open(tmp_path / "map.png") as image:
        assert image.size[0] == 400
    assert latentmap("draw", model, model, "digits", "-o", "c.svg", "--pca").status == 0
    assert latentmap("draw", model, "digits", "-o", "g.png", "--kind", "growth", "--limit", 40).status == 0
    svg = (tmp_path / "c.svg").read_text()
    assert all(f"<!-- {name} (2) -->" in svg for name in ("model", "model-2", "PCA"))


def test_draw_refuses_what_it_cannot_draw(latentmap, tmp_path, model):
    noise = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
    refused(latentmap("draw", model, "-o", "x.png"), 2, "at least one model folder and the data")
    several = latentmap("draw", model, model, "digits", "-o", "x.png", "--kind", "strangest")
    refused(several, 2, "model must be one model, got 2")
    Autoencoder("linear", 3, epochs=1).fit(noise).save(tmp_path / "m")
    refused(
        latentmap("draw", "m", "digits", "-o", "x.png"), 2, "codes must have 2 numbers to be a map, got 3 of m (3)"
    )
    Autoencoder("linear", 2, epochs=1).fit(noise[:, 2:, 2:]).save(tmp_path / "n")
    refused(latentmap("draw", model, "n", "digits", "-o", "x.png"), 1, "n takes samples of another shape or kind")
    assert not (tmp_path / "x.png").exists()


def test_a_report_of_a_trained_model_reads_as_it_was_fitted(latentmap, tmp_path, model, monkeypatch):
    from latentmap.report import build

    monkeypatch.setattr(build, "FIGURES", [one for one in build.FIGURES if one.name in ("training", "network")])
    done = latentmap("report", "digits", "--model", model, "-o", "page", "--limit", 40, "--format", "svg", "--dpi", 50)
    assert (done.status, done.out) == (0, "page/report.html\n"), done.err
    assert sorted(path.name for path in (tmp_path / "page" / "figures").iterdir()) == ["network.svg", "training.svg"]
    metrics = json.loads((tmp_path / "page" / "metrics.json").read_text())
    assert (list(metrics["models"]), metrics["dataset"]["image_shape"]) == (["model", "pca-2"], [8, 8, 1])
    assert f"--model {model}" in (tmp_path / "page" / "report.html").read_text()
    refused(
        latentmap("report", "digits", "--model", model, "--size", 16, "-o", "y"), 2, "--size must be left out with"
    )
    told = latentmap("report", "digits", "--model", model, "--objective", "neighbors", "-o", "y")
    refused(told, 2, "--objective must be left out with --model: nothing is trained")


@pytest.mark.parametrize("words", [("generate", "no-model", "digits"),
                                   ("interpolate", "no-model", "digits", "--from", 1, "--to", 2)])  # fmt: skip
def test_a_wrong_ending_is_refused_before_anything_is_read(latentmap, words):
    done = latentmap(*words, "-o", "walk.jpg")
    assert (done.status, done.out) == (2, "")
    assert "output must end in .png, .svg, .pdf, got walk.jpg" in done.err


def test_generate_draws_a_picture(latentmap, tmp_path, model):
    done = latentmap("generate", model, "digits", "-o", "medians.png")
    assert (done.status, done.out) == (0, "medians.png\n")
    assert np.asarray(Image.open(tmp_path / "medians.png").convert("L")).std() > 5


def test_interpolate_draws_a_picture(latentmap, tmp_path, model):
    done = latentmap("interpolate", model, "digits", "--from", 3, "--to", 7, "-o", "walk.png", "--steps", 5)
    assert (done.status, done.out) == (0, "walk.png\n")
    assert np.asarray(Image.open(tmp_path / "walk.png").convert("L")).std() > 5


def test_interpolate_walks_between_classes_and_says_which_images_it_took(latentmap, model, ae, digits8):
    done = latentmap("interpolate", model, "digits", "--from-class", 3, "--to", 7, "-o", "walk.png", "--steps", 2)
    assert done.status == 0
    labels = digits8.test.labels
    start, first, end, last = re.fullmatch(
        r"latentmap: from test sample (\d+) \(class (\d)\) to test sample (\d+) \(class (\d)\).\n", done.err
    ).groups()
    assert (int(first), int(end), int(last)) == (3, 7, labels[7])
    threes = ae.transform(digits8.test.images[labels == 3])
    distances = np.linalg.norm(threes - np.median(threes, axis=0), axis=1)
    assert int(start) == np.flatnonzero(labels == 3)[distances.argmin()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from-class", "3"), "either --to-class or --to must be given"),
        (
            ("--from-class", "3", "--from", "4", "--to", "5"),
            "--from-class and --from exclude each other: give one of them, not both.",
        ),
        (("--from-class", "10", "--to", "5"), "--from-class must be a class that the test split has (0, 1, 2, 3"),
        (("--from", "0", "--to-class", "three"), "got 'three'"),
    ],
)
def test_interpolate_refuses_classes_that_are_not_there(latentmap, model, options, message):
    refused(latentmap("interpolate", model, "digits", *options, "-o", "walk.png"), 2, message)


def test_names_are_spelled_as_in_figures_and_order_the_terminal_nothing(latentmap, digits8):
    names = ["plain", "\x1b[31mred\x07", os.fsdecode(b"gr\xfcn")]
    for i, image in enumerate(digits8.train.images[:18]):
        Path("photos", names[i % 3]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(Path("photos", names[i % 3], f"{i}.png"))
    assert latentmap("fit", "photos", "-o", "m", "--model", "linear", "--epochs", 1).status == 0
    walk = ("interpolate", "m", "photos", "--from", 0, "--to-class")
    said = [latentmap(*walk, name, "-o", "walk.png", "--force").err for name in [*names, "none"]]
    said.append(latentmap("info", "m").out)
    assert not any("\x1b" in one or "\udcfc" in one for one in said)
    assert r"(class \x1b[31mred\x07, " in said[1]
    assert r"(class gr\xfcn, " in said[2]
    assert all(r"\x1b[31mred\x07, gr\xfcn, plain" in one for one in said[3:])


@pytest.mark.parametrize(("start", "end", "option"), [(360, 1, "--from"), (0, -1, "--to"), (0, 1000, "--to")])
def test_interpolate_refuses_images_that_are_not_there(latentmap, model, start, end, option):
    done = latentmap("interpolate", model, "digits", "--from", start, "--to", end, "-o", "walk.png")
    is_one_line(done, 2)
    assert f"{option} must be from 0 to 359, got " in done.err


# ---- onnx ----------------------------------------------------------------------------------------------------------


def test_export_writes_graphs_and_says_how_to_run_them(latentmap, tmp_path, model, ae, digits8):
    pytest.importorskip("onnxruntime")
    done = latentmap("export", model, "-o", "onnx")
    assert (done.status, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first.startswith("onnx: encoder.onnx and decoder.onnx, largest difference from PyTorch ")
    assert len(lines) == 3
    scope = {"X": digits8.test.images}
    code = "\n".join(line.strip() for line in lines)
    exec(code, scope)  # noqa: S102  # the three lines, as people paste them
    np.testing.assert_allclose(scope["codes"], ae.transform(digits8.test.images), rtol=1e-3, atol=1e-3)


def test_evaluate_by_onnx_gives_the_same_figures(latentmap, model):
    pytest.importorskip("onnxruntime")
    by_torch = json.loads(latentmap("evaluate", model, "digits", "--json").out)
    by_onnx = json.loads(latentmap("evaluate", model, "digits", "--json", "--runtime", "onnx").out)
    for name, row in by_torch.items():
        assert by_onnx[name] == pytest.approx(row, rel=1e-3)


def test_export_without_the_extra_says_how_to_get_it(latentmap, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = latentmap("export", model, "-o", "onnx")
    is_one_line(done, 1)
    assert "pip install 'latentmap[onnx]'" in done.err


# ---- samples, objectives, sizes ------------------------------------------------------------------------------------


def test_samples_are_drawn_as_a_picture_or_as_numbers(latentmap, tmp_path, model, ae):
    done = latentmap("generate", model, "--samples", 12, "-o", "samples.png")
    assert (done.status, done.out) == (0, "samples.png\n")
    with Image.open(tmp_path / "samples.png") as picture:
        assert min(picture.size) > 100
    assert latentmap("generate", model, "--samples", 12, "--seed", 3, "-o", "samples.npy").status == 0
    np.testing.assert_array_equal(np.load("samples.npy"), ae.sample(12, random_state=3))


@pytest.mark.parametrize(("objective", "latent_dim", "said"), [
    ("reconstruction", 17, True), ("reconstruction", 16, False), ("variational", 17, False),
])  # fmt: skip
def test_a_mixture_of_too_many_dimensions_is_pointed_out(latentmap, vectors, objective, latent_dim, said):
    X = np.hstack([vectors] * 3)
    Autoencoder("linear", latent_dim, objective=objective, epochs=1, random_state=0).fit(X).save("m")
    done = latentmap("generate", "m", "--samples", 2, "-o", "samples.npy")
    assert done.status == 0
    assert ("codes of 17 numbers are more than a mixture" in done.err) == said


def test_a_class_needs_its_data_and_vectors_are_no_picture(latentmap, tmp_path, model, vectors):
    assert refused(latentmap("generate", model, "-o", "x.png"), 2, "SOURCE must be given, or --samples")
    Autoencoder("linear", 2, epochs=1, random_state=0).fit(vectors).save("v")
    refusal = latentmap("generate", "v", "--samples", 3, "-o", "x.png")
    assert refused(refusal, 2, "output must end in .npy, .csv, .parquet, for this model draws vectors; got x.png")
    assert latentmap("generate", "v", "--samples", 3, "-o", "x.npy").status == 0
    assert np.load("x.npy").shape == (3, 6)


def test_an_objective_and_its_settings_reach_the_estimator(latentmap, tmp_path):
    fit = ("fit", "digits", "-o", "m", "--size", 8, "--limit", 60, "--epochs", 1, "--objective", "variational")
    assert latentmap(*fit, "--objective-param", "beta=4", "--objective-param", "warm_up=0.5").status == 0
    ae = Autoencoder.load("m")
    assert (ae.objective, ae.objective_params) == ("variational", {"beta": 4, "warm_up": 0.5})
    found = json.loads(latentmap("evaluate", "m", "digits", "--limit", 60, "--json").out)
    assert 0 <= found["dense"]["active_units"] <= 2
    assert found["pca-2"]["active_units"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objective-param", "beta"), "--objective-param must be NAME=NUMBER, got 'beta'"),
        (("--objective", "variational", "--objective-param", "bta=1"), "Did you mean 'beta'?"),
        (("--objective", "neighbor"), "Did you mean 'neighbors'?"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "report", "sweep"])
def test_wrong_objectives_are_refused_before_anything_is_read(latentmap, tmp_path, command, words, message):
    refusal = latentmap(command, "digits", "-o", "x.png", *words)
    assert refused(refusal, 2, message)
    assert not (tmp_path / "x.png").exists()


def test_a_sweep_prints_a_table_and_a_recommendation_and_draws(latentmap, tmp_path):
    words = ("sweep", "digits", "--size", 8, "--limit", 200, "--model", "linear", "--epochs", 3)
    done = latentmap(*words, "--latent-dims", "2,8", "-o", "sweep.png")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["latent_dim", "linear", "MSE", "PCA", "MSE", "linear", "kNN", "PCA", "kNN"]
    assert max(map(len, lines[:4])) <= 80
    trained = [line.split(":")[1] for line in done.err.splitlines() if "validation loss" in line]
    assert trained == [" linear with 2 numbers", " linear with 8 numbers"]
    assert [line.split()[0] for line in lines[1:3]] == ["2", "8"]
    assert lines[-2].startswith(("Take PCA with 8 numbers: on validation", "No size is recommended: on validation"))
    assert lines[-1].startswith("The table is of the test split")
    with Image.open(tmp_path / "sweep.png") as picture:
        assert min(picture.size) > 100
    found = json.loads(latentmap(*words, "--latent-dims", "2", "--json").out)
    assert found["recommended"] is None  # a linear model is PCA
    assert found["reason"].startswith("Take PCA with 2 numbers")
    assert set(found["model"][0]) == {"latent_dim", "test_mse", "knn_accuracy", "held", "held_accuracy"}


@pytest.mark.parametrize("sizes", ["2,x", "0", "", "2,,4"])
def test_sizes_must_be_a_list_of_whole_numbers(latentmap, sizes):
    refusal = latentmap("sweep", "digits", "--latent-dims", sizes)
    assert refused(refusal, 2, "--latent-dims must be whole numbers of at least 1 with commas between")


# ---- units ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("described", [False, True])
@pytest.mark.parametrize("kind", ["bytes", "0 to 1", "-1000 to 3000"])
def test_a_model_fitted_in_python_is_used_in_its_own_units(latentmap, digits8, kind, described):
    images = digits8.train.images[:60, ..., 0]
    X = {"bytes": images, "0 to 1": images / 255, "-1000 to 3000": images / 255 * 4000 - 1000}[kind]
    ae = Autoencoder("linear", epochs=1, random_state=0).fit(X)
    ae.save("m", metadata=digits8.facts if described else None)
    Path("photos").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(f"photos/{i}.png")
    np.save("x.npy", X)
    for source in ("photos",) if described else ("photos", "x.npy"):
        done = latentmap("encode", "m", source, "-o", "z.npy", "--force")
        assert done.status == 0
        np.testing.assert_allclose(np.load("z.npy"), ae.transform(X), rtol=1e-3, atol=1e-3)
    assert latentmap("encode", "m", "digits", "-o", "d.npy").status == 0
    done = latentmap("interpolate", "m", "photos", "--from", 0, "--to", 1, "-o", "walk.png")
    assert done.status == 0
    done = latentmap("evaluate", "m", "photos", "--json")
    assert json.loads(done.out)["linear"]["test_mse"] < 1  # with pixels from 0 to 1
    note = "pixels from 0 to 255 are taken as black to white, as"
    assert (note in done.err) == (kind != "bytes" and not described)


def test_every_command_takes_images_of_more_than_8_bits(latentmap, digits8):
    images = digits8.train.images[:40].astype(np.uint16) * 16
    for image, label in zip(images, digits8.train.labels, strict=False):
        Path("deep", str(label % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(f"deep/{label % 2}/{len(list(Path('deep').rglob('*.png')))}.png")
    fit = ("fit", "deep", "-o", "m", "--model", "linear", "--epochs", 1)
    done = latentmap(*fit)
    said = "latentmap: pixels from 0 to 4,095 are taken as black to white, with more than 256 levels.\n"
    assert done.status == 0
    assert done.err.startswith(said)
    assert latentmap("encode", "m", "deep", "-o", "z.npy").status == 0
    assert latentmap("decode", "m", "z.npy", "-o", "decoded").status == 0
    decoded = np.stack([np.asarray(Image.open(path)) for path in sorted(Path("decoded").iterdir())])
    assert decoded.shape == (40, 8, 8)
    assert decoded.dtype == np.uint16  # in the units of the files
    assert 0.9 < decoded.mean() / images.mean() < 1.1
    assert latentmap("generate", "m", "deep", "-o", "medians.png").status == 0
    assert latentmap("generate", "m", "--samples", 4, "-o", "new.png").status == 0
    assert latentmap("interpolate", "m", "deep", "--from", 0, "--to", 1, "-o", "walk.png").status == 0
    assert json.loads(latentmap("evaluate", "m", "deep", "--json").out)["linear"]["test_mse"] < 0.2


def test_commands_refine(latentmap, tmp_path):
    def done(*words):
        found = latentmap(*words)
        assert found.status == 0, found.err
        return found.out

    done("fit", "digits", "--size", "8", "--limit", "200", "-o", "model", "--epochs", "2", "--latent-dim", "8")
    before, after = (
        json.loads(done("evaluate", "model", "digits", "--limit", "100", "--json", *words))["dense"]
        for words in (("--refine", "0"), ("--refine", "2"))
    )
    assert after["test_mse"] < 0.95 * before["test_mse"]
    done("encode", "model", "digits", "-o", "codes.npy", "--split", "test", "--refine", "2")
    ae = Autoencoder.load(tmp_path / "model").set_params(refine=2)
    ae.save(tmp_path / "refined")
    assert json.loads(done("info", "refined", "--json"))["refine"] == 2
    np.testing.assert_array_equal(
        np.load(tmp_path / "codes.npy"), ae.transform(load_dataset("digits", size=8).test.images)
    )
    refused = latentmap("evaluate", "model", "digits", "--refine", "1", "--runtime", "onnx")
    assert refused.status != 0
    assert "--refine must be auto or 0 with --runtime onnx" in refused.err
    assert latentmap("encode", "model", "digits", "-o", "c.npy", "--refine", "-1").status == 2


def test_rows_without_a_label_neither_vote_nor_count(latentmap, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    frame["kind"] = np.where(frame.a > 0, "up", "down")
    frame.a *= 5
    frame.loc[rng.permutation(300)[:150], "kind"] = None
    frame.to_csv(tmp_path / "half.csv", index=False)
    frame.dropna().to_csv(tmp_path / "known.csv", index=False)
    assert latentmap("fit", "half.csv", "--label", "kind", "-o", "m", "--model", "linear", "--epochs", "1").status == 0
    for source in ("half.csv", "known.csv"):
        found = json.loads(latentmap("evaluate", "m", source, "--json").out)
        assert found["linear"]["knn_accuracy"] > 0.85


def test_errors_on_other_rows_count_in_the_models_units(latentmap, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 4)) * [1, 1000, 1, 5], columns=list("abcd"))
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame.assign(b=frame.b / 1000).iloc[:60].to_csv(tmp_path / "narrow.csv", index=False)
    assert latentmap("fit", "all.csv", "-o", "m", "--model", "linear", "--epochs", "1").status == 0
    ae = Autoencoder.load(tmp_path / "m")
    test = load_dataset(tmp_path / "narrow.csv", reading=ae.metadata_["reading"]).test
    found = json.loads(latentmap("evaluate", "m", "narrow.csv", "--json").out)
    assert found["linear"]["test_mse"] == pytest.approx(-ae.score(test.X), rel=1e-4)


def test_a_sweep_leaves_out_codes_longer_than_samples(latentmap, tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(80, 4)))
    words = ("sweep", "X.npy", "--model", "linear", "--epochs", "1", "--json", "--latent-dims")
    found = latentmap(*words, "2,4,8,16")
    assert [one["latent_dim"] for one in json.loads(found.out)["model"]] == [2]
    assert "codes of 4, 8, 16 numbers are left out: a sample has 4 numbers" in found.err
    refused = latentmap(*words, "8")
    assert refused.status == 2
    assert "--latent-dims must be fewer than the 4 numbers of a sample, got 8" in refused.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "m", "wide.npy"), "wide.npy has 5 features, and m was fitted on 4"),
        (("encode", "m", "wide.npy", "-o", "z.npy"), "wide.npy has 5 features, and m was fitted on 4"),
        (("fit", "X.npy", "-o", "n", "--size", "16"), "X holds vectors, and size is of images. Leave it out."),
        (("fit", "X.npy", "-o", "n", "--gray"), "X holds vectors, and color is of images. Leave it out."),
    ],
)
def test_vectors_that_do_not_fit_are_refused(latentmap, tmp_path, words, message):
    for name, k in (("X", 4), ("wide", 5)):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).normal(size=(40, k)))
    latentmap("fit", "X.npy", "-o", "m", "--model", "linear", "--epochs", "1")
    found = latentmap(*words)
    assert found.status == 1
    assert message in found.err


def test_fit_tells_the_error_that_evaluate_counts(latentmap, tmp_path):
    np.save(tmp_path / "X.npy", 7 * np.random.default_rng(0).normal(size=(300, 4)))
    words = latentmap("fit", "X.npy", "-o", "m", "--model", "linear", "--epochs", "1").err
    loss, error = map(float, re.search(r"loss ([\d.]+) .* error of ([\d.]+) as evaluate counts it", words).groups())
    assert error == pytest.approx(49 * loss, rel=0.1)
    assert "as evaluate counts it" not in latentmap("fit", "digits", "-o", "n", "--limit", "60", "--epochs", "1").err


def test_models_of_one_name_are_told_apart(latentmap, tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(40, 4)))
    for place in ("x/a", "x/a-2", "y/a"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        assert latentmap("fit", "X.npy", "-o", place, "--epochs", 1, "--model", "linear").status == 0
    done = latentmap("draw", "x/a", "x/a-2", "y/a", "X.npy", "-o", "maps.svg")
    assert done.status == 0, done.err
    assert all(f"<!-- {name} (2) -->" in (tmp_path / "maps.svg").read_text() for name in ("a", "a-2", "a-3"))


def test_samples_of_vectors_are_rows_of_a_table(latentmap, tmp_path):
    (tmp_path / "x.csv").write_text("length,width\n" + "".join(f"{i % 7},{i % 5}.5\n" for i in range(40)))
    assert latentmap("fit", "x.csv", "-o", "m", "--epochs", 1, "--latent-dim", 1).status == 0
    done = latentmap("generate", "m", "--samples", 5, "-o", "new.csv")
    assert done.status == 0, done.err
    header, *rows = (tmp_path / "new.csv").read_text().splitlines()
    assert (header, len(rows)) == ("length,width", 5)


def test_data_fetches_built_in_data_and_describes_no_other(latentmap, tmp_path):
    (tmp_path / "photos").mkdir()
    refusal = latentmap("data", "photos")
    assert refused(refusal, 2, "name must be one of digits, mnist, fashion_mnist, kmnist, got photos, which is here")


def test_decoded_numbers_are_in_the_units_of_what_was_read(latentmap, tmp_path):
    X = np.random.default_rng(0).uniform(-1.7, 1.3, (60, 9, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    assert latentmap("fit", "x.npy", "-o", "m", "--epochs", 2, "--model", "linear", "--latent-dim", 40).status == 0
    assert latentmap("encode", "m", "x.npy", "-o", "z.npy").status == 0
    assert latentmap("decode", "m", "z.npy", "-o", "back.npy").status == 0
    back = np.load(tmp_path / "back.npy")
    assert back.reshape(X.shape).min() < -1
    assert np.square(back.reshape(X.shape) - X).mean() < 0.5 * X.var()
    assert refused(latentmap("decode", "m", "z.npy", "-o", "back.png"), 2, "output must be a folder, or end in .npy")
    (tmp_path / "words.txt").write_text("z1")
    assert refused(latentmap("decode", "m", "words.txt", "-o", "a.npy"), 1, "words.txt cannot be read as codes")


def test_some_codes_of_a_table_name_their_rows(latentmap, tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(40, 4)))
    assert latentmap("fit", "X.npy", "-o", "m", "--epochs", 1).status == 0
    assert latentmap("encode", "m", "X.npy", "-o", "few.csv", "--limit", 5).status == 0
    header, *rows = (tmp_path / "few.csv").read_text().splitlines()
    assert header == "row,z1,z2"
    assert [row.split(",")[0] for row in rows] == ["0", "9", "19", "29", "39"]
    assert latentmap("encode", "m", "X.npy", "-o", "all.csv").status == 0
    assert (tmp_path / "all.csv").read_text().startswith("z1,z2\n")


def test_a_class_called_by_a_number_is_no_place_among_the_classes(latentmap, tmp_path):
    X, dose = np.random.default_rng(0).normal(size=(60, 4)), np.array(["10", "20", "30"] * 20)
    np.savez(tmp_path / "doses.npz", X=X, y=dose)
    assert latentmap("fit", "doses.npz", "-o", "m", "--epochs", 1).status == 0
    words = ("interpolate", "m", "doses.npz", "-o", "w.png", "--to-class", "20", "--from-class")
    assert refused(latentmap(*words, "1"), 2, "must be a class that the test split has (10, 20, 30), got '1'")
    assert latentmap(*words, "10").status == 0


def test_the_program_alone_shows_help_and_says_no_error(latentmap):
    done = latentmap()
    assert done.status == 2
    assert "error" not in done.err
