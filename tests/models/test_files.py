"""Model files: what comes back, what is refused, and that saving loses nothing.

``data/format-1`` is a model of format version 1, loaded here for ever after. It was made, once, with::

    python -c "
    import numpy as np
    from latentmap import Autoencoder, load_dataset
    images = load_dataset('digits', size=None).train.images
    ae = Autoencoder('linear', 2, random_state=0).fit(images)
    ae.save('tests/models/data/format-1', metadata={'dataset': 'digits'})
    np.save('tests/models/data/format-1-codes.npy', ae.transform(images[:20]))"
"""

import copy
import functools
import json
import operator
import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentmap import Autoencoder, LatentmapError
from latentmap.errors import ModelFileError, OutputError
from latentmap.models.files import FORMAT_VERSION, is_model_folder
from latentmap.models.fitted import FittedModel
from tests.processes import Process
from tests.test_files import in_a_child, killed_everywhere

DATA = Path(__file__).parent / "data"


@pytest.fixture
def saved(fitted_models, tmp_path):
    """A folder with a saved dense model."""
    fitted_models["dense"].save(tmp_path / "model")
    return tmp_path / "model"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def edit_config(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))


def edit_tensors(folder, change):
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    change(tensors)
    path.write_bytes(safetensors.torch.save(tensors))


def refused(folder, message):
    """Loading raises a ModelFileError of one line that matches."""
    with pytest.raises(ModelFileError, match=message) as caught:
        Autoencoder.load(folder)
    assert "\n" not in str(caught.value)


# ---- what comes back -----------------------------------------------------------------------------------------------


def test_everything_comes_back(fitted, small, tmp_path):
    fitted.save(tmp_path / "model", metadata={"class_names": list("0123456789")})
    loaded = Autoencoder.load(tmp_path / "model")
    X = small.test.images
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))
    Z = fitted.transform(X)
    np.testing.assert_array_equal(loaded.inverse_transform(Z), fitted.inverse_transform(Z))
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))
    assert loaded.get_params() == fitted.get_params()
    assert loaded.history_ == fitted.history_
    for name in ("latent_dim_", "n_parameters_", "n_iter_", "best_epoch_", "seed_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(fitted, name), name
    assert loaded.metadata_ == {"class_names": list("0123456789")}
    assert loaded.describe() == fitted.describe()
    assert not loaded.module_.training


def write_codes(*names):
    for name in names:
        ae = Autoencoder.load(name)
        Z = ae.transform(np.load("X.npy"))
        np.savez(f"{name}.npz", Z=Z, X_hat=ae.inverse_transform(Z))


def test_codes_are_bit_equal_in_a_new_process(fitted_models, small, tmp_path):
    np.save(tmp_path / "X.npy", small.test.images)
    for name, ae in fitted_models.items():
        ae.save(tmp_path / name)
    assert Process(tmp_path, write_codes, *fitted_models).end()[0] == 0
    for name, ae in fitted_models.items():
        found, Z = np.load(tmp_path / f"{name}.npz"), ae.transform(small.test.images)
        np.testing.assert_array_equal(found["Z"], Z)
        np.testing.assert_array_equal(found["X_hat"], ae.inverse_transform(Z))


@pytest.mark.parametrize("scales", ["one", "many"])
def test_a_model_of_vectors_comes_back_with_its_units_and_names(vectors, tmp_path, scales):
    import pandas as pd

    frame = pd.DataFrame(vectors * (1 if scales == "one" else [1, 1, 1, 1, 1, 1e6]), columns=list("abcdef"))
    ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(frame)
    ae.save(tmp_path / "model")
    loaded = Autoencoder.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.transform(frame), ae.transform(frame))
    np.testing.assert_array_equal(loaded.feature_names_in_, list("abcdef"))
    with pytest.raises(ValueError, match=r"feature names"):
        loaded.transform(frame[list("fedcba")])


