"""Codes that are corrected by their drawings, and refined by inverting the decoder: none is the worse for it."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from latentmap import Autoencoder, load_dataset
from latentmap.data.source import ReadOptions
from latentmap.distributed.encoding import encode_parts
from latentmap.errors import ModelFileError, OutputError
from latentmap.models.onnx import OnnxAutoencoder
from latentmap.models.refine import refined, twiced


@pytest.fixture(scope="module")
def table():
    """Curved, its features in different units, one of them constant."""
    rng = np.random.default_rng(0)
    curved = np.sin(2 * rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8)))
    return curved * [1, 10, 1e3, 1e-3, 1, 1, 5, 0] + 3e3


def errors(ae, X, n_steps):
    return ae.set_params(refine=n_steps).anomaly_score(X)


@pytest.fixture(scope="module")
def corrected(small):
    """One whose codes gain by being corrected, as it found itself."""
    return Autoencoder("residual", 16, epochs=8, random_state=0).fit(small.train.images)


def test_codes_are_corrected_by_what_the_encoder_makes_of_their_drawings(corrected, small):
    X, ae = small.test.images, copy.deepcopy(corrected)
    assert 0.002 < ae.describe()["twicing_gain"] < 1
    Z = ae.transform(X)
    first = ae.set_params(refine=0).transform(X)
    assert "twicing_gain" not in ae.describe()
    way = first - ae.transform(ae.inverse_transform(first))
    share = ((Z - first) * way).sum(axis=1, keepdims=True) / np.square(way).sum(axis=1, keepdims=True)
    assert share.min() > -1e-5
    assert share.max() < 2 + 1e-5
    np.testing.assert_allclose(Z, first + share * way, atol=1e-4 * Z.std())
    # No other way as far on draws much better: each sample's is found.
    found = [np.square(ae.inverse_transform(first + s * way) - X).mean(axis=(1, 2, 3)) for s in np.linspace(0, 2, 21)]
    assert errors(ae, X, "auto").mean() < 1.01 * np.min(found, axis=0).mean()
    assert errors(ae, X, "auto").mean() < 0.97 * errors(ae, X, 0).mean()
    assert (errors(ae, X, 1) <= np.minimum(errors(ae, X, 0), errors(ae, X, "auto")) * (1 + 1e-5)).all()


def test_the_share_is_kept_by_files_copies_and_exports(corrected, small, tmp_path):
    X, Z = small.test.images, corrected.transform(small.test.images)
    corrected.save(tmp_path / "model")
    for same in (
        Autoencoder.load(tmp_path / "model"),
        copy.deepcopy(corrected),
        pickle.loads(pickle.dumps(corrected)),  # noqa: S301  # our own
    ):
        np.testing.assert_array_equal(same.transform(X), Z)
    pytest.importorskip("onnxruntime")
    for refine in ("auto", 0):
        ae = copy.deepcopy(corrected).set_params(refine=refine)
        assert ae.describe_layers().facts["twicing"] == (refine == "auto")
        ae.export_onnx(tmp_path / "onnx")
        codes = OnnxAutoencoder(tmp_path / "onnx").transform(X)
        np.testing.assert_allclose(codes, ae.transform(X), atol=1e-4 * Z.std())
    # Both networks are in it, but each of their numbers once.
    sizes = [(tmp_path / "onnx" / f"{name}.onnx").stat().st_size for name in ("encoder", "decoder")]
    corrected.export_onnx(tmp_path / "onnx")
    assert (tmp_path / "onnx" / "encoder.onnx").stat().st_size < 1.05 * sum(sizes)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    for wrong in (-0.5, 2, "1", None, True):
        (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "twicing_gain": wrong}))
        with pytest.raises(
            ModelFileError, match="damaged entry in its config: twicing_gain must be a number from 0 to 1"
        ):
            Autoencoder.load(tmp_path / "model")
    del config["twicing_gain"]  # as files of before
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    assert "twicing_gain" not in Autoencoder.load(tmp_path / "model").describe()


def test_nothing_is_corrected_where_that_gains_nothing(small, table):
    X = small.train.images
    for model, objective in (
        ("linear", "reconstruction"),  # whose encoder is exact
        ("dense", "variational"),
        ("dense", "neighbors"),
        ("dense", "denoising"),
    ):
        ae = Autoencoder(model, 4, objective=objective, epochs=2, random_state=0).fit(X)
        assert "twicing_gain" not in ae.describe()
        np.testing.assert_array_equal(ae.transform(X), ae.set_params(refine=0).transform(X))
    rng = np.random.default_rng(0)
    for X in (rng.normal(size=(400, 10)), table, rng.normal(size=(12, 5)), np.ones((30, 4))):
        ae = Autoencoder("dense", 2, epochs=5, random_state=0).fit(X)
        assert errors(ae, X, "auto").mean() <= errors(ae, X, 0).mean() * 1.01


def test_all_kept_samples_judge(small, monkeypatch):
    X = small.train.images[np.argsort(small.train.labels)]  # the first are of one class

    def found(**more):
        return Autoencoder("dense", 16, epochs=5, random_state=0, **more).fit(X).describe().get("twicing_gain")

    whole = found()
    assert whole > 0.01
    monkeypatch.setattr("latentmap.training.batches._EVALUATION_BATCH", 7)
    assert found() == whole
    assert found(validation_fraction=0) > 0.01


def test_learning_more_finds_the_gain_anew(corrected, small):
    ae = copy.deepcopy(corrected)
    ae._fitted.twicing_gain = 0.9999
    assert 0 < ae.partial_fit(small.train.images).describe()["twicing_gain"] < 0.9


def test_where_little_is_drawn_rounding_does_not_decide(small):
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh())
    decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
    module = Autoencoder((encoder, decoder), epochs=1, random_state=0).fit(small.train.X).module_
    x = torch.rand(50, 1, 8, 8)
    with torch.no_grad():
        assert not torch.allclose(twiced(module, x), module.encode(x), atol=1e-2)
        module.decoder[0].weight.mul_(1e-7)
        assert torch.allclose(twiced(module, x), module.encode(x), atol=1e-2)
        module.decoder[0].weight.zero_()
        assert torch.equal(twiced(module, x), module.encode(x))


def test_codes_are_numbers_wherever_the_encoders_are(table):
    class Exp(nn.Module):
        def forward(self, z):
            return torch.exp(9 * z)

    ae = Autoencoder((nn.Linear(8, 2), nn.Sequential(nn.Linear(2, 8), Exp())), epochs=3, random_state=0).fit(table)
    x = torch.randn(300, 8) * 100
    with torch.no_grad():
        assert torch.isfinite(ae.module_.encode(x)).all()
        assert torch.isfinite(twiced(ae.module_, x)).all()


def test_no_sample_is_drawn_worse(fitted, small):
    X = small.test.images
    found = [errors(fitted, X, n_steps) for n_steps in (0, 1, 3)]
    assert (found[1] <= found[0] * (1 + 1e-5)).all()
    assert (found[2] <= found[1] * (1 + 1e-5)).all()
    # What codes decode to is what the errors tell.
    X_hat = fitted.inverse_transform(fitted.transform(X))
    np.testing.assert_allclose(np.square((X_hat - X) / 255).mean(axis=(1, 2, 3)) * 255**2, found[2], rtol=1e-3)


def test_a_step_saves_much_of_the_error_of_a_trained_network(small):
    ae = Autoencoder("dense", 16, epochs=40, random_state=0).fit(small.train.images)
    before, once, thrice = (errors(ae, small.test.images, n_steps).mean() for n_steps in (0, 1, 3))
    assert once < 0.9 * before
    assert thrice < once


@pytest.mark.parametrize("scaling", ["auto", "standard", "global"])
def test_vectors_are_drawn_better_in_the_units_of_their_errors(scaling, table):
    ae = Autoencoder("residual", 2, scaling=scaling, epochs=15, validation_fraction=0, random_state=0).fit(table)
    before, after = errors(ae, table, 0), errors(ae, table, 3)
    assert (after <= before * (1 + 1e-5)).all()
    assert after.mean() < 0.985 * before.mean()


def test_steps_find_the_least_squares_of_a_linear_decoder(small):
    # The encoder is wrong on purpose: what is found is the decoder's.
    torch.manual_seed(0)
    pair = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
    ae = Autoencoder(pair, epochs=1, learning_rate=1e-9, random_state=0).fit(small.train.X)
    weight, bias = (one.detach().double().numpy() for one in ae.module_.decoder[0].parameters())
    X = small.test.X / 255
    best = np.linalg.lstsq(weight, (X.reshape(len(X), -1) - bias).T, rcond=None)[0].T
    least = np.square(X.reshape(len(X), -1) - best @ weight.T - bias).mean(axis=1) * 255**2
    found = errors(ae, small.test.X, 10)
    assert (errors(ae, small.test.X, 0) > 1.05 * least).all()
    np.testing.assert_allclose(found, least, rtol=2e-2)
    assert (found >= least * (1 - 1e-5)).all()


def test_decoders_that_work_in_place_or_in_float64_do_too(small):
    class Wide(nn.Module):
        def forward(self, x):
            return x.double()

    torch.manual_seed(0)
    first = nn.LeakyReLU(0.1, inplace=True)
    decoder = nn.Sequential(first, nn.Linear(5, 64), Wide(), nn.Unflatten(1, (1, 8, 8)))
    ae = Autoencoder((nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), decoder), epochs=5, random_state=0).fit(
        small.train.X
    )
    before, after = errors(ae, small.test.X, 0), errors(ae, small.test.X, 2)
    assert (after <= before * (1 + 1e-5)).all()
    Z = ae.transform(small.test.X)
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(ae.transform(small.test.X), Z)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_code_is_its_samples_alone_and_does_not_change(fitted, small):
    X = small.test.images
    Z = fitted.set_params(refine=1).transform(X)
    np.testing.assert_array_equal(fitted.transform(X), Z)
    for rows in (slice(20, 60), slice(30, 31), slice(7, 10)):
        np.testing.assert_allclose(fitted.transform(X[rows]), Z[rows], atol=1e-4 * Z.std())


def test_codes_do_not_run_away_where_little_is_drawn(small):
    ae = Autoencoder("residual", 20, objective="variational", epochs=2, random_state=0).fit(small.train.X)
    Z = ae.transform(small.test.X)
    assert ae.set_params(refine=3).transform(small.test.X).std() < 8 * Z.std()
    assert np.isfinite(ae.set_params(refine=10**9).transform(small.test.X)).all()  # who gains nothing more stops


def test_numbers_that_draw_nothing_and_what_is_no_number_stay():
    x, z = torch.rand(20, 6), torch.rand(20, 3)

    def draw(z):
        return (z * torch.tensor([1.0, 0.0, 1.0])).repeat(1, 2)

    found = refined(draw, x, [z], 2)
    assert torch.equal(found[:, 1], z[:, 1])
    assert torch.allclose(found[:, 0], (x[:, 0] + x[:, 3]) / 2, atol=1e-2)
    for broken in (lambda z: z.new_zeros(len(z), 6), lambda z: z.repeat(1, 2) / 0):
        assert torch.equal(refined(broken, x, [z], 2), z)


def test_large_samples_are_refined_some_at_a_time(monkeypatch):
    x, z = torch.rand(20, 6), torch.zeros(20, 3)

    def draw(z):
        return torch.sin(z).repeat(1, 2)

    whole = refined(draw, x, [z], 2)
    monkeypatch.setattr("latentmap.models.refine._MOST_HELD", 100)
    torch.testing.assert_close(refined(draw, x, [z], 2), whole)


@pytest.mark.parametrize("wrong", [-1, 1.5, "2", True, None])
def test_what_is_no_number_of_steps_is_refused(wrong, small):
    X, ae = small.train.images, Autoencoder("linear", epochs=1)
    ae.fit(X).set_params(refine=wrong)
    for use in (ae.fit, ae.transform, ae.score):
        with pytest.raises(
            (TypeError, ValueError), match="refine must be 'auto' or a whole number of at least 0, got"
        ):
            use(X)


def test_it_plays_no_part_in_learning_and_is_kept_by_files(small, tmp_path):
    X = small.train.images
    plain, refined = (Autoencoder("dense", 3, epochs=2, random_state=0, refine=n).fit(X) for n in (0, 2))
    Z = refined.transform(X)
    assert not np.array_equal(plain.transform(X), Z)
    np.testing.assert_array_equal(refined.set_params(refine=0).transform(X), plain.transform(X))
    assert plain.settings(X) == refined.settings(X)
    plain.set_params(refine=2).save(tmp_path / "model")
    again = Autoencoder.load(tmp_path / "model")
    assert again.refine == again.describe()["refine"] == 2
    assert "refine" not in again.set_params(refine=0).describe()
    again.refine = 2
    np.testing.assert_array_equal(again.transform(X), Z)


def test_parts_of_other_steps_are_not_mixed(small, tmp_path):
    (tmp_path / "in").mkdir()
    for i, image in enumerate(small.train.images[:20, :, :, 0]):
        Image.fromarray(image).save(tmp_path / "in" / f"{i}.png")
    dataset = load_dataset(tmp_path / "in", test_fraction=0)
    ae = Autoencoder("dense", 3, epochs=1, random_state=0).fit(dataset.train.images)
    how = ReadOptions(reading=dataset.reading, test_fraction=0)
    given = how, str(tmp_path / "in"), str(tmp_path / "codes")
    encode_parts(ae, *given)
    encode_parts(ae, *given)
    with pytest.raises(OutputError, match="codes made otherwise: by another model"):
        encode_parts(ae.set_params(refine=1), *given)
