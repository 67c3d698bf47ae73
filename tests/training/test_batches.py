import itertools

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from latentmap import Autoencoder
from latentmap.data.preprocessing import Preprocessing
from latentmap.data.windows import n_overlapping
from latentmap.training.augmentation import Augmentation
from latentmap.training.batches import Batches


def make(n=103, batch_size=10, seed=0, validation_fraction=0.1):
    """Batches of images whose every pixel is their number, up to 255."""
    X = np.repeat(np.arange(n, dtype=np.uint8), 4).reshape(n, 2, 2)
    preprocessing = Preprocessing.fit(X)
    return Batches(
        preprocessing.hold(X),
        preprocessing,
        batch_size=batch_size,
        seed=seed,
        validation_fraction=validation_fraction,
        device=torch.device("cpu"),
    )


def numbers(batches):
    return [(255 * batch.x[:, 0, 0, 0]).round().int().tolist() for batch in batches]


def flat(batches):
    return list(itertools.chain.from_iterable(numbers(batches)))


def test_an_epoch_has_every_training_sample_once_and_no_validation_sample():
    batches = make()
    seen = flat(batches.epoch(1))
    held = flat(batches.validation())
    assert (len(seen), len(held)) == (93, 10)
    assert sorted(seen + held) == list(range(103))


@pytest.mark.parametrize(("n", "batch_size"), [(103, 10), (100, 32), (50, 45), (21, 1), (30, 1000), (200, 64)])
def test_batches_are_as_equal_as_possible(n, batch_size):
    batches = make(n, batch_size)
    sizes = [len(batch) for batch in numbers(batches.epoch(1))]
    assert len(sizes) == batches.n_batches
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * batch_size


def test_each_epoch_has_its_own_order_which_the_seed_alone_decides():
    first, second = numbers(make().epoch(1)), numbers(make().epoch(2))
    assert first != second
    assert numbers(make().epoch(1)) == first
    batches = make()
    list(batches.epoch(1))
    torch.rand(3)
    assert numbers(batches.epoch(2)) == second
    assert numbers(make(seed=1).epoch(1)) != first


def test_the_split_follows_from_the_seed():
    assert numbers(make().validation()) == numbers(make().validation())
    assert numbers(make().validation()) != numbers(make(seed=1).validation())


@pytest.mark.parametrize(
    ("n", "fraction", "kept"), [(100, 0.1, 10), (100, 0, 0), (19, 0.5, 0), (20, 0.5, 10), (200, 0.001, 0)]
)
def test_how_much_is_kept_for_validation(n, fraction, kept):
    batches = make(n, validation_fraction=fraction)
    assert len(batches.validation_rows) == kept
    assert len(batches.train_rows) == n - kept
    assert sum(map(len, numbers(batches.validation()))) == kept


def test_at_most_5000_samples_are_kept():
    X = np.zeros((60_000, 1, 1), np.uint8)
    preprocessing = Preprocessing.fit(X)
    batches = Batches(
        preprocessing.hold(X),
        preprocessing,
        batch_size=500,
        seed=0,
        validation_fraction=0.1,
        device=torch.device("cpu"),
    )
    assert len(batches.validation_rows) == 5000


def test_the_mean_is_of_the_training_part():
    batches = make()
    wanted = np.mean(flat(batches.epoch(1))) / 255
    mean = batches.components(0).mean
    assert mean.shape == (1, 2, 2)
    torch.testing.assert_close(mean, torch.full((1, 2, 2), wanted, dtype=torch.float32))


@pytest.mark.parametrize("start", [0, 1, 5, 8, 9, 20])
def test_an_epoch_can_be_entered_at_any_batch(start):
    batches = make()
    assert numbers(batches.epoch(3, start=start)) == numbers(batches.epoch(3))[start:]


def test_an_augmentation_changes_what_is_learned_from_and_not_what_is_judged_by():
    def add_noise(x, generator, share):
        return x + torch.rand(x.shape, generator=generator)

    plain, noisy = make(), make()
    noisy.augmentation, noisy.epochs = Augmentation(add_noise), 3
    first, second = ([batch.x for batch in noisy.epoch(epoch)] for epoch in (1, 2))
    noise = [a - b.x for a, b in zip(first, plain.epoch(1), strict=True)]
    assert all(0.1 < x.std() < 0.5 for x in noise)
    assert not torch.equal(noise[0], noise[1])  # each batch its own
    assert not torch.equal(first[0] - next(plain.epoch(1)).x, second[0] - next(plain.epoch(2)).x)
    assert all(torch.equal(a.x, b) for a, b in zip(noisy.epoch(1), first, strict=True))  # and always the same
    assert all(torch.equal(a.x, b) for a, b in zip(noisy.epoch(1, start=4), first[4:], strict=True))
    assert flat(noisy.validation()) == flat(plain.validation())
    assert flat(noisy.epoch(3)) == flat(plain.epoch(3))  # no more in the last fifth


def test_of_windows_the_last_are_the_validation_part_and_no_other_shares_values_with_them():
    X = np.random.default_rng(0).normal(size=214)[np.arange(200)[:, None] + np.arange(15)]
    scaling = Preprocessing.fit(X)
    how = {"batch_size": 30, "seed": 0, "device": torch.device("cpu"), "overlapping": n_overlapping(X)}
    batches = Batches(scaling.hold(X), scaling, validation_fraction=0.1, **how)
    assert batches.validation_rows.tolist() == [*range(180, 200)]
    assert batches.train_rows.tolist() == [*range(166)]
    assert not np.isin(X[166 - 1], X[180:]).any()
    assert (batches.n_train, batches.n_validation, batches.n_left_out) == (166, 20, 14)
    mean = batches.components(2).mean
    torch.testing.assert_close(mean, scaling.hold(X)[:166].mean(dim=0), atol=1e-5, rtol=0)
    assert len(Batches(scaling.hold(X), scaling, validation_fraction=0, **how).train_rows) == 200
    short = Batches(scaling.hold(X[:20]), scaling, validation_fraction=0.1, **how)
    assert (short.n_train, short.n_validation) == (9, 2)


@pytest.mark.parametrize("objective", ["reconstruction", "neighbors"])
def test_windows_are_never_drawn_worse_than_by_pca(objective):
    series = [0.0]
    for step in np.random.default_rng(0).normal(size=849):
        series.append(0.7 * series[-1] + step)
    X = np.array(series)[np.arange(800)[:, None] + np.arange(50)]
    learned, new = X[:600], X[600:]
    ae = Autoencoder(latent_dim=6, random_state=0, objective=objective, epochs=19).fit(learned)
    pca = PCA(6).fit(learned)
    ours, theirs = (np.square(one.inverse_transform(one.transform(new)) - new).mean() for one in (ae, pca))
    assert objective == "neighbors" or ours < 1.02 * theirs
