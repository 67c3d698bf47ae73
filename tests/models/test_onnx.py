import logging
import shutil
import sys

import numpy as np
import pytest

from latentmap import Autoencoder
from latentmap.errors import MissingExtraError, ModelFileError, OutputError
from latentmap.models import MODELS, onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(fitted_models, tmp_path_factory):
    """Every architecture's folder, and the difference that the export found."""
    root = tmp_path_factory.mktemp("onnx")
    found = {}
    logging.getLogger("torch.onnx").setLevel(logging.CRITICAL)
    for name, ae in fitted_models.items():
        ae.metadata_ = {"class_names": list("0123456789")}
        found[name] = root / name, ae.export_onnx(root / name)
        ae.metadata_ = {}
    assert logging.getLogger("torch.onnx").level == logging.CRITICAL  # left as found
    logging.getLogger("torch.onnx").setLevel(logging.NOTSET)
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


# ---- what is refused (before anything is exported, or with the export's slow part left out) ------------------------


def test_a_graph_that_differs_is_refused_and_nothing_is_written(fitted_models, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "_export", lambda path, *_: path.write_bytes(b""))
    monkeypatch.setattr(onnx, "_largest_difference", lambda *_: 0.5)
    with pytest.raises(ModelFileError, match=r"differs from PyTorch by 0\.5, more than 0\.0001\. Nothing was written"):
        fitted_models["linear"].export_onnx(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_we_did_not_write_is_not_overwritten(fitted_models, tmp_path):
    (tmp_path / "notes").write_text("x")
    with pytest.raises(OutputError, match="exists and was not written by latentmap"):
        fitted_models["linear"].export_onnx(tmp_path)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
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
    with pytest.raises(OutputError, match="export exists and was not written by latentmap"):
        fitted_models["linear"].export_onnx(folder)
    assert (folder / foreign).read_text() == "mine"


def test_an_export_behind_a_link_is_replaced(exported, fitted_models, tmp_path):
    shutil.copytree(exported["linear"][0], tmp_path / "export")
    (tmp_path / "link").symlink_to("export")
    fitted_models["conv"].export_onnx(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "link"]
    assert onnx.OnnxAutoencoder(tmp_path / "link").transform(np.zeros((1, 8, 8, 1), np.uint8)).shape == (1, 3)
