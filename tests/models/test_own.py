"""Networks of the user's own, and sizes of the built-in ones: in the estimator, reports and files."""

import json
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from latentmap import Autoencoder, plot
from latentmap.errors import CheckpointError, ModelFileError
from latentmap.models import MODELS
from latentmap.report import build
from latentmap.training import OBJECTIVES


class Sine(nn.Module):
    """No sequence, and no layer that ONNX or the explorer knows."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 3)

    def forward(self, x):
        return torch.sin(self.layer(x.flatten(1)))


def pair(encoder=None, seed=0):
    torch.manual_seed(seed)
    known = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    decoder = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
    return encoder or known, decoder


@pytest.fixture
def images(small):
    return small.train.X


def fit(X, model=None, **params):
    return Autoencoder(model or pair(), epochs=4, random_state=0, **params).fit(X)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective_trains_it(objective, images):
    ae = fit(images, objective=objective)
    assert (ae.model_, ae.latent_dim_, ae.transform(images).shape) == ("own", 3, (len(images), 3))
    assert ae.history_[-1]["train_loss"] < ae.history_[0]["train_loss"]


def test_it_learns_and_the_modules_given_stay_as_they_are(images):
    given = pair()
    before = [value.clone() for part in given for value in part.state_dict().values()]
    ae = Autoencoder(given, epochs=25, random_state=0).fit(images)
    after = [value for part in given for value in part.state_dict().values()]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    mean = np.square(images / 255 - images.mean(axis=0) / 255).mean()
    assert -ae.score(images) / 255**2 < mean
    again = clone(ae).fit(images)
    np.testing.assert_array_equal(again.transform(images), ae.transform(images))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ae)).transform(images), ae.transform(images))  # noqa: S301


@pytest.mark.parametrize("encoder", [None, Sine()])
def test_files_hold_the_weights_and_are_given_the_modules(encoder, images, tmp_path):
    ae = fit(images, pair(encoder))
    ae.save(tmp_path / "m")
    loaded = Autoencoder.load(tmp_path / "m", model=pair(encoder and Sine(), seed=1))
    np.testing.assert_array_equal(loaded.transform(images), ae.transform(images))
    loaded.partial_fit(images)
    clone(loaded).fit(images)
    with pytest.raises(ModelFileError, match="network of your own, whose layers no file has"):
        Autoencoder.load(tmp_path / "m")
    narrow = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 64), nn.Unflatten(1, (1, 8, 8)))
    with pytest.raises(ModelFileError, match=r"wrong tensor decoder\.0\.bias: it must be \(8,\)"):
        Autoencoder.load(tmp_path / "m", model=(pair(encoder)[0], narrow))
    fit(images, "linear", latent_dim=2).save(tmp_path / "n")
    with pytest.raises(ModelFileError, match="holds a linear network, which needs no modules"):
        Autoencoder.load(tmp_path / "n", model=pair())


def test_checkpoints_tell_networks_apart(images, tmp_path):
    Autoencoder(pair(), epochs=2, random_state=0).fit(images, checkpoint=tmp_path / "c")
    whole = Autoencoder(pair(), epochs=2, random_state=0).fit(images)
    resumed = Autoencoder(pair(), epochs=2, random_state=0).fit(images, checkpoint=tmp_path / "c", resume=True)
    np.testing.assert_array_equal(resumed.transform(images), whole.transform(images))
    with pytest.raises(CheckpointError, match="model"):
        Autoencoder(pair(seed=3), epochs=2, random_state=0).fit(images, checkpoint=tmp_path / "c", resume=True)


def test_reports_pictures_and_onnx_take_it(small, tmp_path, monkeypatch):
    known, unknown = fit(small.train.X), fit(small.train.X, pair(Sine()))
    known.export_onnx(tmp_path / "onnx")
    assert list(plot.network(known).shown) == ["own (3)"]
    plot.reconstructions([known, unknown], small)
    monkeypatch.setattr(build, "FIGURES", [one for one in build.FIGURES if one.name in ("network", "training")])
    report = build.build_report(small, tmp_path / "page", models={"known": known, "unknown": unknown})
    assert {"known", "unknown"} < set(report.metrics["models"])
    assert (report.folder / "explorer.html").is_file()


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        ((nn.Flatten(), nn.Linear(64, 64)), {}, r"decoder must give samples of shape \(n, 1, 8, 8\), got \(n, 64\)"),
        (
            (nn.Conv2d(1, 1, 1), nn.Identity()),
            {},
            r"encoder must give codes of shape \(n, latent_dim\), got \(n, 1, 8, 8\)",
        ),
        (
            (nn.Linear(3, 2), nn.Linear(2, 3)),
            {},
            r"model's encoder must take tensors of shape \(1, 1, 8, 8\): mat1 and mat2",
        ),
        (pair(), {"latent_dim": 5}, r"codes of shape \(n, 5\), got \(n, 3\)"),
        ((nn.Flatten(),), {}, r"or a pair \(encoder, decoder\) of torch.nn.Module, got tuple"),
        (nn.Flatten(), {}, r"or a pair \(encoder, decoder\) of torch.nn.Module, got Flatten"),
        ((nn.Flatten(), nn.Unflatten(1, (1, 8, 8))), {}, "model must have parameters to learn"),
        (pair(), {"model_params": {"hidden": [3]}}, "must be left out where model is given as modules"),
        (pair(Sine()), {"objective": "variational"}, "an nn.Sequential ending in an nn.Linear"),
        ("auto", {"model_params": {"hidden": [3]}}, "must be left out where model is to be chosen"),
        (
            "dense",
            {"model_params": {"hiden": [3]}},
            "a key of model_params for model='dense' must be one of 'hidden', got 'hiden'. Did you mean 'hidden'?",
        ),
        ("dense", {"model_params": {"hidden": 3}}, "hidden must be a sequence of whole numbers of at least 1, got 3"),
        ("dense", {"model_params": {"hidden": [3, 0]}}, "hidden must be a whole number of at least 1, got 0"),
        ("linear", {"model_params": {"width": 3}}, "model_params must be empty for model='linear', got 'width'"),
    ],
)
def test_what_does_not_fit_is_refused(model, params, message, images):
    with pytest.raises(ValueError, match=message):
        fit(images, model, **params)


@pytest.mark.parametrize(
    ("model", "params"),
    [("dense", {"hidden": (40, 20)}), ("residual", {"width": 48, "depth": 1}), ("strided", {"channels": (8, 12)})],
)
def test_sizes_of_the_built_in_ones_are_kept_in_files(model, params, images, tmp_path):
    ae = Autoencoder(model, 2, model_params=params, epochs=1, random_state=0).fit(images)
    usual = Autoencoder(model, 2, epochs=1, random_state=0).fit(images)
    assert ae.n_parameters_ != usual.n_parameters_
    ae.save(tmp_path / "m")
    usual.save(tmp_path / "u")
    loaded = Autoencoder.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.transform(images), ae.transform(images))
    assert clone(loaded).fit(images).n_parameters_ == ae.n_parameters_
    architecture = json.loads((tmp_path / "m" / "config.json").read_text())["architecture"]
    for name, value in params.items():
        assert architecture[name] == (list(value) if isinstance(value, tuple) else value)
    assert not set(params) & set(json.loads((tmp_path / "u" / "config.json").read_text())["architecture"])
    assert isinstance(ae.module_, MODELS[model])


# ---- what layers of one's own may do -------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8)


def draws():
    return nn.Sequential(nn.Linear(4, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))


class Skips(nn.Module):
    """Uses what lies between a convolution and its norm."""

    def __init__(self):
        super().__init__()
        self.block, self.last = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)), nn.Linear(512, 4)

    def forward(self, x):
        h = self.block[0](x)
        return self.last((self.block[1](h) + h).flatten(1))


@pytest.mark.parametrize(
    "encoder",
    [
        Skips,
        lambda: nn.Sequential(
            weight_norm(nn.Conv2d(1, 8, 3, padding=1)), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(512, 4)
        ),
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8, track_running_stats=False),
            nn.Flatten(),
            nn.Linear(512, 4),
        ),
    ],
)
def test_codes_are_those_of_the_network_however_it_goes_through_its_layers(encoder):
    ae = Autoencoder((encoder(), draws()), epochs=2, random_state=0).fit(IMAGES)
    x = ae.preprocessing_.to_input(torch.from_numpy(IMAGES))
    with torch.no_grad():
        np.testing.assert_allclose(ae.set_params(refine=0).transform(IMAGES), ae.module_.encode(x), atol=1e-4)


def test_layers_that_draw_random_numbers_draw_them_by_the_seed():
    X = np.random.default_rng(0).normal(size=(200, 5))
    pair = nn.Sequential(nn.Linear(5, 9), nn.Dropout(0.3), nn.Linear(9, 2)), nn.Linear(2, 5)
    before = torch.random.get_rng_state()
    first, again = (Autoencoder(pair, epochs=3, random_state=0).fit(X).transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(torch.random.get_rng_state(), before)


class Half(nn.Module):
    def forward(self, x):
        return 0.5 * x


class Halved(nn.Module):
    """Changes what it is given."""

    def forward(self, x):
        return x.mul_(0.5)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_layers_that_work_in_place_learn_as_others_do(objective):
    X = np.random.default_rng(0).normal(size=(120, 3)) @ np.random.default_rng(1).normal(size=(3, 6))

    def codes(*first, last=()):
        torch.manual_seed(0)
        pair = nn.Sequential(*first, nn.Linear(6, 2), *last), nn.Sequential(*first, nn.Linear(2, 6))
        return Autoencoder(pair, objective=objective, epochs=3, random_state=0).fit(X).transform(X)

    ends = [(), (nn.Tanh(),)]  # the encoder's parts are apart, or are not, of which this makes no twin
    for last in ends[: 1 if objective == "variational" else 2]:
        np.testing.assert_array_equal(codes(nn.ReLU(inplace=True), last=last), codes(nn.ReLU(), last=last))
        np.testing.assert_array_equal(codes(Halved(), last=last), codes(Half(), last=last))


class Mirrored(nn.Module):
    """Decodes by the weights that encode."""

    def __init__(self, linear):
        super().__init__()
        self.linear, self.offset = linear, nn.Parameter(torch.zeros(5))

    def forward(self, z):
        return z @ self.linear.weight + self.offset


def test_weights_that_are_shared_stay_shared_also_in_files(tmp_path):
    X, linear = np.random.default_rng(0).normal(size=(200, 5)), nn.Linear(5, 2)
    pair = nn.Sequential(linear), Mirrored(linear)
    ae = Autoencoder(pair, epochs=3, random_state=0).fit(X)
    assert ae.n_parameters_ == 5 * 2 + 2 + 5
    ae.save(tmp_path / "m")
    again = Autoencoder.load(tmp_path / "m", model=pair)
    np.testing.assert_array_equal(again.inverse_transform(again.transform(X)), ae.inverse_transform(ae.transform(X)))
    assert again.module_.encoder[0].weight is again.module_.decoder.linear.weight


def test_modules_that_give_no_tensor_are_refused_in_one_line():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x):
            return self.layer(x), x

    X = np.random.default_rng(0).random((20, 4))
    with pytest.raises(ValueError, match="model's encoder must give codes, a tensor, got a tuple"):
        Autoencoder(model=(Both(), nn.Linear(2, 4)), epochs=1).fit(X)
