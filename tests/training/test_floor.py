"""Learning starts at principal component analysis, and never ends above it."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from latentmap import Autoencoder
from latentmap.analysis import PcaBaseline
from latentmap.data.preprocessing import Preprocessing, measuring_unit
from latentmap.errors import TrainingError
from latentmap.models import MODELS, choose_model
from latentmap.training import components as components_module
from latentmap.training.batches import Batches
from latentmap.training.objectives import Reconstruction

RANDOM = np.random.default_rng(0)
FREE = RANDOM.normal(size=(240, 4))
OUTLIERS = RANDOM.normal(size=(240, 8))
OUTLIERS[::60] *= 1e6
DATA = {
    "noise": RANDOM.normal(size=(240, 12)),
    "curved": np.hstack([FREE, FREE**2, np.sin(2 * FREE)]),
    "rank below latent_dim": FREE[:, :2] @ RANDOM.normal(size=(2, 10)),
    "constant features": np.hstack([FREE, np.full((240, 3), 7.0)]),
    "all constant": np.full((60, 6), 3.0),
    "duplicates": np.repeat(RANDOM.normal(size=(12, 9)), 20, axis=0),
    "fewer rows than numbers": RANDOM.normal(size=(24, 60)),
    "outliers": OUTLIERS,
    "heavy tails": RANDOM.standard_t(2, size=(240, 9)),
    "units": RANDOM.normal(size=(240, 7)) * 10.0 ** np.arange(-3, 4) + 1e3,
    "counts": RANDOM.poisson(np.exp(FREE[:, :2] @ RANDOM.normal(size=(2, 14)) - 1)).astype(float),
    "gray images": RANDOM.integers(0, 256, size=(120, 4, 4)).repeat(2, 1).repeat(2, 2).astype(np.uint8),
    "colour images": np.clip(RANDOM.normal(0.5, 0.2, size=(120, 5, 7, 3)), 0, 1).astype(np.float32),
}


def error(model, X):
    """Mean squared error, in the units of the page's figures."""
    unit = np.asarray(measuring_unit(X))
    differences = (model.inverse_transform(model.transform(X)).astype(np.float64) - X) / unit
    return float(np.mean(differences**2))


def batches_of(X):
    preprocessing = Preprocessing.fit(X)
    return Batches(
        preprocessing.hold(X),
        preprocessing,
        batch_size=32,
        seed=0,
        validation_fraction=0.1,
        device=torch.device("cpu"),
    )


CASES = [(model, data, k) for model in ("dense", "linear") for data in sorted(DATA) for k in (1, 5)]
CASES += [("residual", data, 3) for data in sorted(DATA) if DATA[data].ndim == 2]  # of images it has no path
CASES += [("strided", data, k) for data in sorted(DATA) if DATA[data].ndim > 2 for k in (1, 5)]
CASES += [("auto", data, 2) for data in sorted(DATA)]


@pytest.mark.parametrize(("model", "data", "latent_dim"), CASES)
def test_a_fit_is_no_worse_than_pca(model, data, latent_dim):
    X = DATA[data]
    ae = Autoencoder(model, latent_dim, epochs=4, random_state=0).fit(X)
    floor = 0.0 if data == "all constant" else error(PcaBaseline(latent_dim).fit(X), X)
    assert error(ae, X) <= 1.01 * floor + 1e-9
    assert ae.history_[0]["epoch"] == 0
    assert ae.n_iter_ == 4


def test_convolutions_of_a_chosen_size_are_no_worse_either():
    X = DATA["colour images"]
    ae = Autoencoder("conv", 6, epochs=3, random_state=0).fit(X)
    assert error(ae, X) <= 1.01 * error(PcaBaseline(6).fit(X), X)


@pytest.mark.parametrize(
    ("shape", "n", "latent_dim", "name"),
    [
        ((30,), 5000, 8, "dense"),
        ((3, 32, 32), 2000, 2, "strided"),
        ((3, 32, 32), 1999, 2, "dense"),
        ((3, 15, 32), 5000, 64, "dense"),
        ((1, 28, 28), 5000, 3, "strided"),
        ((1, 28, 28), 5000, 2, "dense"),
    ],
)
def test_what_is_chosen_by_default(shape, n, latent_dim, name):
    assert choose_model(shape, n, latent_dim) == name