def test_a_loaded_model_saves_the_same_files(fitted, tmp_path):
    fitted.save(tmp_path / "first", metadata={"note": "x"})
    Autoencoder.load(tmp_path / "first").save(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert (tmp_path / "second" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_loaded_model_can_be_fitted_and_goes_on_with_partial_fit(saved, small, fitted_models):
    loaded = Autoencoder.load(saved)
    loaded.partial_fit(small.train.images)
    assert loaded.n_iter_ == fitted_models["dense"].n_iter_ + 1
    again = Autoencoder.load(saved).fit(small.train.images)
    X = small.test.images
    np.testing.assert_array_equal(again.transform(X), fitted_models["dense"].transform(X))


def test_a_folder_holds_weights_facts_and_history_and_nothing_else(fitted, small, tmp_path):
    fitted.save(tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["config.json", "history.jsonl", "model.safetensors"]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["format_version"] == FORMAT_VERSION == 3
    assert config["model"] == fitted.model
    assert config["objective"] == "reconstruction"
    assert config["seed"] == 0
    assert config["preprocessing"] == {"sample_shape": [8, 8, 1], "dtype": "uint8"}
    assert set(config["versions"]) == {"latentmap", "torch", "numpy", "python"}
    assert config["training"]["n_train"] + config["training"]["n_validation"] == len(small.train)
    lines = (tmp_path / "model" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == fitted.history_


def test_the_size_is_that_of_the_weights(digits, tmp_path):
    ae = Autoencoder(epochs=1, random_state=0).fit(digits.train.images[:100])
    ae.save(tmp_path / "model")
    size = sum(path.stat().st_size for path in (tmp_path / "model").iterdir())
    assert 4 * ae.n_parameters_ < size < 1.05 * 4 * ae.n_parameters_


@pytest.mark.parametrize("version", [1, 2])
def test_models_of_every_format_version_load(version):
    from latentmap import load_dataset

    ae = Autoencoder.load(DATA / f"format-{version}")
    codes = ae.transform(load_dataset("digits", size=None).train.images[:20])
    np.testing.assert_allclose(codes, np.load(DATA / f"format-{version}-codes.npy"), rtol=1e-5, atol=1e-5)
    assert (ae.model, ae.latent_dim_, ae.metadata_) == ("linear", 2, {"dataset": "digits"})
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 30_000


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_what_is_not_a_model_folder(tmp_path):
    refused(tmp_path / "gone", "gone is not a model folder: it must hold config.json and model.safetensors")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "file is not a model folder")
    refused(tmp_path, "is not a model folder")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files(saved, name):
    (saved / name).unlink()
    refused(saved, "is not a model folder: it must hold config.json and model.safetensors")


@pytest.mark.parametrize("version", [4, 999])
def test_a_newer_format_version(saved, version):
    edit_config(saved, format_version=version)
    refused(saved, f"has format_version {version}, this version of latentmap reads up to 3. Upgrade latentmap")


@pytest.mark.parametrize("version", [..., None, "1", 1.5, [1]])
def test_no_format_version(saved, version):
    edit_config(saved, format_version=version)
    refused(saved, "states no format_version; it is not the config of a latentmap model")


@pytest.mark.parametrize("version", [0, -1])
def test_an_impossible_format_version(saved, version):
    edit_config(saved, format_version=version)
    refused(saved, f"has format_version {version}")


@pytest.mark.parametrize("text", ["", "{", "{'model': 1}", "\xff", "[" * 100_000])
def test_a_config_that_is_not_json(saved, text):
    (saved / "config.json").write_bytes(text.encode("latin-1"))
    refused(saved, r"config\.json is not JSON: .* Save the model again")


@pytest.mark.parametrize("text", ["[]", "null", "3", '"config"'])
def test_a_config_that_is_no_object(saved, text):
    (saved / "config.json").write_text(text)
    refused(saved, "states no format_version")


@pytest.mark.parametrize("model", ["transformer", ..., None, 3, ["dense"], {"dense": 1}])
def test_an_unknown_architecture(saved, model):
    edit_config(saved, model=model)
    refused(saved, r"names an unknown architecture .*; known are conv, dense, linear")


def test_a_missing_tensor(saved):
    edit_tensors(saved, lambda tensors: tensors.pop("encoder.1.weight"))
    refused(saved, r"model\.safetensors lacks the tensor\(s\) encoder\.1\.weight")


@pytest.mark.parametrize("name", ["preprocessing.offset", "preprocessing.scale"])
def test_missing_preprocessing(saved, name):
    edit_tensors(saved, lambda tensors: tensors.pop(name))
    refused(saved, f"lacks the tensor {name}")


def test_an_extra_tensor(saved):
    edit_tensors(saved, lambda tensors: tensors.update(surprise=torch.zeros(2)))
    refused(saved, r"has the unexpected tensor\(s\) surprise. Is it of another model than config.json\?")


def test_a_tensor_of_another_shape(saved):
    edit_tensors(saved, lambda tensors: tensors.update({"encoder.1.bias": torch.zeros(5)}))
    refused(saved, r"wrong tensor encoder\.1\.bias: it must be \(128,\) torch\.float32, got \(5,\) torch\.float32")


def test_a_tensor_of_another_type(saved):
    edit_tensors(saved, lambda tensors: tensors.update({"encoder.1.bias": torch.zeros(128, dtype=torch.float64)}))
    refused(saved, r"wrong tensor encoder\.1\.bias: it must be \(128,\) torch\.float32, got \(128,\) torch\.float64")


@pytest.mark.parametrize("value", [torch.zeros(3), torch.tensor(float("nan")), torch.tensor(float("inf"))])
@pytest.mark.parametrize("name", ["preprocessing.offset", "preprocessing.scale"])
def test_wrong_preprocessing(saved, name, value):
    edit_tensors(saved, lambda tensors: tensors.update({name: value.double()}))
    refused(saved, f"has a wrong tensor {name} for samples of shape")


def test_a_scale_of_zero(saved):
    edit_tensors(saved, lambda tensors: tensors.update({"preprocessing.scale": torch.tensor(0.0).double()}))
    refused(saved, "has a scale of 0 in preprocessing.scale")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1, -1000])
def test_a_truncated_file(saved, keep):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused(saved, r"model\.safetensors is truncated or damaged \(.*\)\. Save the model again")


def edit_header(folder, change):
    """Change what model.safetensors states, its data staying as they are."""
    path = folder / "model.safetensors"
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


@pytest.mark.parametrize(
    "change", [{"dtype": "F128"}, {"shape": [1] * 70}, {"shape": [-1]}, {"shape": "x"}, {"shape": 3}]
)
def test_a_tensor_of_no_kind_that_models_have(saved, change):
    edit_header(saved, lambda header: header["encoder.1.bias"].update(change))
    refused(saved, r"model\.safetensors is truncated or damaged \(.*\)\. Save the model again")


@pytest.mark.parametrize("name", ["a\nb", "x" * 10_000, "\x1b[31m"])
def test_a_tensor_of_a_wild_name(saved, name):
    edit_tensors(saved, lambda tensors: tensors.update({name: torch.zeros(2)}))
    refused(saved, r"has the unexpected tensor\(s\) '.{,80}\. Is it of another model than config")


def test_many_tensors_of_others(saved):
    edit_tensors(saved, lambda tensors: tensors.update({f"t{i}": torch.zeros(1) for i in range(1000)}))
    refused(saved, r"has the unexpected tensor\(s\) t0, t1, t10, t100, t101 and 995 more\. Is")


def grown(path, size=6 * 2**30):
    """Let a file seem to be large; on the disk it takes nothing more."""
    os.truncate(path, size)


def wide(header):
    """State a tensor as large as the file is to be."""
    header["encoder.1.bias"] = {"dtype": "U8", "shape": [6 * 2**30], "data_offsets": [0, 6 * 2**30]}


@pytest.mark.parametrize("name", ["config.json", "history.jsonl", "model.safetensors", "a wide tensor"])
def test_a_large_file_is_refused_before_it_is_read(saved, name):
    path = saved / ("model.safetensors" if name == "a wide tensor" else name)
    if name == "a wide tensor":
        edit_header(saved, wide)
        start = 8 + int.from_bytes(path.read_bytes()[:8], "little")
        grown(path, start + 6 * 2**30)
    else:
        grown(path)
    tracemalloc.start()
    try:
        refused(saved, "is damaged: it is larger than|has a wrong tensor|is truncated or damaged")
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**26
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("height", 100_000),
        ("height", 0),
        ("height", "8"),
        ("height", 8.0),
        ("height", True),
        ("width", 7),
        ("width", ...),
        ("channels", 2),
        ("fit", "x"),
        ("fit", ["crop"]),
        ("low", "a"),
        ("dtype", "int8"),
        ("dtype", ["uint8"]),
        ("low", float("nan")),
        ("high", -3),
        ("label", 5),
        ("columns", ["a", "b"]),  # one may hold images
        ("columns", "a"),
        ("colour", 1),
    ],
)
def test_a_record_of_reading_that_does_not_lead_to_these_samples(saved, entry, value):
    reading = {"height": 8, "width": 8, "channels": 1, "fit": "crop", "low": 0.0, "high": 1.0, entry: value}
    edit_config(saved, metadata={"reading": {name: value for name, value in reading.items() if value is not ...}})
    refused(saved, rf"config\.json has a damaged entry 'metadata\.reading': .*'{entry}'")


