"""What each objective does on digits, and that each is one: registered, differentiable, exact to resume."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from latentmap import Autoencoder, load_dataset
from latentmap.analysis import active_units, evaluate, nearest_samples
from latentmap.models import MODELS
from latentmap.training import OBJECTIVES, TrainingPlan
from latentmap.training.loop import train
from latentmap.training.objectives import Batch, Denoising, Neighbors, Variational, make_objective
from latentmap.training.objectives.base import squared_error
from latentmap.training.objectives.neighbors import info_nce
from tests.training.test_loop import make_batches, make_module


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", size=8)


KNOWN = {}


def fitted(digits, objective, **others):
    """A model that may have been fitted for another test: not to be changed."""
    arguments = {"model": "dense", "latent_dim": 2, "random_state": 0, **others}
    key = repr((objective, sorted(arguments.items())))
    if key not in KNOWN:
        KNOWN[key] = Autoencoder(objective=objective, **arguments).fit(digits.train.images)
    return KNOWN[key]


def begun(name, small, model="dense", **params):
    """An objective that has looked at data, the module, and a batch."""
    objective, module, batches = make_objective(name, params), make_module(model), make_batches(small)
    objective.begin(module, batches)
    return objective, module, next(batches.epoch(1, objective=objective))


def test_what_is_cut_off_in_the_end_costs_nothing_and_what_should_be_brighter_has_a_gradient():
    module = MODELS["strided"]((1, 16, 16), 4, linear_path=True)
    x = torch.tensor([0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0])
    x_hat = torch.tensor([-3.0, 0.25, -1.0, 0.25, 2.0, 2.0, 0.75], requires_grad=True)
    found = squared_error(module, x_hat, x)
    found.backward()
    expected = torch.tensor([0, 0.0625, 0.25 + 1, 0.0625, 0.25 + 1, 0, 0.0625])
    torch.testing.assert_close(found, expected.mean())
    torch.testing.assert_close(x_hat.grad, torch.tensor([0, 0.5, -1, -0.5, 1, 0, -0.5]) / 7)
    torch.testing.assert_close(squared_error(module, x_hat.clamp(0, 1), x), functional.mse_loss(x_hat.clamp(0, 1), x))
    outside = torch.tensor([-0.03, 1.05, -0.03])  # new pieces may be brighter or darker than what was fitted
    found = squared_error(module, torch.tensor([-100.0, 100.0, 0.5]), outside)
    torch.testing.assert_close(found, torch.tensor([0.03**2, 0.05**2, 0.53**2]).mean())
    bounded = make_module("residual")
    torch.testing.assert_close(squared_error(bounded, x_hat, x), functional.mse_loss(x_hat, x))


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_every_objective_trains_every_architecture(name, model, small):
    objective, module, batch = begun(name, small, model)
    loss = objective(module.train(), batch, 0.5)
    assert loss.shape == ()
    loss.backward()
    learned = [*module.parameters(), *objective.parameters()]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learned)
    assert len(batch.x) == batch.n * (1 + objective.n_companions)


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_the_validation_loss_is_always_the_same_number(name, small):
    from latentmap.training.loop import validate

    objective, module, _ = begun(name, small)
    batches = make_batches(small)
    assert torch.equal(validate(module, batches, objective), validate(module, batches, objective))


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_a_run_can_be_cut_anywhere_and_resumed_to_the_same_bits(name, small, tmp_path):
    from latentmap.training.checkpoints import Checkpoints
    from tests.training.test_checkpoints import stopped_after

    def run(**others):
        objective, module, _ = begun(name, small)
        result = train(module, make_batches(small), objective, TrainingPlan("dense", 3, 50, 0.05), **others)
        return module, objective, result

    whole, own, result = run()
    checkpoints = Checkpoints(tmp_path, {})
    with stopped_after(9):
        run(checkpoints=checkpoints)
    resumed, own_resumed, again = run(checkpoints=checkpoints, resume=True)
    for a, b in ((whole, resumed), (own, own_resumed)):
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert [r.valid_loss for r in again.history] == [r.valid_loss for r in result.history]


def test_neighbours_are_poor_before_training_and_good_after(digits):
    before = evaluate(fitted(digits, "neighbors", epochs=1, learning_rate=1e-9), digits)
    plain = evaluate(fitted(digits, "reconstruction"), digits)
    after = evaluate(fitted(digits, "neighbors", model="residual", epochs=10), digits)
    assert before.knn_accuracy < 0.7
    assert after.knn_accuracy > max(0.9, plain.knn_accuracy)
    assert after.trustworthiness > plain.trustworthiness > before.trustworthiness
    assert after.test_mse < 1.15 * plain.test_mse  # and it still draws


def test_the_weight_trades_errors_for_neighbours(digits):
    loose, strict = (fitted(digits, "neighbors", objective_params={"weight": w}, epochs=15) for w in (0.0, 30.0))
    X = digits.test.images
    assert strict.score(X) > loose.score(X)
    assert evaluate(strict, digits).knn_accuracy < evaluate(loose, digits).knn_accuracy


def test_the_neighbours_loss_is_that_of_its_definition_and_so_is_its_gradient():
    z = torch.randn(10, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    pairs = z.view(5, 2, 3)
    similarity = 1 / (1 + (z[:, None] - z[None]).square().sum(2))
    others = torch.arange(10)[:, None] // 2 != torch.arange(10)[None] // 2
    wanted = (pairs[:, 0] - pairs[:, 1]).square().sum(1).log1p().mean()
    wanted = wanted + 0.7 * ((similarity * others).sum(1) / 8).log().mean()
    found = info_nce(z, push=0.7)
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(loss, z)[0] for loss in (found, wanted)]
    torch.testing.assert_close(*slopes)


def test_codes_whose_neighbours_are_as_far_as_strangers_are_pushed_apart_by_the_whole_and_others_by_less():
    z = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(info_nce(z), info_nce(z, push=1.0))  # pairs of strangers
    close = z.clone()
    close[1::2] = close[::2] + 0.1 * close[1::2]
    torch.testing.assert_close(info_nce(close), info_nce(close, push=0.4))


def test_a_map_of_neighbours_that_hardly_agree_does_not_fall_into_one_point():
    y = np.arange(1200) % 6
    X = np.random.default_rng(0).normal(size=(1200, 30)).astype(np.float32)
    X[:, :6] += 2.5 * np.eye(6)[y]  # groups that overlap: of the nearest in all numbers, a third are of another
    Z = Autoencoder("residual", objective="neighbors", epochs=30, random_state=0).fit_transform(X)
    assert Z.std(axis=0).min() > 1.5  # widths of the kernel


def test_one_pair_has_no_strangers():
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert info_nce(z).item() == pytest.approx(np.log(2))


def test_denoising_beats_plain_reconstruction_on_noisy_images(digits):
    plain, denoising = (fitted(digits, name, latent_dim=16, epochs=20) for name in ("reconstruction", "denoising"))
    X = digits.test.images
    rng = np.random.default_rng(0)
    noisy = np.clip(X + rng.normal(0, 0.5 * X.std(), X.shape), 0, 255) * (rng.random(X.shape) > 0.25)
    noisy = noisy.round().astype(np.uint8)

    def error(model):
        return np.mean((model.inverse_transform(model.transform(noisy)) - X.reshape(len(X), 8, 8, 1)) ** 2)

    assert error(denoising) < 0.85 * error(plain)


def test_noise_is_of_the_size_asked_for(small):
    objective = Denoising(noise=0.5, masking=0.25)
    objective.begin(make_module(), make_batches(small))
    x = torch.full((400, 1, 8, 8), 0.5)
    noisy = objective.corrupt(x, torch.Generator().manual_seed(0))
    masked = noisy == 0
    assert masked.float().mean().item() == pytest.approx(0.25, abs=0.01)
    deviation = float(np.std(small.train.images / 255 - (small.train.images / 255).mean(0)))
    assert (noisy - x)[~masked].std().item() == pytest.approx(0.5 * deviation, rel=0.03)


def test_variational_samples_are_nearer_to_data_than_noise_is(digits):
    ae = fitted(digits, "variational")
    samples = ae.sample(100, random_state=0)
    noise = np.random.default_rng(0).permuted(digits.test.images[:100], axis=0)  # each pixel as in the data, alone

    def distance(X):
        nearest = digits.train.images[nearest_samples(X, digits.train.images, 1)[:, 0]].astype(float)
        return np.square(X.reshape(nearest.shape) - nearest).mean()

    assert distance(samples) < 0.5 * distance(noise)


def test_variational_codes_are_about_standard_normal_and_deterministic(digits):
    ae = fitted(digits, "variational")
    Z = ae.transform(digits.train.images)
    np.testing.assert_array_equal(Z, ae.transform(digits.train.images))
    assert np.abs(Z.mean(0)).max() < 0.6
    assert (Z.std(0) > 0.5).all()
    assert (Z.std(0) < 2).all()
    assert active_units(ae.transform(digits.test.images)) == 2


def test_a_large_beta_switches_numbers_off(digits):
    few, many = (
        fitted(digits, "variational", latent_dim=16, objective_params={"beta": b}, epochs=20) for b in (30, 1)
    )
    X = digits.test.images
    assert active_units(few.transform(X)) < active_units(many.transform(X))
    assert few.score(X) < many.score(X)


def test_warming_up_weakens_the_prior_in_training_only(small):
    objective, module, batch = begun("variational", small, warm_up=0.5)
    batches = [batch._replace(generator=torch.Generator().manual_seed(0)) for _ in range(4)]
    module.eval()  # dropout and the like aside: the objective alone decides
    objective.train()
    early, half, late = (objective(module, b, p).item() for b, p in zip(batches, (0.0, 0.5, 1.0), strict=False))
    assert early < half == late
    objective.eval()
    assert objective(module, batches[3], 0.0).item() == late


def test_partial_fit_goes_on_with_what_the_objective_has_learned(digits):
    ae = Autoencoder(latent_dim=2, objective="variational", random_state=0)
    errors = []
    for _ in range(3):
        for piece in np.array_split(digits.train.images, 3):
            ae.partial_fit(piece)
        errors.append(-ae.score(digits.test.images))
    assert errors[-1] < errors[0]
    assert any(name.startswith("objective.head") for name in ae._fitted.optimizer_state)


@pytest.mark.parametrize(
    ("objective", "params", "error", "message"),
    [
        ("neighbours", None, ValueError, "objective must be one of .*Did you mean 'neighbors'"),
        ("neighbors", {"wieght": 3}, ValueError, "a key of objective_params .*Did you mean 'weight'"),
        ("neighbors", {"weight": -1}, ValueError, "weight must be a number of at least 0, got -1"),
        ("neighbors", {"n_neighbors": 2.5}, TypeError, "n_neighbors must be a whole number of at least 1"),
        ("reconstruction", {"weight": 1}, ValueError, "objective_params must be empty for objective='reconstruction'"),
        ("denoising", {"masking": 1.5}, ValueError, "masking must be a number from 0 to 1, got 1.5"),
        ("variational", {"beta": "big"}, TypeError, "beta must be a number of at least 0, got 'big'"),
        ("variational", [4], TypeError, r"objective_params must be a dict or None, got \[4\]"),
    ],
)
def test_wrong_settings_are_refused_by_name(objective, params, error, message):
    with pytest.raises(error, match=message):
        Autoencoder(objective=objective, objective_params=params).fit(np.zeros((30, 4)))


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize(
    "X", [np.zeros((30, 4)), np.eye(3), np.ones((25, 6, 5), np.uint8)], ids=["constant", "three", "images"]
)
def test_data_without_variation_or_hardly_any_samples_is_learned_somehow(objective, X):
    ae = Autoencoder(latent_dim=2, objective=objective, epochs=2, random_state=0).fit(X)
    assert np.isfinite(ae.transform(X)).all()
    assert np.isfinite(ae.sample(3, random_state=0)).all()


def test_settings_come_back_with_the_model(digits, tmp_path):
    ae = fitted(digits, "variational", objective_params={"beta": 2, "warm_up": 0.1}, epochs=1)
    ae.save(tmp_path / "m")
    loaded = Autoencoder.load(tmp_path / "m")
    assert loaded.objective == "variational"
    assert loaded.objective_params == {"beta": 2, "warm_up": 0.1}
    np.testing.assert_array_equal(loaded.sample(4, random_state=1), ae.sample(4, random_state=1))


def test_an_objective_is_told_apart_from_the_network():
    """What an objective sees of a module must not become part of it, or of checkpoints."""
    module = make_module()
    for objective in (Neighbors(), Variational()):
        assert not list(objective.parameters())
    assert {id(p) for part in module.split_encoder() for p in part.parameters()} <= {
        id(p) for p in module.parameters()
    }


def test_batches_are_lists_of_pairs(small):
    _objective, _, batch = begun("neighbors", small)
    assert isinstance(batch, Batch)
    assert batch.x.shape[0] == 2 * batch.n
    gaps = (batch.x[::2] - batch.x[1::2]).square().flatten(1).sum(1)
    strangers = (batch.x[::2] - batch.x[1::2].roll(1, 0)).square().flatten(1).sum(1)
    assert gaps.mean() < 0.7 * strangers.mean()


def test_objectives_say_whether_their_loss_is_an_error_and_codes_fill_a_normal_distribution():
    assert {name for name, each in OBJECTIVES.items() if each.loss_is_error} == {"denoising", "reconstruction"}
    assert {name for name, each in OBJECTIVES.items() if each.prior_is_normal} == {"variational"}
    assert {name for name, each in OBJECTIVES.items() if each.keeps_neighbors} == {"neighbors"}
