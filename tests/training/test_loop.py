import copy
import itertools

import numpy as np
import pytest
import torch

from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import TrainingError
from latentmap.models import MODELS
from latentmap.training import OBJECTIVES, Batches, train
from latentmap.training.loop import validate


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


def make_module(name="dense", latent_dim=4):
    torch.manual_seed(0)
    return MODELS[name](image_shape=(1, 8, 8), latent_dim=latent_dim)


def test_the_objective_is_the_mean_squared_error_over_pixels():
    module = make_module().eval()
    x = torch.rand(7, 1, 8, 8)
    wanted = np.mean((module(x) - x).detach().numpy() ** 2)
    assert OBJECTIVES["reconstruction"](module, x).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_loss_falls_and_the_module_ends_with_the_best_epochs_weights(name, small):
    module, batches = make_module(name), make_batches(small)
    objective = OBJECTIVES["reconstruction"]
    before = validate(module, batches, objective)
    result = train(module, batches, objective, epochs=8, learning_rate=module.recipe.learning_rate)
    losses = [record.valid_loss for record in result.history]
    assert min(losses) < 0.8 * before
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert not module.training
    assert validate(module, batches, objective) == pytest.approx(min(losses), rel=1e-5)


def test_without_a_validation_part_epochs_are_judged_by_the_training_loss(small):
    module, batches = make_module(), make_batches(small, fraction=0)
    result = train(module, batches, OBJECTIVES["reconstruction"], epochs=3, learning_rate=0.05)
    assert [record.valid_loss for record in result.history] == [None] * 3
    assert result.best_epoch == 1 + int(np.argmin([record.train_loss for record in result.history]))


def test_every_epoch_is_told_as_it_ends_with_a_rate_that_falls_to_nothing(small):
    told = []
    result = train(
        make_module(),
        make_batches(small),
        OBJECTIVES["reconstruction"],
        epochs=4,
        learning_rate=0.05,
        on_epoch=told.append,
    )
    assert tuple(told) == result.history
    assert [record.epoch for record in told] == [1, 2, 3, 4]
    rates = [record.learning_rate for record in told]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 0.05
    assert rates[-1] < 0.01
    assert all(late.seconds >= early.seconds for early, late in itertools.pairwise(told))


def test_without_decay_the_rate_stays(small):
    result = train(
        make_module(), make_batches(small), OBJECTIVES["reconstruction"], epochs=3, learning_rate=0.01, decay=False
    )
    assert [record.learning_rate for record in result.history] == [0.01] * 3


def test_the_same_twice_gives_equal_bits(small):
    modules = [make_module("conv"), make_module("conv")]
    for module in modules:
        train(module, make_batches(small), OBJECTIVES["reconstruction"], epochs=2, learning_rate=0.1)
    for name, value in modules[0].state_dict().items():
        assert torch.equal(value, modules[1].state_dict()[name]), name


def test_training_does_not_follow_the_global_random_state(small):
    modules = [make_module(), make_module()]
    for seed, module in enumerate(modules):
        torch.manual_seed(seed)
        train(module, make_batches(small), OBJECTIVES["reconstruction"], epochs=1, learning_rate=0.05)
    assert all(torch.equal(a, b) for a, b in zip(modules[0].parameters(), modules[1].parameters(), strict=True))


def test_a_loss_that_is_not_finite_is_a_training_error_that_says_what_to_do(small):
    module = make_module()
    with torch.no_grad():
        module.encoder[1].weight.fill_(float("nan"))
    with pytest.raises(
        TrainingError, match=r"training diverged in epoch 1: the loss is nan\. Lower learning_rate \(now"
    ):
        train(module, make_batches(small), OBJECTIVES["reconstruction"], epochs=2, learning_rate=0.05)


def test_the_optimizers_state_lets_training_go_on(small):
    """Two passes with the state handed over are the two passes of one call."""
    batches, objective = make_batches(small, fraction=0), OBJECTIVES["reconstruction"]
    module = make_module()
    state = train(module, batches, objective, epochs=1, learning_rate=0.01, decay=False).optimizer_state
    with_state, without = copy.deepcopy(module), copy.deepcopy(module)
    train(with_state, batches, objective, epochs=1, learning_rate=0.01, decay=False, optimizer_state=state)
    train(without, batches, objective, epochs=1, learning_rate=0.01, decay=False)
    same = [torch.equal(a, b) for a, b in zip(with_state.parameters(), without.parameters(), strict=True)]
    assert not all(same)