@pytest.mark.parametrize("reading", [3, [], "x"])
def test_a_record_of_reading_that_is_none(saved, reading):
    edit_config(saved, metadata={"reading": reading})
    refused(saved, "has a damaged entry 'metadata.reading': .* must be entries, got")


@pytest.mark.parametrize("columns", [["a", "b"], ["a"] * 6 + [3]])
def test_a_record_of_other_columns(vectors, tmp_path, columns):
    Autoencoder("linear", 2, epochs=1, random_state=0).fit(vectors).save(tmp_path / "model")
    edit_config(tmp_path / "model", metadata={"reading": {"columns": list("abcdef")}})
    Autoencoder.load(tmp_path / "model")
    edit_config(tmp_path / "model", metadata={"reading": {"columns": columns}})
    refused(tmp_path / "model", "has a damaged entry 'metadata.reading': .*'columns'")


@pytest.mark.parametrize("path", ["n" * 300, "/".join(["folder"] * 800), "/", "file/model", "loop"], ids=range(5))
def test_a_path_that_cannot_be_a_model(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    refused(path, "is not a model folder|cannot be read: ")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.jsonl"])
def test_a_file_that_may_not_be_looked_at(saved, monkeypatch, name):
    is_file = Path.is_file

    def forbidden(path):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", forbidden)
    refused(saved, f"{name} cannot be read: Permission denied")


def test_a_config_that_names_another_architecture(saved, fitted_models, tmp_path):
    fitted_models["conv"].save(tmp_path / "conv")
    architecture = json.loads((tmp_path / "conv" / "config.json").read_text())["architecture"]
    edit_config(saved, model="conv", architecture=architecture)
    refused(
        saved,
        r"model\.safetensors lacks the tensor\(s\) decoder\.3\..* and 19 more\. Is it of another model than config",
    )
    edit_config(saved, model="linear")
    refused(saved, "damaged entry 'architecture'|tensor")


def test_weights_of_another_model(saved, fitted_models, tmp_path):
    fitted_models["conv"].save(tmp_path / "conv")
    shutil.copy(tmp_path / "conv" / "model.safetensors", saved)
    refused(saved, r"lacks the tensor\(s\) decoder\.2\.bias, ")


@pytest.mark.parametrize(
    "architecture",
    [
        None,
        [],
        {},
        {"image_shape": [1, 8, 8]},
        {"image_shape": 3, "latent_dim": 3},
        {"image_shape": [1, 8, 8], "latent_dim": "3"},
        {"image_shape": [1, 8, 8], "latent_dim": 3, "depth": 4},
        {"image_shape": [1, 8, -8], "latent_dim": 3},
        {"image_shape": [1, 8, 8], "latent_dim": 10**30},
        {"image_shape": [1, 10**12, 10**12], "latent_dim": 3},
        {"image_shape": [1, 9, 9], "latent_dim": 3},
        {"image_shape": [1, 8, 8], "latent_dim": 10**9},  # laid out without memory, then refused by shape
    ],
)
def test_a_damaged_architecture(saved, architecture):
    edit_config(saved, architecture=architecture)
    refused(saved, "damaged entry 'architecture'|contradicts itself|has a wrong tensor")


@pytest.mark.parametrize(
    "preprocessing",
    [
        None,
        [],
        {},
        {"sample_shape": [8, 8, 1]},
        {"sample_shape": "8", "dtype": "uint8"},
        {"sample_shape": [8, 8, None], "dtype": "uint8"},
        {"sample_shape": [8, 8, 1], "dtype": "uint9"},
        {"sample_shape": [8, 8, 1], "dtype": "object"},
        {"sample_shape": [8, 8, 1], "dtype": "f4,f4,"},
        {"sample_shape": [8, 8, 1], "dtype": {"names": ["a"]}},
        {"sample_shape": [], "dtype": "uint8"},
        {"sample_shape": [0, 8, 1], "dtype": "uint8"},
        {"sample_shape": [1, 8, 8, 1], "dtype": "uint8"},
        {"sample_shape": [4, 16, 1], "dtype": "uint8"},
    ],
)
def test_damaged_preprocessing(saved, preprocessing):
    edit_config(saved, preprocessing=preprocessing)
    refused(saved, "damaged entry 'preprocessing'|impossible sample_shape|contradicts itself")


@pytest.mark.parametrize("text", ["{", "[1]\n", "3\n", '{"epoch": 1}\n{"epo'])
def test_a_damaged_history(saved, text):
    (saved / "history.jsonl").write_text(text)
    refused(saved, r"history\.jsonl is damaged: a line is not a JSON object. Remove the file or save again")


def test_a_missing_history_is_no_fault(saved, small):
    (saved / "history.jsonl").unlink()
    assert Autoencoder.load(saved).history_ == []


@pytest.fixture(scope="module")
def stored(fitted_models, tmp_path_factory):
    """A folder with the smallest and the most intricate model."""
    folder = tmp_path_factory.mktemp("stored")
    for name in ("linear", "conv"):
        fitted_models[name].save(folder / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("changed")


def loads_or_is_a_latentmap_error(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        loaded = Autoencoder.load(folder)
        loaded.describe()
        repr(loaded)
        loaded.transform(np.zeros((2, *loaded.preprocessing_.sample_shape)))
    except LatentmapError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_change_of_a_file_loads_or_is_a_latentmap_error(stored, folder, data):
    name = data.draw(st.sampled_from(["config.json", "model.safetensors", "history.jsonl"]), label="file")
    files = contents(stored / "linear")
    content = bytearray(files[name])
    # The header is where a byte means most.
    header = 8 + struct.unpack("<Q", content[:8])[0] if name.endswith(".safetensors") else len(content)
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        content[data.draw(st.integers(0, header - 1), label="position")] = data.draw(st.integers(0, 255), label="byte")
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))), label="end")
    loads_or_is_a_latentmap_error(folder, files | {name: bytes(content[:end])})


