import copy
import itertools

import numpy as np
import pytest
import torch

from latentmap import Autoencoder
from latentmap.data.preprocessing import Preprocessing
from latentmap.models import MODELS
from latentmap.training import OBJECTIVES, Callback, CodeFilm, TrainingPlan
from latentmap.training.batches import Batches
from latentmap.training.loop import train, validate
from latentmap.training.objectives import Batch, Reconstruction


def make_batches(small, fraction=0.1, seed=0):
    preprocessing = Preprocessing.fit(small.train.images)
    return Batches(
        preprocessing.hold(small.train.images),
        preprocessing,
        batch_size=50,
        seed=seed,
        validation_fraction=fraction,
        device=torch.device("cpu"),
    )


def make_plan(epochs, learning_rate=0.05, **others):
    return TrainingPlan("dense", epochs, 50, learning_rate, **others)


def make_module(name="dense", latent_dim=4):
    torch.manual_seed(0)
    sizes = {"width": 48, "depth": 2} if name == "residual" else {}  # its own take as long as all others together
    return MODELS[name](sample_shape=(1, 8, 8), latent_dim=latent_dim, **sizes)


class Told(Callback):
    """Keeps what it is told of."""

    def __init__(self, told, steps=False):
        self.told, self.steps = told, steps

    def on_step_end(self, *step):
        self.told += [step] * self.steps

    def on_epoch_end(self, record):
        self.told += [record] * (not self.steps)


def test_the_objective_is_the_mean_squared_error_over_pixels():
    module = make_module().eval()
    x = torch.rand(7, 1, 8, 8)
    wanted = np.mean((module(x) - x).detach().numpy() ** 2)
    batch = Batch(x, len(x), torch.Generator())
    assert OBJECTIVES["reconstruction"]()(module, batch).item() == pytest.approx(wanted, rel=1e-5)


def test_the_rate_goes_straight_down_or_stays(small):
    batches = make_batches(small)
    batches.n_batches = 1  # so that each epoch tells of its only step
    for decay in (True, False):
        plan = make_plan(10, 0.1, decay=decay)
        result = train(make_module(), batches, OBJECTIVES["reconstruction"](), plan)
        rates = [record.learning_rate / 0.1 for record in result.history]
        np.testing.assert_allclose(rates, np.arange(0.95, 0, -0.1) if decay else 1)


