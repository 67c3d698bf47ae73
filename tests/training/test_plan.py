import numpy as np
import pytest
import torch

from latentmap import Autoencoder
from latentmap.models import MODELS
from latentmap.training import OBJECTIVES
from latentmap.training.plan import auto_batch_size, auto_epochs, resolve

SAMPLES = (2, 10, 100, 1437, 60_000, 10**6)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_auto_takes_more_steps_of_more_samples_and_enough_of_few(name):
    recipe = MODELS[name].recipe
    batches = [auto_batch_size(recipe, n) for n in SAMPLES]
    epochs = [auto_epochs(recipe, n, batch) for n, batch in zip(SAMPLES, batches, strict=True)]
    steps = [e * max(1, round(n / b)) for n, b, e in zip(SAMPLES, batches, epochs, strict=True)]
    assert batches == sorted(batches)
    assert min(batches) >= 1
    assert min(epochs) >= 1
    assert min(steps) >= 75
    assert steps[-1] > steps[2]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_auto_is_the_recipe_at_60000_samples(name):
    recipe = MODELS[name].recipe
    batch_size = auto_batch_size(recipe, 60_000)
    assert batch_size == recipe.batch_size
    steps = auto_epochs(recipe, 60_000, batch_size) * 60_000 / batch_size
    at_least = 2 * 60_000 / batch_size  # every sample is seen twice
    assert steps == pytest.approx(max(recipe.n_steps, at_least), rel=0.15)


def test_a_map_of_few_samples_takes_nearly_as_many_steps_as_one_of_many():
    recipe = OBJECTIVES["neighbors"]().adapt(MODELS["residual"].recipe)
    few, many = (n * auto_epochs(recipe, n, batch) / batch for n, batch in ((1437, 180), (60_000, 512)))
    assert few == pytest.approx(many * (1437 / 60_000) ** (1 / 6), rel=0.15)


def test_images_are_bent_for_codes_that_are_long_enough_to_learn_by_heart():
    for latent_dim, is_images, wanted in ((2, True, "affine"), (8, True, "elastic"), (8, False, "none")):
        recipe, of = MODELS["residual"].recipe, {"latent_dim": latent_dim, "is_images": is_images}
        found = resolve(Autoencoder().get_params(), recipe, "residual", 1000, torch.device("cpu"), **of)
        assert found.augmentation == wanted
        assert found.norms_settle == (recipe.norms_settle if is_images else 1)


def test_few_vectors_take_fewer_steps_by_a_residual_network_and_narrower_layers():
    recipe = MODELS["residual"].recipe
    images, vectors = (auto_epochs(recipe, 2000, 250, is_images=is_images) for is_images in (True, False))
    assert vectors == pytest.approx(images * (2000 / 60_000) ** (1 / 3), rel=0.05)
    assert auto_epochs(recipe, 10**6, 512, is_images=False) == auto_epochs(recipe, 10**6, 512)
    X = np.random.default_rng(0).normal(size=(5001, 40))

    def width(n, fit="fit"):
        model = Autoencoder("residual", epochs=1, random_state=0)
        return getattr(model, fit)(X[:n]).module_.decoder[0].out_features

    assert [width(5000), width(5001), width(50, "partial_fit")] == [64, 160, 160]  # more may come


def test_a_plan_is_what_was_asked_for_and_the_recipe_where_nothing_was():
    recipe, device = MODELS["conv"].recipe, torch.device("cpu")

    def plan(*, is_images=True, loss_is_error=True, **parameters):
        of = {"latent_dim": 2, "is_images": is_images, "loss_is_error": loss_is_error}
        return resolve(Autoencoder(**parameters).get_params(), recipe, "conv", 1000, device, **of)

    found = plan(epochs=3, batch_size=50, learning_rate=1, weight_decay=0, augmentation="affine", patience=2)
    asked = (
        found.epochs,
        found.batch_size,
        found.learning_rate,
        found.weight_decay,
        found.augmentation,
        found.patience,
    )
    assert asked == (3, 50, 1.0, 0.0, "affine", 2)
    found = plan()
    assert found.batch_size == auto_batch_size(recipe, 1000)
    assert found.epochs == auto_epochs(recipe, 1000, found.batch_size)
    assert (found.learning_rate, found.weight_decay) == (recipe.learning_rate, recipe.weight_decay)
    assert plan(is_images=False, augmentation="affine").augmentation == "none"
    assert found.patience == round(found.epochs / 3)
    assert plan(epochs=30).patience is None
    assert plan(patience=None).patience is None
    assert plan(loss_is_error=False).patience is None  # a third was measured for errors alone