WRONG = [None, True, -1, 0.5, 10**400, float("nan"), "", "a\nb", [], [None], {}, {"a": 1}]


def places(node, path=()):
    """Paths to every value inside parsed JSON."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("name", ["linear", "conv"])
def test_any_value_in_the_config_loads_or_is_a_latentmap_error(stored, folder, name, removed):
    files = contents(stored / name)
    for *path, last in list(places(json.loads(files["config.json"]))):
        if name == "conv" and (*path, last)[0] not in ("model", "architecture"):
            continue  # the rest is the same of all models, and this one takes long to load
        for value in [None] if removed else WRONG:
            config = json.loads(files["config.json"])
            part = functools.reduce(operator.getitem, path, config)
            if removed:
                del part[last]
            else:
                part[last] = value
            try:
                loads_or_is_a_latentmap_error(folder, files | {"config.json": json.dumps(config).encode()})
            except Exception as error:
                error.add_note(f"with {'no' if removed else repr(value)} {'.'.join(map(str, [*path, last]))}")
                raise


# ---- saving --------------------------------------------------------------------------------------------------------


def test_a_model_replaces_a_model(saved, fitted_models, small):
    fitted_models["conv"].save(saved)
    assert Autoencoder.load(saved).model == "conv"
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_an_empty_folder_is_filled(fitted_models, tmp_path):
    (tmp_path / "model").mkdir()
    fitted_models["linear"].save(tmp_path / "model")
    assert Autoencoder.load(tmp_path / "model").model == "linear"


def test_missing_parents_are_made(fitted_models, tmp_path):
    fitted_models["linear"].save(tmp_path / "a" / "b" / "model")
    assert Autoencoder.load(tmp_path / "a" / "b" / "model").model == "linear"


THEIRS = {
    "a thesis": {"chapter1.tex": "years of work"},
    "a model of others": {"model.safetensors": "{}", "config.json": '{"model_type": "bert"}'},
    "a model of others, and more": {"model.safetensors": "{}", "config.json": "{}", "notes/thesis.docx": "years"},
    "a damaged config": {"config.json": "{"},
    "a version of others": {"config.json": '{"format_version": 1, "model": "bert"}'},
    "a model of ours, and more": {"notes.txt": "mine"},
    "a model of ours, and a folder": {"notes/history.jsonl": "mine"},
}


@pytest.mark.parametrize("what", THEIRS)
def test_what_we_did_not_write_is_not_overwritten(fitted_models, tmp_path, what):
    target = tmp_path / "thesis"
    if "ours" in what or "config" in what or "version" in what:
        fitted_models["linear"].save(target)
    for name, text in THEIRS[what].items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert not is_model_folder(target)
    with pytest.raises(
        OutputError, match=r"thesis exists and holds something else than is to be written there. Choose"
    ):
        fitted_models["linear"].save(target)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_a_file_is_not_overwritten(fitted_models, tmp_path):
    (tmp_path / "thesis").write_text("years of work")
    with pytest.raises(OutputError, match=r"thesis exists and holds something else than is to be written there"):
        fitted_models["linear"].save(tmp_path / "thesis")
    assert (tmp_path / "thesis").read_text() == "years of work"


def test_weights_that_lie_elsewhere_are_not_lost(saved, fitted_models, tmp_path):
    (saved / "model.safetensors").rename(tmp_path / "weights")
    (saved / "model.safetensors").symlink_to(tmp_path / "weights")
    assert Autoencoder.load(saved).model == "dense"
    with pytest.raises(OutputError, match="holds something else than is to be written there"):
        fitted_models["linear"].save(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "history.jsonl"])
def test_a_failure_while_saving_leaves_the_old_model_whole(saved, fitted_models, monkeypatch, name):
    before = contents(saved)
    write = Path.write_bytes if name == "model.safetensors" else Path.write_text

    def full(path, *arguments, **keywords):
        if path.name == name:
            write(path, arguments[0][: len(arguments[0]) // 2])
            raise OSError(28, "No space left on device")
        return write(path, *arguments, **keywords)

    monkeypatch.setattr(Path, write.__name__, full)
    with pytest.raises(OutputError, match=r"model cannot be written: No space left on device"):
        fitted_models["conv"].save(saved)
    monkeypatch.undo()
    assert contents(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_metadata_that_json_cannot_hold_leaves_the_old_model_whole(saved, fitted_models):
    before = contents(saved)
    loaded = Autoencoder.load(saved)
    with pytest.raises(TypeError, match=r"not JSON serializable"):
        loaded.save(saved, metadata={"when": object()})
    with pytest.raises(ValueError, match=r"metadata must be less than 67,108,864 characters of JSON"):
        loaded.save(saved, metadata={"notes": "x" * 2**26})
    assert contents(saved) == before
    loaded.save(saved)  # nothing is left of it in the estimator
    assert contents(saved) == before


@pytest.mark.parametrize("reading", ["my own", {"height": 9, "width": 8, "channels": 1}, {"columns": ["a"]}])
def test_a_reading_of_other_samples_is_left_out(fitted_models, tmp_path, reading):
    ae = copy.deepcopy(fitted_models["linear"])
    with pytest.warns(UserWarning, match=r"metadata\['reading'\] is left out: the model's record"):
        ae.save(tmp_path / "model", metadata={"reading": reading, "note": 1})
    assert Autoencoder.load(tmp_path / "model").metadata_ == {"note": 1}


def test_a_process_killed_while_saving_leaves_the_old_model_or_the_new_one(saved, fitted_models):
    old = fitted_models["linear"]
    old.save(saved)
    wanted = [old.metadata_, {"new": 1}]
    for _ in killed_everywhere(lambda: old.save(saved, metadata={"new": 1}), step=3):
        assert Autoencoder.load(saved).metadata_ in wanted
        old.save(saved)
        assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_who_loads_while_another_saves_gets_the_old_or_the_new(saved, fitted_models):
    models = [fitted_models[name] for name in ("linear", "dense")]

    def save():
        for i in range(20):
            models[i % 2].save(saved)

    child, n = in_a_child(save), 0
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        assert Autoencoder.load(saved).model in ("linear", "dense")
        n += 1
    assert n


def test_a_model_caught_between_two_renames_loads_and_nothing_is_written(saved):
    waiting = saved.with_name(".model.latentmap-12345678") / "old"
    waiting.parent.mkdir()
    saved.rename(waiting)
    assert Autoencoder.load(saved).model == "dense"
    assert not saved.exists()
    assert waiting.exists()


def test_a_link_to_a_model_stays_and_can_be_saved_to_again(saved, fitted_models, tmp_path):
    (tmp_path / "link").symlink_to("model")
    for name in ("conv", "linear"):
        fitted_models[name].save(tmp_path / "link")
        assert Autoencoder.load(saved).model == Autoencoder.load(tmp_path / "link").model == name
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "model"]


def test_an_unfitted_estimator_has_nothing_to_save(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        Autoencoder().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written_is_named(fitted_models, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"model cannot be written: Permission denied"):
        fitted_models["linear"].save(tmp_path / "model")


def test_stored_weights_are_bit_equal(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    stored = FittedModel.load(tmp_path / "model").module.state_dict()
    for name, value in fitted.module_.state_dict().items():
        assert torch.equal(stored[name], value), name
        assert stored[name].dtype == value.dtype


@pytest.mark.parametrize("metadata", [[1], {1: "x"}, {"x": object()}, {"x": float("nan")}, {"x": np.float32(1)}])
def test_what_json_cannot_give_back_is_refused(tmp_path, fitted, metadata):
    with pytest.raises((TypeError, ValueError), match=r"^metadata must be a dict with names as keys, of what JSON"):
        fitted.save(tmp_path / "model", metadata=metadata)
    assert not list(tmp_path.iterdir())


def test_a_pipe_is_no_model(tmp_path):
    os.mkfifo(tmp_path / "m")
    with pytest.raises(ModelFileError, match="is not a model folder"):
        Autoencoder.load(tmp_path / "m")