def test_what_was_chosen_is_said_and_kept(tmp_path, small):
    ae = Autoencoder(epochs=1, random_state=0)
    assert ae.model == "auto"
    ae.fit(small.train.images).save(tmp_path / "model")
    assert (ae.model, ae.model_, ae.latent_dim_) == ("auto", "dense", 2)
    assert ae.module_.linear is not None  # unlike that of `dense` when it is asked for
    loaded = Autoencoder.load(tmp_path / "model")
    assert (loaded.model, loaded.model_) == ("auto", "dense")
    many = np.random.default_rng(0).integers(0, 256, (2000, 16, 16, 3), dtype=np.uint8)
    assert ae.fit(many).model_ == "strided"
    assert Autoencoder(epochs=1).fit(DATA["curved"][:, :1]).latent_dim_ == 1


@pytest.mark.parametrize("model", ["linear", "dense", "strided"])
def test_codes_of_a_start_that_is_kept_are_those_of_pca(model):
    X = DATA["colour images"]
    ae = Autoencoder(model, 4, epochs=1, learning_rate=1e-9, random_state=0).fit(X)
    assert ae.best_epoch_ == 0
    wanted = PcaBaseline(4).fit(X).transform(X)
    found = ae.transform(X)
    found = found * np.sign((found * wanted).sum(axis=0))
    np.testing.assert_allclose(found, wanted, atol=2e-3 * wanted.std())


def test_one_sample_may_judge_too():
    angles = RANDOM.uniform(0, 2 * np.pi, 100)
    X = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles), np.sin(2 * angles)], axis=1)
    ae = Autoencoder("dense", 1, validation_fraction=0.01, random_state=0).fit(X)
    assert ae.describe()["n_validation"] == 1
    assert ae.best_epoch_ > 0


def test_where_a_start_is_found_again_from_all_the_rest_of_the_network_stays():
    X = DATA["colour images"]
    again, once = (
        Autoencoder("strided", 4, epochs=1, learning_rate=1e-9, validation_fraction=part, random_state=0).fit(X)
        for part in (0.1, 0)
    )
    assert again.best_epoch_ == once.best_epoch_ == 0
    torch.testing.assert_close(again.module_.encoder[0].bias, once.module_.encoder[0].bias, rtol=0.2, atol=0.05)


