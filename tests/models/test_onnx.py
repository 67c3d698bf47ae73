import shutil
import sys

import numpy as np
import pytest
import torch

from latentmap import Autoencoder
from latentmap.errors import LayerError, MissingExtraError, ModelFileError, OutputError
from latentmap.models import MODELS, onnx
from tests.random_models import CASES, Odd, random_model, samples

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(fitted_models, tmp_path_factory):
    """Every architecture's folder, and the difference that the export found."""
    root = tmp_path_factory.mktemp("onnx")
    found = {}
    for name, ae in fitted_models.items():
        ae.metadata_ = {"class_names": list("0123456789")}
        found[name] = root / name, ae.export_onnx(root / name)
        ae.metadata_ = {}
    return found


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("n", [1, 2, 77])
def test_onnxruntime_gives_what_pytorch_gives_for_any_number_of_samples(exported, fitted_models, small, name, n):
    folder, difference = exported[name]
    assert 0 <= difference <= 1e-4
    assert sorted(path.name for path in folder.iterdir()) == ["decoder.onnx", "encoder.onnx"]
    X, ae = small.test.images[:n], fitted_models[name]
    codes = session(folder / "encoder.onnx").run(None, {"samples": X})[0]
    wanted = ae.transform(X)
    np.testing.assert_allclose(codes, wanted, atol=1e-4 * max(1, np.abs(wanted).max()))
    samples = session(folder / "decoder.onnx").run(None, {"codes": wanted})[0]
    np.testing.assert_allclose(samples, ae.inverse_transform(wanted), atol=1e-4 * 255)


def test_inputs_and_outputs_are_named_typed_and_of_any_number(exported):
    folder, _ = exported["conv"]
    encoder = session(folder / "encoder.onnx")
    (encoder_in,), (encoder_out,) = encoder.get_inputs(), encoder.get_outputs()
    assert (encoder_in.name, encoder_in.type, encoder_in.shape[1:]) == ("samples", "tensor(uint8)", [8, 8, 1])
    assert (encoder_out.name, encoder_out.type, encoder_out.shape[1:]) == ("codes", "tensor(float)", [3])
    assert isinstance(encoder_in.shape[0], str)  # a name, not a number
    (decoder_in,) = session(folder / "decoder.onnx").get_inputs()
    assert (decoder_in.name, decoder_in.type, decoder_in.shape[1:]) == ("codes", "tensor(float)", [3])