@pytest.mark.parametrize("others", [{"norms_settle": 0.5}, {}, {"norms_settle": 0.5, "decay": False}])
def test_batch_norm_goes_by_its_means_in_later_epochs_and_still_learns(others, small):
    module, seen = make_module("residual"), []

    class Norms(Callback):
        def on_epoch_end(self, _record):
            norm = module.encoder[-2]
            seen.append((int(norm.num_batches_tracked), norm.running_mean.clone(), norm.weight.detach().clone()))

    batches = make_batches(small)
    train(module, batches, OBJECTIVES["reconstruction"](), make_plan(4, 0.1, **others), callbacks=[Norms()])
    settles = others == {"norms_settle": 0.5}
    assert [n // batches.n_batches for n, *_ in seen] == ([1, 2, 2, 2] if settles else [1, 2, 3, 4])
    assert torch.equal(seen[1][1], seen[3][1]) == settles
    assert not torch.equal(seen[1][2], seen[3][2])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_loss_falls_and_the_module_ends_with_the_best_epochs_weights(name, small):
    module, batches = make_module(name), make_batches(small)
    objective = OBJECTIVES["reconstruction"]()
    before = validate(module, batches, objective).mean()
    result = train(module, batches, objective, make_plan(8, module.recipe.learning_rate))
    losses = [record.valid_loss for record in result.history]
    assert min(losses) < 0.8 * before
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert not module.training
    assert validate(module, batches, objective).mean() == pytest.approx(min(losses), rel=1e-5)


def test_without_a_validation_part_epochs_are_judged_by_the_training_loss(small):
    module, batches = make_module(), make_batches(small, fraction=0)
    result = train(module, batches, OBJECTIVES["reconstruction"](), make_plan(3))
    assert [record.valid_loss for record in result.history] == [None] * 3
    assert result.best_epoch == 1 + int(np.argmin([record.train_loss for record in result.history]))


@pytest.mark.parametrize(("tell_every", "told_of"), [(0, range(1, 9)), (3600, ())])
def test_steps_are_told_now_and_then_only(small, monkeypatch, tell_every, told_of):
    monkeypatch.setattr("latentmap.training.loop._TELL_EVERY", tell_every)
    told = []
    objective = OBJECTIVES["reconstruction"]()
    train(make_module(), make_batches(small), objective, make_plan(2), callbacks=[Told(told, steps=True)])
    assert told == [(step, 8) for step in told_of]


def test_every_epoch_is_told_as_it_ends_with_a_rate_that_falls_to_nothing(small):
    told = []
    result = train(
        make_module(),
        make_batches(small),
        OBJECTIVES["reconstruction"](),
        make_plan(4),
        callbacks=[Told(told)],
    )
    assert tuple(told) == result.history
    assert [record.epoch for record in told] == [1, 2, 3, 4]
    rates = [record.learning_rate for record in told]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 0.05
    assert rates[-1] < 0.01
    assert all(late.seconds >= early.seconds for early, late in itertools.pairwise(told))


def test_without_decay_the_rate_stays(small):
    result = train(make_module(), make_batches(small), OBJECTIVES["reconstruction"](), make_plan(3, 0.01, decay=False))
    assert [record.learning_rate for record in result.history] == [0.01] * 3


def test_the_same_twice_gives_equal_bits(small):
    modules = [make_module("conv"), make_module("conv")]
    for module in modules:
        train(module, make_batches(small), OBJECTIVES["reconstruction"](), make_plan(2, 0.1))
    for name, value in modules[0].state_dict().items():
        assert torch.equal(value, modules[1].state_dict()[name]), name


def test_training_does_not_follow_the_global_random_state(small):
    modules = [make_module(), make_module()]
    for seed, module in enumerate(modules):
        torch.manual_seed(seed)
        train(module, make_batches(small), OBJECTIVES["reconstruction"](), make_plan(1))
    assert all(torch.equal(a, b) for a, b in zip(modules[0].parameters(), modules[1].parameters(), strict=True))


def test_a_loss_that_is_never_finite_is_a_problem_that_says_what_to_do(small):
    module = make_module()
    with torch.no_grad():
        module.encoder[1].weight.fill_(float("nan"))
    with pytest.warns(
        UserWarning, match=r"diverged in epoch 1: the loss is nan; going on from the beginning at a thi"
    ):
        result = train(module, make_batches(small), OBJECTIVES["reconstruction"](), make_plan(2))
    assert result.best_epoch == 0
    assert result.history == ()
    assert result.problem.startswith(
        "training diverged in epoch 1: the loss is nan, at a third of the learning rate too"
    )
    assert "Lower learning_rate (now 0.05), for instance to 0.006" in result.problem


class Exploding(Reconstruction):
    """The reconstruction error, and from some call on something else, so many times."""

    def __init__(self, first, times, value=float("inf")):
        super().__init__()
        self.calls, self.first, self.times, self.value = 0, first, times, value

    def forward(self, module, batch, progress=1.0):
        loss = super().forward(module, batch, progress)
        if module.training:
            self.calls += 1
            if self.first <= self.calls < self.first + self.times:
                return loss * self.value
        return loss


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e15])
def test_training_that_diverges_once_goes_on_from_the_best_weights_at_a_third_of_the_rate(small, value):
    batches, module = make_batches(small), make_module()
    fourth = 3 * batches.n_batches + 2
    with pytest.warns(UserWarning, match=r"diverged in epoch 4: .* from the weights of epoch 3 at a third"):
        result = train(module, batches, Exploding(fourth, 1, value), make_plan(6, decay=False))
    assert result.problem is None
    assert [record.epoch for record in result.history] == [1, 2, 3, 4, 5, 6]
    assert [record.learning_rate for record in result.history] == pytest.approx([0.05] * 3 + [0.05 / 3] * 3)
    losses = [record.valid_loss for record in result.history]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[2]


def test_training_that_diverges_again_stops_with_the_last_good_weights(small):
    batches, module = make_batches(small), make_module()
    with pytest.warns(UserWarning, match="diverged in epoch 3"):
        result = train(module, batches, Exploding(2 * batches.n_batches + 1, 1000), make_plan(6, decay=False))
    assert len(result.history) == 2
    assert result.best_epoch in (1, 2)
    assert f"The weights of epoch {result.best_epoch} are kept." in result.problem
    kept = validate(module, batches, OBJECTIVES["reconstruction"]()).mean()
    assert kept == pytest.approx(result.history[result.best_epoch - 1].valid_loss, rel=1e-5)


def test_a_rate_far_too_high_for_vectors_is_noticed_as_an_explosion():
    X = np.random.default_rng(0).normal(size=(400, 10))
    preprocessing = Preprocessing.fit(X)
    batches = Batches(
        preprocessing.hold(X),
        preprocessing,
        batch_size=20,
        seed=0,
        validation_fraction=0.1,
        device=torch.device("cpu"),
    )
    module = MODELS["dense"](sample_shape=(10,), latent_dim=2)
    with pytest.warns(UserWarning, match="diverged in epoch 1"):
        result = train(module, batches, OBJECTIVES["reconstruction"](), make_plan(3, 1e4))
    assert result.problem is not None