@pytest.mark.parametrize("model", ["linear", "dense", "strided", "conv"])
@torch.no_grad()
def test_numbers_of_codes_count_as_much_as_what_they_draw(model):
    X = DATA["colour images"]
    ae = Autoencoder(model, 3, epochs=2, random_state=0).fit(X)
    module = ae.module_
    x = ae.preprocessing_.to_input(torch.from_numpy(X))
    z, x_hat = module.encode(x), module(x)
    torch.testing.assert_close(module.code_lengths(z), torch.ones(3), rtol=0.2, atol=0)
    factors = torch.tensor([0.01, 3.0, 500.0])
    module.scale_codes(factors)
    torch.testing.assert_close(module.encode(x) / factors, z, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(module(x), x_hat, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(module.code_lengths(z * factors), 1 / factors, rtol=0.2, atol=0)


def test_codes_are_not_scaled_where_what_they_stand_for_would_change():
    module = MODELS["dense"]((6,), 3, linear_path=True)
    assert module.can_scale_codes
    module.decoder = nn.Sequential(nn.BatchNorm1d(3), *module.decoder)
    assert not module.can_scale_codes


def test_the_encoder_of_photographs_finds_codes_of_its_own():
    waves = 0.5 + 0.4 * np.sin(np.arange(8) + np.linspace(0, 6, 200)[:, np.newaxis])
    X = np.tile(waves[:, np.newaxis, :, np.newaxis], (1, 8, 1, 3))  # one number says it all, but not linearly
    ae = Autoencoder("strided", 1, epochs=20, augmentation="none", random_state=0).fit(X)
    assert error(ae, X) < 0.9 * error(PcaBaseline(1).fit(X), X)
    assert not ae.module_.linear.into.weight.any()
    assert ae.module_.linear.out.weight.any()
    kept = Autoencoder("strided", 1, epochs=1, learning_rate=1e-9, random_state=0).fit(X)
    assert kept.best_epoch_ == 0  # the start, its encoder too
    assert kept.module_.linear.into.weight.any()


def test_the_networks_of_the_beginning_are_what_they_were():
    shape = (1, 32, 32)
    assert MODELS["dense"].config_for(shape, None) == MODELS["dense"].config_for(shape, 2) == {}
    assert MODELS["conv"].config_for(shape, None) == MODELS["conv"].config_for(shape, 64) == {}
    assert MODELS["conv"].config_for((3, 128, 128), 64) == {"linear_path": True}
    assert MODELS["conv"].config_for((3, 1024, 1024), 64) == {}  # 200 million numbers each way
    assert MODELS["conv"].config_for(shape, 10) == MODELS["dense"].config_for((13,), 2) == {"linear_path": True}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_before_its_first_step_a_network_is_pca_with_codes_of_unit_variance(name):
    X = DATA["colour images"]
    options = {} if name == "linear" else {"linear_path": True}
    module = MODELS[name](sample_shape=(3, 5, 7), latent_dim=4, **options)
    assert module.n_components == 4
    start = batches_of(X).components(4, of_all=True)
    module.start_from(start)
    module.eval()
    x = torch.from_numpy(X).permute(0, 3, 1, 2)
    with torch.no_grad():
        z, x_hat = module.encode(x), module(x)
    wanted = PCA(4).fit(X.reshape(len(X), -1))
    rows = wanted.inverse_transform(wanted.transform(X.reshape(len(X), -1))).reshape(X.shape)
    rows = rows if name == "linear" else rows.clip(0, 1)
    np.testing.assert_allclose(x_hat.permute(0, 2, 3, 1).numpy(), rows, atol=2e-5)
    np.testing.assert_allclose(z.var(dim=0, correction=0).numpy(), 1, atol=1e-3)
    np.testing.assert_allclose(z.mean(dim=0).numpy(), 0, atol=1e-3)


@pytest.mark.parametrize("most", [4096, 50], ids=["by covariance", "by rows"])
def test_the_start_is_judged_by_samples_that_it_was_not_found_from(monkeypatch, most):
    monkeypatch.setattr(components_module, "_COVARIANCE_VALUES", most)
    X = RANDOM.normal(size=(100, 200))
    batches = batches_of(X)
    mean, deviation = X[batches.train_rows].mean(axis=0), Preprocessing.fit(X).scale
    found = batches.components(20)
    scaled = (X[batches.train_rows] - mean) / deviation
    held = scaled - scaled @ found.directions.numpy().T @ found.directions.numpy()
    wanted = scaled - PCA(20).fit(scaled).inverse_transform(PCA(20).fit_transform(scaled))
    assert np.square(held).sum() < 1.1 * np.square(wanted).sum()
    ae = Autoencoder("strided", 50, epochs=1, random_state=0).fit(RANDOM.random((100, 8, 8, 3)))
    start = ae.history_[0]
    assert start["epoch"] == 0
    assert start["valid_loss"] > 1.5 * start["train_loss"]


@pytest.mark.parametrize("most", [4096, 50], ids=["by covariance", "by rows"])
@pytest.mark.parametrize("n_values", [12, 300])
def test_components_are_those_of_scikit_learn(monkeypatch, most, n_values):
    monkeypatch.setattr(components_module, "_COVARIANCE_VALUES", most)
    X = RANDOM.normal(size=(400, n_values)) * np.linspace(3, 0.1, n_values) + 5
    start = batches_of(X).components(6, of_all=True)
    scaled = (X - X.mean(axis=0)) / Preprocessing.fit(X).scale
    wanted = PCA(6).fit(scaled)
    np.testing.assert_allclose(start.deviations.numpy() ** 2, wanted.explained_variance_ * 399 / 400, rtol=2e-2)
    overlap = np.abs(np.sum(start.directions.numpy() * wanted.components_, axis=1))
    assert overlap[:3].min() > 0.95
    np.testing.assert_allclose(start.directions @ start.directions.T, np.eye(6), atol=1e-5)


def test_many_values_are_decomposed_as_few_are():
    X = RANDOM.normal(size=(200, 1100)) * np.linspace(2, 0, 1100) ** 4
    start = batches_of(X).components(3, of_all=True)
    wanted = PCA(3, svd_solver="full").fit(X / Preprocessing.fit(X).scale)
    np.testing.assert_allclose(start.deviations.numpy() ** 2, wanted.explained_variance_ * 199 / 200, rtol=1e-3)


def test_the_start_is_kept_where_an_epoch_is_better_by_noise_alone(monkeypatch):
    X = DATA["noise"]
    ae = Autoencoder("dense", 3, epochs=3, learning_rate=1e-12, random_state=0).fit(X)
    assert ae.best_epoch_ == 0
    assert ae.describe()["best_epoch"] == 0

    def better(self, module, batch):
        gain = torch.full((batch.n,), 0.5 if module.training else 1.0)
        better.calls += 1
        return gain - 0.01 * better.calls

    better.calls = 0
    monkeypatch.setattr(Reconstruction, "each", better)
    assert Autoencoder("dense", 3, epochs=3, random_state=0).fit(X).best_epoch_ == 3


def test_a_fit_that_diverges_is_left_at_the_start():
    X = DATA["curved"]
    ae = Autoencoder("dense", 3, epochs=3, learning_rate=1e6, random_state=0)
    with pytest.warns(UserWarning, match="going on from the beginning"), pytest.raises(TrainingError):
        ae.fit(X)
    assert error(ae, X) <= 1.01 * error(PcaBaseline(3).fit(X), X)


def test_what_diverges_leaves_the_start_again_for_its_second_try(monkeypatch):
    calls, leave = [], MODELS["strided"].leave_start
    monkeypatch.setattr(MODELS["strided"], "leave_start", lambda module: (calls.append(1), leave(module)))
    ae = Autoencoder("strided", 3, epochs=2, learning_rate=1e6, random_state=0)
    with pytest.warns(UserWarning, match="going on from the beginning"), pytest.raises(TrainingError):
        ae.fit(DATA["colour images"])
    assert len(calls) == 2
    assert ae.best_epoch_ == 0


def test_a_network_with_a_linear_path_comes_back_from_its_folder_and_goes_on(tmp_path):
    X = DATA["curved"]
    ae = Autoencoder("residual", 3, epochs=3, random_state=0).fit(X)
    ae.save(tmp_path / "model")
    loaded = Autoencoder.load(tmp_path / "model")
    assert loaded.module_.config["linear_path"] is True
    np.testing.assert_array_equal(loaded.transform(X), ae.transform(X))
    assert loaded.history_ == ae.history_
    loaded.partial_fit(X)
    first = Autoencoder("residual", 3, random_state=0).partial_fit(X[:120])
    assert error(first.partial_fit(X[120:]), X) < 2 * error(PcaBaseline(3).fit(X), X)


@pytest.mark.parametrize("outlier", [0, 1e4, 1e6])
def test_codes_of_the_start_are_pcas_but_for_signs_and_one_factor_down_to_a_thousandth(outlier):
    X = np.random.default_rng(0).normal(size=(2000, 5)) * [5, 3, 1, 0.5, 0.2]
    X[0, 0] += outlier
    ae = Autoencoder("linear", 3, epochs=1, scaling="global", random_state=0).fit(X)
    assert ae.best_epoch_ == 0
    widths, theirs = ae.transform(X).std(axis=0), PCA(3).fit_transform(X).std(axis=0)
    wanted = np.maximum(theirs / theirs[0], 1e-3)
    np.testing.assert_allclose(widths / widths[0], wanted, rtol=0.02)