def test_version_classes_and_opset_are_inside(exported):
    import onnx as onnx_package

    import latentmap

    for name in ("encoder.onnx", "decoder.onnx"):
        model = onnx_package.load(exported["dense"][0] / name)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        assert metadata["latentmap_version"] == latentmap.__version__
        assert metadata["model"] == "dense"
        assert metadata["classes"] == '["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]'
        assert [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")] == [18]


def test_an_exported_model_is_a_transformer(exported, fitted_models, small):
    folder, _ = exported["linear"]
    loaded, ae = onnx.OnnxAutoencoder(folder), fitted_models["linear"]
    X = np.concatenate([small.test.images] * 6)  # more than are run at once
    np.testing.assert_allclose(loaded.transform(X), ae.transform(X), atol=1e-4)
    Z = ae.transform(X)
    np.testing.assert_allclose(loaded.inverse_transform(Z), ae.inverse_transform(Z), atol=1e-2)


@pytest.mark.parametrize("kind", ["vectors", "float images"])
def test_units_are_in_the_graph(vectors, tmp_path, kind):
    images = 300 * np.random.default_rng(0).random((40, 5, 7, 3)) - 100
    X = vectors * [1, 1, 1, 1, 1, 1e4] if kind == "vectors" else images
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(X)
    ae.export_onnx(tmp_path / "out")
    loaded = onnx.OnnxAutoencoder(tmp_path / "out")
    Z = ae.transform(X)
    np.testing.assert_allclose(loaded.transform(X), Z, atol=2e-4 * max(1, np.abs(Z).max()))
    scale = np.abs(X).reshape(-1, X.shape[-1]).max(axis=0)
    assert (np.abs(loaded.inverse_transform(Z) - ae.inverse_transform(Z)) <= 2e-4 * scale).all()


def assert_onnxruntime_agrees(model, X, folder):
    assert onnx.export_onnx(folder, model) <= 1e-4
    X = X if X.dtype == np.uint8 else X.astype(np.float32)
    loaded, Z = onnx.OnnxAutoencoder(folder), model.encode(X)
    np.testing.assert_allclose(loaded.transform(X), Z, atol=1e-4 * max(1, np.abs(Z).max()))
    X_hat = model.decode(Z).astype(np.float32)
    differences = np.abs(loaded.inverse_transform(Z) - X_hat)
    assert (differences <= 1e-4 * model.preprocessing.scale + np.spacing(np.abs(X_hat))).all()


@pytest.mark.parametrize("path", ["alone", "beside a linear path"])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_architecture_is_exported_for_all_kinds_of_samples(name, kind, path, tmp_path):
    X, beside = samples(kind), path != "alone" and name != "linear"
    model = random_model(name, X, 5, **({"linear_path": True} if beside else {}))
    assert_onnxruntime_agrees(model, X, tmp_path / "out")


def test_other_layers_than_ours_are_exported(tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "odd", Odd)
    X = samples("colour of odd size")
    assert_onnxruntime_agrees(random_model("odd", X, 3), X, tmp_path / "out")


def test_what_is_too_large_for_a_file_has_its_numbers_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "_MOST_INSIDE", 10_000)
    X = samples("large")
    for _ in range(2):  # the second takes the first one's place
        assert_onnxruntime_agrees(random_model("linear", X, 3), X, tmp_path / "out")
    names = ["decoder.onnx", "decoder.onnx.data", "encoder.onnx", "encoder.onnx.data"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_a_layer_that_only_pytorch_knows_is_refused_by_name(tmp_path):
    model = random_model("dense", samples("gray"), 2)
    model.module.encoder.append(torch.nn.Softplus())
    with pytest.raises(LayerError, match=r"the layer Softplus\(.*\) is not known outside of PyTorch"):
        onnx.export_onnx(tmp_path / "out", model)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_differs_is_refused_and_nothing_is_written(fitted_models, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "write_graph", lambda path, *_: path.write_bytes(b""))
    monkeypatch.setattr(onnx, "_largest_difference", lambda *_: 0.5)
    with pytest.raises(ModelFileError, match=r"differs from PyTorch by 0\.5, more than 0\.0001\. Nothing was written"):
        fitted_models["linear"].export_onnx(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_we_did_not_write_is_not_overwritten(fitted_models, tmp_path):
    (tmp_path / "notes").write_text("x")
    with pytest.raises(OutputError, match="exists and holds something else than is to be written there"):
        fitted_models["linear"].export_onnx(tmp_path)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_its_name_is_said(fitted_models, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"exporting needs the package {package}. Install it with: pip install 'latentmap\[onnx\]'"
    with pytest.raises(MissingExtraError, match=message):
        fitted_models["linear"].export_onnx(tmp_path / "out")


def test_a_folder_without_graphs_is_refused(tmp_path):
    with pytest.raises(
        ModelFileError, match=r"is not an exported model: it must hold encoder\.onnx and decoder\.onnx"
    ):
        onnx.OnnxAutoencoder(tmp_path)


@pytest.mark.parametrize("foreign", ["notes.txt", "encoder.onnx"])
def test_only_an_export_of_ours_is_replaced(exported, fitted_models, tmp_path, foreign):
    folder = tmp_path / "export"
    shutil.copytree(exported["linear"][0], folder)
    (folder / foreign).write_text("mine")
    with pytest.raises(OutputError, match="export exists and holds something else than is to be written there"):
        fitted_models["linear"].export_onnx(folder)
    assert (folder / foreign).read_text() == "mine"


def test_an_export_behind_a_link_is_replaced(exported, fitted_models, tmp_path):
    shutil.copytree(exported["linear"][0], tmp_path / "export")
    (tmp_path / "link").symlink_to("export")
    fitted_models["conv"].export_onnx(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "link"]
    assert onnx.OnnxAutoencoder(tmp_path / "link").transform(np.zeros((1, 8, 8, 1), np.uint8)).shape == (1, 3)


def test_what_float32_cannot_tell_apart_is_not_exported(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 4)) + 1.7e9
    ae = Autoencoder("dense", 2, epochs=1, random_state=0).fit(X)
    with pytest.raises(ModelFileError, match="so far from zero"):
        ae.export_onnx(tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_floats_are_not_cut_to_bytes(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8)
    Autoencoder("dense", 2, epochs=1, random_state=0).fit(X).export_onnx(tmp_path / "onnx")
    with pytest.raises(ValueError, match="X must be uint8 images, as fit saw them, got float64"):
        onnx.OnnxAutoencoder(tmp_path / "onnx").transform(X / 2)