def test_patience_stops_training_that_gets_no_better(small):
    batches, module = make_batches(small), make_module()
    rising = itertools.count(1)

    class Rising(Reconstruction):
        def each(self, module, batch):  # noqa: ARG002
            return torch.full((batch.n,), float(next(rising)))

    result = train(module, batches, Rising(), make_plan(50, patience=3))
    assert result.stopped_early
    assert result.best_epoch == 1
    assert len(result.history) == 4


def test_patience_counts_from_the_best_epoch_even_below_the_start(small):
    losses = iter([1.0, 5.0, 4.0, 3.0, 3.5, 3.5])  # of the start, then of epochs

    class Given(Reconstruction):
        def each(self, module, batch):  # noqa: ARG002
            return torch.full((batch.n,), next(losses))

    module = MODELS["dense"]((1, 8, 8), 2, linear_path=True)
    result = train(module, make_batches(small), Given(), make_plan(50, patience=2), untrained=True)
    assert (result.best_epoch, len(result.history)) == (0, 5)


def test_patience_that_never_runs_out_changes_nothing(small):
    modules = [make_module(), make_module()]
    for module, patience in zip(modules, (None, 50), strict=True):
        result = train(module, make_batches(small), OBJECTIVES["reconstruction"](), make_plan(4, patience=patience))
        assert not result.stopped_early
        assert len(result.history) == 4
    assert all(torch.equal(a, b) for a, b in zip(modules[0].parameters(), modules[1].parameters(), strict=True))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_bfloat16_learns_as_well_as_float32(small, name):
    losses = {}
    for precision in ("float32", "bfloat16"):
        module = make_module(name)
        result = train(module, make_batches(small), OBJECTIVES["reconstruction"](), make_plan(10, precision=precision))
        assert all(parameter.dtype == torch.float32 for parameter in module.parameters())
        losses[precision] = min(record.valid_loss for record in result.history)
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.1)
    assert losses["bfloat16"] != losses["float32"]


def test_the_optimizers_state_lets_training_go_on(small):
    """Two passes with the state handed over are the two passes of one call."""
    batches, objective = make_batches(small, fraction=0), OBJECTIVES["reconstruction"]()
    module = make_module()
    state = train(module, batches, objective, make_plan(1, 0.01, decay=False)).optimizer_state
    with_state, without = copy.deepcopy(module), copy.deepcopy(module)
    train(with_state, batches, objective, make_plan(1, 0.01, decay=False), optimizer_state=state)
    train(without, batches, objective, make_plan(1, 0.01, decay=False))
    same = [torch.equal(a, b) for a, b in zip(with_state.parameters(), without.parameters(), strict=True)]
    assert not all(same)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_film_keeps_codes_epoch_by_epoch_and_changes_nothing(name, small):
    X, objective = small.train.images, "variational" if name != "linear" else "reconstruction"
    film = CodeFilm(small.test.images, n_samples=20)
    ae = Autoencoder(name, 3, objective=objective, epochs=3, random_state=0, callbacks=[film]).fit(X)
    assert film.epochs[0] == 0
    assert {1, 2, 3} < set(film.epochs)
    assert film.epochs == sorted(film.epochs)
    assert {codes.shape for codes in film.codes} == {(20, 3)}
    alone = Autoencoder(name, 3, objective=objective, epochs=3, random_state=0).fit(X)
    Z = ae.transform(small.test.images)
    np.testing.assert_array_equal(alone.transform(small.test.images), Z)
    best = film.codes[film.epochs.index(ae.best_epoch_)]
    # The unit of each number may have changed at the end, and nothing else; a start that is kept is found from all.
    if ae.best_epoch_:
        np.testing.assert_allclose(best / best.std(axis=0), Z[film.rows] / Z[film.rows].std(axis=0), atol=1e-3)
    assert not np.allclose(film.codes[0], film.codes[1])


def test_a_film_begins_anew_with_each_fit_and_goes_on_with_pieces(small):
    film = CodeFilm(small.test.images, n_samples=1000)
    assert len(film.rows) == len(small.test.images)
    ae = Autoencoder("linear", 2, epochs=20, random_state=0, callbacks=[film])
    ae.fit(small.train.images)
    ae.fit(small.train.images)
    assert film.epochs == list(range(21))
    ae.partial_fit(small.train.images)
    assert len(film.codes) == 23
    with pytest.raises(ValueError, match="n_samples must be"):
        CodeFilm(small.test.images, n_samples=0)
