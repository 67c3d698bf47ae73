"""Commands on what users bring: their own folders and files, and everything that can be wrong with them."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from latentmap import Autoencoder, plot
from tests.report.conftest import blank

from .test_frame import refused

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 10, 12, 3), dtype=np.uint8)
QUICK = ("--epochs", 1, "--seed", 1)


@pytest.fixture
def photos(tmp_path):
    for i, image in enumerate(IMAGES):
        folder = tmp_path / "photos" / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def table(tmp_path):
    X = RNG.normal(size=(60, 5)) * [1, 10, 100, 1, 1]
    frame = pd.DataFrame(X, columns=list("abcde")).assign(kind=["x", "y"] * 30)
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


# ---- what works ----------------------------------------------------------------------------------------------------


def test_a_model_remembers_how_its_images_were_read(latentmap, tmp_path, photos):
    done = latentmap("fit", photos, "-o", "m", "--size", "16x8", "--fit", "pad", "--gray", *QUICK)
    assert done.status == 0, done.err
    assert "colour images are read as grey ones" in done.err
    ae = Autoencoder.load("m")
    assert ae.metadata_["reading"] == {"height": 16, "width": 8, "channels": 1, "fit": "pad"}
    assert ae.metadata_["split"] == "random, 0.2 for testing"
    (tmp_path / "new").mkdir()
    for i, image in enumerate(IMAGES[:5]):
        Image.fromarray(image).resize((50, 30)).save(tmp_path / "new" / f"{i}.jpg")
    done = latentmap("encode", "m", "new", "-o", "codes.csv")
    assert done.status == 0, done.err
    assert done.err.count("read as grey") == 1
    codes = pd.read_csv("codes.csv")
    assert list(codes.columns) == ["file", "z1", "z2"]
    assert codes["file"].tolist() == [f"{i}.jpg" for i in range(5)]
    # The same folder's test split is that of the fit.
    assert latentmap("encode", "m", photos, "-o", "test.csv", "--split", "test").status == 0
    test = pd.read_csv("test.csv")
    assert list(test.columns[:3]) == ["split", "file", "class"]
    assert len(test) == 8
    assert latentmap("evaluate", "m", photos).status == 0


def test_a_table_is_fitted_encoded_and_decoded(latentmap, table):
    assert latentmap("fit", table, "-o", "m", "--label", "kind", *QUICK).status == 0
    assert Autoencoder.load("m").metadata_["reading"] == {"columns": list("abcde"), "label": "kind"}
    assert latentmap("encode", "m", table, "-o", "codes.csv").status == 0
    codes = pd.read_csv("codes.csv")
    assert codes["class"].tolist() == ["x", "y"] * 30
    assert latentmap("encode", "m", table, "-o", "test.csv", "--split", "test").status == 0
    test = pd.read_csv("test.csv")
    assert list(test.columns) == ["split", "row", "class", "z1", "z2"]
    np.testing.assert_allclose(test[["z1", "z2"]], codes[["z1", "z2"]].iloc[test["row"]], rtol=1e-5)
    # New data in another order of columns, and without the class.
    frame = pd.read_csv(table)
    frame[list("edcba")].to_csv("new.csv", index=False)
    assert latentmap("encode", "m", "new.csv", "-o", "new.npy").status == 0
    np.testing.assert_allclose(np.load("new.npy"), codes[["z1", "z2"]], rtol=1e-5)
    assert latentmap("decode", "m", "codes.csv", "-o", "back.npy").status == 0
    assert np.load("back.npy").shape == (60, 5)
    for name, read in (("back.csv", pd.read_csv), ("back.parquet", pd.read_parquet)):
        assert latentmap("decode", "m", "codes.csv", "-o", name).status == 0
        assert list(read(name).columns) == list("abcde")
        np.testing.assert_allclose(read(name), np.load("back.npy"), rtol=1e-6)
    assert latentmap("encode", "m", table, "-o", "errors.csv", "--errors").status == 0
    errors = pd.read_csv("errors.csv")
    assert list(errors.columns) == ["class", "error", "z1", "z2"]
    np.testing.assert_allclose(
        errors.error, Autoencoder.load("m").anomaly_score(frame[list("abcde")].to_numpy()), rtol=1e-5
    )
    assert latentmap("decode", "m", "errors.csv", "-o", "again.npy").status == 0
    np.testing.assert_array_equal(np.load("again.npy"), np.load("back.npy"))
    for output, words in (
        ("errors.npy", "must end in .csv or .parquet to have --errors"),
        ("parts", "--errors goes with a file"),
    ):
        assert refused(latentmap("encode", "m", table, "-o", output, "--errors"), 2, words)
    assert latentmap("generate", "m", table, "-o", "medians.png").status == 0
    assert latentmap("interpolate", "m", table, "--from", 0, "--to", 1, "-o", "walk.png").status == 0
    assert latentmap("evaluate", "m", table).status == 0
    assert refused(latentmap("decode", "m", "codes.csv", "-o", "images"), 2, "for this model draws vectors")


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_missing_numbers_are_treated_alike_by_every_command(latentmap, table, missing):
    frame = pd.read_csv(table).assign(id=range(60))
    frame.loc[[3, 7], "b"] = np.nan
    frame.to_csv("gaps.csv", index=False)
    assert refused(latentmap("fit", "gaps.csv", "-o", "m", *QUICK), 1, "--missing drop")
    options = ("--missing", missing, "--columns", "b, [ac]", "--header", "--label", "kind")
    done = latentmap("fit", "gaps.csv", "-o", "m", "--model", "linear", *options, *QUICK)
    assert done.status == 0, done.err
    reading = Autoencoder.load("m").metadata_["reading"]
    assert (reading["missing"], reading["columns"]) == (missing, ["b", "a", "c"])
    assert latentmap("evaluate", "m", "gaps.csv").status == 0
    assert latentmap("encode", "m", "gaps.csv", "-o", "codes.csv").status == 0
    codes = pd.read_csv("codes.csv")
    if missing == "drop":
        assert codes["row"].tolist() == [row for row in range(60) if row not in (3, 7)]
    else:
        assert len(codes) == 60
        assert list(codes.columns) == ["class", "z1", "z2"]


def test_a_model_fitted_without_gaps_takes_data_with_them_where_that_is_asked(latentmap, table):
    assert latentmap("fit", table, "-o", "m", "--columns", "a,b,c", "--model", "linear", *QUICK).status == 0
    frame = pd.read_csv(table)
    frame.loc[[3, 7], "b"] = np.nan
    frame.to_csv("gaps.csv", index=False)
    assert refused(
        latentmap("encode", "m", "gaps.csv", "-o", "z.csv"), 1, "evaluate and report do so with --missing drop"
    )
    assert latentmap("encode", "m", "gaps.csv", "-o", "z.csv", "--missing", "drop").status == 0
    assert len(pd.read_csv("z.csv")) == 58
    assert latentmap("encode", "m", "gaps.csv", "-o", "z.npy", "--missing", "mean").status == 0
    ae = Autoencoder.load("m")
    filled = frame[["a", "b", "c"]].to_numpy(np.float32)
    filled[[3, 7], 1] = ae.preprocessing_.offset[1]
    np.testing.assert_allclose(np.load("z.npy"), ae.transform(pd.DataFrame(filled, columns=list("abc"))), atol=1e-5)
    assert latentmap("evaluate", "m", "gaps.csv", "--missing", "mean").status == 0
    assert latentmap("report", "gaps.csv", "--model", "m", "-o", "r", "--missing", "drop").status == 0


def test_a_test_split_without_labels_is_encoded_beside_one_with_them(latentmap):
    X = RNG.normal(size=(30, 4))
    np.savez("d.npz", x_train=X[:20], y_train=np.arange(20) % 2, x_test=X[20:], y_test=np.full(10, -1))
    assert latentmap("fit", "d.npz", "-o", "m", "--model", "linear", *QUICK).status == 0
    for name in ("c.csv", "c.parquet"):
        assert latentmap("encode", "m", "d.npz", "-o", name).status == 0
    for codes in (pd.read_csv("c.csv", keep_default_na=False, dtype={"class": str}), pd.read_parquet("c.parquet")):
        assert codes["class"].tolist() == ["0", "1"] * 10 + [""] * 10
    assert latentmap("evaluate", "m", "d.npz").status == 0


def test_a_colour_model_takes_a_built_in_grey_dataset(latentmap, photos):
    assert latentmap("fit", photos, "-o", "m", "--size", 8, *QUICK).status == 0
    assert latentmap("evaluate", "m", "digits", "--limit", 50).status == 0


def test_larger_than_the_budget_goes_through_the_cache_and_can_be_cleared(latentmap, photos):
    done = latentmap("fit", photos, "-o", "m", "--memory", "1kB", *QUICK)
    assert done.status == 0
    assert "are read from the cache" in done.err
    assert "decoded data in" in latentmap("data").out
    cleared = latentmap("data", "--clear")
    assert re.search(r"0\.\d MiB freed", cleared.out)
    assert "decoded data in" not in latentmap("data").out


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_a_path_that_is_not_there_names_the_nearest(latentmap, photos):
    assert refused(latentmap("fit", "photo", "-o", "m"), 1, "there is no dataset 'photo'. Did you mean 'photos'?")
    assert refused(latentmap("fit", "photos/ct", "-o", "m"), 1, "Did you mean 'photos/cat'?")
    assert refused(latentmap("fit", "nowhere/at/all", "-o", "m"), 1, "there is no path 'nowhere/at/all'")
    assert refused(latentmap("fit", "mnits", "-o", "m"), 1, "Did you mean 'mnist'?")
    assert not os.path.lexists("m")


def test_files_that_cannot_be_data_say_what_can(latentmap, tmp_path, photos):
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "empty.npy").touch()
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY but no more")
    (tmp_path / "bad.npz").write_bytes(b"PK but no more")
    (tmp_path / "bad-ubyte").write_bytes(b"\0\0\x08\x03short")
    assert refused(latentmap("fit", "x.txt", "-o", "m"), 1, "is of no kind that can be read")
    assert refused(latentmap("fit", "empty.npy", "-o", "m"), 1, "empty.npy is empty")
    assert refused(latentmap("fit", "bad.npy", "-o", "m"), 1, "bad.npy cannot be read as NumPy's")
    assert refused(latentmap("fit", "bad.npz", "-o", "m"), 1, "bad.npz cannot be read as NumPy's")
    assert refused(latentmap("fit", "bad-ubyte", "-o", "m"), 1, "bad-ubyte is truncated")
    assert refused(latentmap("fit", "photos/cat/1.png", "-o", "m"), 1, "must have at least 3 samples, 2 to learn from")


def test_one_image_is_encoded_as_in_its_folder(latentmap, tmp_path, photos):
    assert latentmap("fit", photos, "-o", "m", "--latent-dim", 2, "--epochs", 1).status == 0
    assert latentmap("encode", "m", photos, "-o", "all.csv").status == 0
    assert latentmap("encode", "m", "photos/cat/1.png", "-o", "one.csv").status == 0
    every, one = (pd.read_csv(tmp_path / name).set_index("file")[["z1", "z2"]] for name in ("all.csv", "one.csv"))
    np.testing.assert_allclose(one.loc["1.png"], every.loc["cat/1.png"], rtol=1e-5)


def test_a_file_without_permission_says_so(latentmap, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", IMAGES)
    opened = Path.open

    def denied(self, *arguments, **options):  # as for others than root, who may read anything
        if self.name == "x.npy":
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    assert refused(latentmap("fit", "x.npy", "-o", "m"), 1, "x.npy cannot be read: no permission")


@pytest.mark.parametrize("options", [
    ("--latent-dim", 0), ("--latent-dim", -3), ("--epochs", 0), ("--batch-size", 0), ("--size", 4), ("--size", "axb"),
    ("--memory", "lots"), ("--limit", 1), ("--patience", 0),
])  # fmt: skip
def test_options_out_of_range_name_the_option(latentmap, photos, options):
    done = latentmap("fit", photos, "-o", "m", *options)
    assert refused(done, 2, options[0].strip("-").replace("-", "_").split("_")[0])
    assert not os.path.lexists("m")


def test_a_label_is_for_tables_only(latentmap, photos):
    assert refused(latentmap("fit", photos, "-o", "m", "--label", "kind"), 1, "photos has no columns")
    assert refused(latentmap("fit", "digits", "-o", "m", "--label", "kind"), 1, "digits has no columns")


def test_unknown_names_suggest_the_nearest(latentmap, photos):
    assert refused(latentmap("fit", photos, "-o", "m", "--model", "dens"), 2, "Did you mean 'dense'?")
    assert refused(latentmap("fit", photos, "-o", "m", "--modle", "dense"), 2, "--model")
    assert latentmap("fti", photos, "-o", "m").status == 2


@pytest.mark.filterwarnings("default")
def test_a_code_larger_than_the_sample_is_allowed_with_a_warning(latentmap, table):
    done = latentmap("fit", table, "-o", "m", "--latent-dim", 9, *QUICK)
    assert done.status == 0
    assert "latent_dim is 9, more than the 5 numbers of a sample" in done.err


def test_fewer_samples_than_anything_else_still_work_or_say_why(latentmap, tmp_path):
    np.save("few.npy", IMAGES[:4])
    assert latentmap("fit", "few.npy", "-o", "m", "--latent-dim", 50, "--batch-size", 64, *QUICK).status == 0
    np.save("one.npy", IMAGES[:1])
    assert refused(latentmap("fit", "one.npy", "-o", "n"), 1, "must have at least 3 samples")
    np.save("two.npy", IMAGES[:2])
    assert refused(latentmap("fit", "two.npy", "-o", "n"), 1, "must have at least 3 samples")
    done = latentmap("report", "few.npy", "-o", "r")
    assert done.status == 1
    assert "at least 3 samples in each split" in done.err.splitlines()[-1]
    assert not os.path.lexists("n")
    assert not os.path.lexists("r")


def test_another_kind_of_data_than_the_model_takes_is_refused_by_name(latentmap, photos, table):
    assert latentmap("fit", photos, "-o", "m", *QUICK).status == 0
    assert refused(latentmap("encode", "m", table, "-o", "c.npy"), 1, "table holds vectors of 5 numbers")
    assert latentmap("fit", table, "-o", "v", *QUICK).status == 0
    assert refused(latentmap("encode", "v", photos, "-o", "c.npy"), 1, "the model was fitted on vectors")
    np.save("other.npy", np.zeros((5, 7)))
    assert refused(
        latentmap("encode", "v", "other.npy", "-o", "c.npy"), 1, "other.npy has 7 features, and v was fitted on 5"
    )
    assert not os.path.lexists("c.npy")


@pytest.mark.parametrize(("command", "output"), [
    (("fit", "digits", "--size", 8, "--limit", 60, *QUICK), "out"),
    (("encode", "MODEL", "digits", "--limit", 5), "out.csv"),
    (("decode", "MODEL", "codes.npy"), "out.npy"),
    (("decode", "MODEL", "codes.npy"), "out"),
    (("generate", "MODEL", "digits", "--limit", 50), "out.png"),
    (("interpolate", "MODEL", "digits", "--from", 0, "--to", 1, "--limit", 5), "out.png"),
])  # fmt: skip
def test_what_is_there_is_replaced_only_by_force(latentmap, tmp_path, model, command, output):
    np.save("codes.npy", np.zeros((3, 2), np.float32))
    command = [str(model) if word == "MODEL" else word for word in command]
    assert latentmap(*command, "-o", output).status == 0
    done = latentmap(*command, "-o", output)
    assert refused(done, 1, f"{output} exists. Add --force to replace it, or choose another name.")
    assert latentmap(*command, "-o", output, "--force").status == 0


def test_force_never_removes_what_we_did_not_write(latentmap, tmp_path, model):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    np.save("codes.npy", np.zeros((3, 2), np.float32))
    for command in (
        ("fit", "digits", "--size", 8, "--limit", 60, *QUICK),
        ("report", "digits", "--limit", 60),
        ("decode", model, "codes.npy"),
        ("export", model),
    ):
        assert refused(
            latentmap(*command, "-o", "mine", "--force"),
            1,
            "mine exists and holds something else than is to be written there",
        )
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_force_never_writes_over_what_is_read(latentmap, tmp_path, model):
    Path("table.csv").write_text("z1,z2\n" + "1,2\n" * 9)
    for words in (
        ("decode", model, "table.csv"), ("encode", model, "table.csv"), ("encode", model, tmp_path / "table.csv"),
    ):  # fmt: skip
        done = latentmap(*words, "-o", "table.csv", "--force")
        assert refused(done, 1, "table.csv is what is to be read. Choose another name.")
    assert Path("table.csv").read_text().startswith("z1,z2\n1,2")
    Path("photos/a").mkdir(parents=True)
    Image.new("L", (8, 8)).save("photos/a/0.png")
    mine = Path("photos/a/0.png").read_bytes()
    done = latentmap("generate", model, "photos", "-o", "photos/a/0.png", "--force")
    assert refused(done, 1, "photos/a/0.png is in photos, which is to be read")
    assert refused(
        latentmap("encode", model, "table.csv", "-o", "no/../table.csv", "--force"), 1, "what is to be read"
    )
    assert Path("photos/a/0.png").read_bytes() == mine
    for output in ("-", "/dev/stdout"):
        assert refused(
            latentmap("encode", model, "table.csv", "-o", output), 2, "nothing is written to standard output"
        )
    assert refused(
        latentmap("encode", model, "table.csv", "-o", "codes"), 1, "to one ending in .npy, .csv or .parquet"
    )


@pytest.mark.filterwarnings("default")
def test_what_is_likely_no_code_or_in_other_units_is_said(latentmap):
    rows = np.random.default_rng(0).normal(size=(60, 4))
    pd.DataFrame(rows, columns=list("abcd")).to_csv("x.csv", index=False)
    pd.DataFrame(1000 * rows, columns=list("abcd")).to_csv("scaled.csv", index=False)
    assert latentmap("fit", "x.csv", "-o", "m", *QUICK).status == 0
    assert "warning" not in latentmap("encode", "m", "x.csv", "-o", "codes.csv").err
    assert "warning" not in latentmap("decode", "m", "codes.csv", "-o", "back.npy").err
    assert "standard deviations away" in latentmap("encode", "m", "scaled.csv", "-o", "far.csv").err
    done = latentmap("decode", "m", "x.csv", "-o", "wrong.npy")
    assert done.status == 0
    assert "the last columns are taken for codes: c, d" in done.err
    Path("bars.csv").write_text("a|b\n1|2\n3|4\n5|6\n")
    assert refused(latentmap("fit", "bars.csv", "-o", "n"), 1, "do commas, semicolons or tabs part its cells")


def test_a_file_in_the_way_of_a_folder_is_kept(latentmap, tmp_path, model):
    (tmp_path / "file").write_text("mine")
    for force in ((), ("--force",)):
        assert latentmap("fit", "digits", "-o", "file", *force).status == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_is_one_line_and_leaves_nothing(latentmap, tmp_path, model, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latentmap.data.codes._write_csv", full)
    assert refused(latentmap("encode", model, "digits", "--limit", 5, "-o", "c.csv"), 1, "No space left on device")
    assert list(tmp_path.glob("*c.csv*")) == []


def test_a_report_of_a_table_holds_everything(latentmap, tmp_path, table, monkeypatch):
    from latentmap.report import build
    from latentmap.training import plan

    monkeypatch.setattr(plan, "_FEWEST_STEPS", 3)
    monkeypatch.setattr(build, "FIGURES", blank())
    done = latentmap("report", table, "-o", "r", "--limit", 30, "--label", "kind")
    assert done.status == 0, done.err
    lines = [line.split(": ")[1] for line in done.err.splitlines() if ", validation " in line]
    assert sorted(lines) == ["dense", "linear", "map", "residual"]
    assert len(list((tmp_path / "r" / "figures").iterdir())) == 12
    metrics = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert metrics["dataset"]["name"] == "table"
    assert "image" not in (tmp_path / "r" / "report.html").read_text().split("<main>")[0]
    assert Autoencoder.load(tmp_path / "r" / "models" / "dense").metadata_["dataset"] == "table"


def test_columns_are_taken_by_name_between_python_and_the_command_line(latentmap, table):
    frame = pd.read_csv(table).drop(columns="kind")
    reversed_, back = frame[list("edcba")], frame[list("abcde")]
    ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(back)
    ae.save("from_python")
    reversed_.assign(more=1).to_csv("reversed.csv", index=False)
    done = latentmap("encode", "from_python", "reversed.csv", "-o", "codes.npy")
    assert (done.status, done.err) == (0, "")
    np.testing.assert_allclose(np.load("codes.npy"), ae.transform(back), rtol=1e-5)
    assert latentmap("fit", table, "-o", "m", "--label", "kind", "--scaling", "global", *QUICK).status == 0
    loaded = Autoencoder.load("m")
    assert loaded.scaling == "global"
    Z = loaded.transform(back.to_numpy())
    np.testing.assert_array_equal(loaded.transform(reversed_), Z)
    np.testing.assert_array_equal(loaded.transform(pa.Table.from_pandas(reversed_)), Z)
    np.testing.assert_array_equal(plot.map(loaded, reversed_).shown.Z, Z)
    with pytest.raises(ValueError, match=r"X lacks the column\(s\) 'a', which fit saw"):
        loaded.transform(frame[list("bcde")])


def test_measurements_stand_beside_codes_of_every_kind(latentmap, tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).random((60, 3)), columns=list("abc")).assign(
        error=np.linspace(0, 1, 60)
    )
    frame.to_csv(tmp_path / "x.csv", index=False)
    assert latentmap("fit", "x.csv", "--label", "error", "-o", "m", *QUICK).status == 0
    for split in ("all", "test"):
        done = latentmap("encode", "m", "x.csv", "-o", f"{split}.csv", "--split", split, "--errors")
        assert done.status == 0, done.err
        codes = pd.read_csv(tmp_path / f"{split}.csv")
        rows = codes.row if split == "test" else slice(None)
        np.testing.assert_allclose(codes.value, frame.error[rows])
        assert not np.allclose(codes.error, codes.value)
    (tmp_path / "parts").mkdir()
    frame.rename(columns={"error": "price"}).to_parquet(tmp_path / "parts" / "a.parquet")
    frame.rename(columns={"error": "price"})[:9].to_parquet(tmp_path / "parts" / "b.parquet")
    assert latentmap("fit", "parts", "--label", "price", "-o", "p", *QUICK).status == 0
    assert latentmap("encode", "p", "parts", "-o", "codes").status == 0
    codes = pd.concat(map(pd.read_parquet, sorted((tmp_path / "codes").glob("part*.parquet"))))
    np.testing.assert_allclose(codes.price, [*frame.error, *frame.error[:9]])
