"""Sizes are chosen on validation samples, and no choice that PCA contradicts is given."""

from dataclasses import replace

import numpy as np
import pytest

from bench.interpolation import walk_quality
from latentmap import load_dataset
from latentmap.analysis import PcaBaseline, SizeScores, sweep
from latentmap.analysis.sweep import recommend
from latentmap.data import Dataset, Split
from latentmap.data.cache import cache_dir, file_region


def scores(held, accuracy=None):
    """Of sizes 2, 4, 8 and so on."""
    return [
        SizeScores(2 ** (i + 1), 0.1, None, share, None if accuracy is None else accuracy[i])
        for i, share in enumerate(held)
    ]


@pytest.mark.parametrize(
    ("held", "size", "said"),
    [
        (
            [0.5, 0.7, 0.9, 0.905, 0.93],
            8,
            "90.0% of the variance with 8 numbers, and twice as many would add 0.5 points",
        ),
        ([0.5, 0.7, 0.71, 0.9, 0.905], 16, "from every smaller size a larger one adds at least 2 a doubling."),
        ([0.5, 0.7, 0.9, 0.905, 0.95], 32, "the last doubling still added 4.5 points"),
        ([0.5, 0.7, 0.9], 8, "the last doubling still added 20.0 points: larger codes may be worth trying"),
        ([0.99, 0.98, 0.995], 2, "twice as many would add 0.0 points."),
        ([0.4], 2, "no other size was compared"),
        ([-0.0001, 0.005, 0.3, 0.305], 8, "30.0% of the variance"),  # hardly anything is no plateau
    ],
)
def test_the_smallest_size_after_which_doubling_gains_little_is_recommended(held, size, said):
    found, reason = recommend(scores(held))
    assert found == size
    assert said in reason
    assert "on validation" in reason


def test_labels_have_their_say():
    _, reason = recommend(scores([0.5, 0.7, 0.9, 0.901], [0.6, 0.969, 0.97, 0.971]))
    assert "To tell classes apart, 4 would do: kNN accuracy 96.9%, the best is 97.1%" in reason
    _, reason = recommend(scores([0.5, 0.7, 0.9, 0.901], [0.6, 0.8, 0.97, 0.971]))
    assert "also the smallest within half a point of the best kNN accuracy, 97.1%" in reason


def test_sizes_that_are_no_powers_of_two_are_judged_per_doubling():
    rows = [SizeScores(size, 0.1, None, share, None) for size, share in ((10, 0.8), (12, 0.81), (14, 0.811))]
    assert recommend(rows)[0] == 12  # 1 point in a quarter of a doubling is much, 0.1 in a fifth is not


@pytest.mark.parametrize(
    ("pca", "accuracy", "said"),
    [
        ([0.6, 0.8, 0.92, 0.93], [0.5, 0.7, 0.95, 0.95], "Take PCA with 8 numbers: on validation it reconstructs "
         "92.0% of the variance (dense 90.0%) and its kNN accuracy is 95.0% (dense 90.0%)"),
        ([0.6, 0.8, 0.92, 0.93], None, "Take PCA with 8 numbers: on validation it reconstructs 92.0%"),
        ([0.4, 0.6, 0.8, 0.95], [0.5, 0.6, 0.7, 0.8], "No size is recommended: on validation dense reconstructs "
         "90.0% of the variance with 8 numbers, but PCA comes to 95.0% with 16"),
    ],
)  # fmt: skip
def test_what_pca_contradicts_is_not_recommended(pca, accuracy, said):
    ours = scores([0.5, 0.7, 0.9, 0.901], accuracy and [0.5, 0.8, 0.9, 0.9])
    found, reason = recommend(ours, scores(pca, accuracy), name="dense")
    assert found is None
    assert said in reason


def test_a_model_that_is_as_good_as_pca_further_on_is_not_the_limit():
    found, reason = recommend(scores([0.6, 0.728, 0.74, 0.84]), scores([0.5, 0.6, 0.7, 0.837]), name="dense")
    assert found == 16
    assert "(PCA 83.7%)" in reason


def test_more_numbers_than_a_sample_has_are_no_advice():
    X = np.random.default_rng(0).normal(size=(300, 6))
    found = sweep(Dataset("x", Split(X[:200]), Split(X[200:])), [1, 4, 100], Capped)
    assert [one.latent_dim for one in found.model] == [1, 4, 100]
    assert found.recommended in (None, 1, 4)
    assert "100 numbers" not in found.reason
    assert found.reason.endswith(" More than the 6 numbers of a sample are no advice: they compress nothing.")
    only = sweep(Dataset("x", Split(X[:200]), Split(X[200:])), [100], Capped)
    assert only.recommended is None
    assert only.reason.startswith("No size is recommended. More than the 6 numbers")


def test_more_numbers_than_half_of_the_samples_are_no_advice():
    digits = load_dataset("digits", size=8).limit(24)
    found = sweep(digits, [2, 16], PcaBaseline)
    assert found.recommended in (2, None)
    assert "More than half as many as the 22 samples are no advice" in found.reason


def test_a_model_that_pca_does_not_reach_is_recommended_beside_it():
    found, reason = recommend(scores([0.5, 0.7, 0.9, 0.901]), scores([0.4, 0.6, 0.8, 0.91]), name="dense")
    assert found == 8
    assert "dense reconstructs 90.0% of the variance with 8 numbers (PCA 80.0%)" in reason


class Capped(PcaBaseline):
    """PCA that takes as many numbers as there are, where more are asked for."""

    def __init__(self, latent_dim):
        super().__init__(latent_dim)

    def fit(self, X):
        self.latent_dim = min(self.latent_dim, X[0].size)
        return super().fit(X)


def test_a_sweep_measures_every_size_and_pca_where_there_is_one():
    dataset = load_dataset("digits", size=8)
    told = []
    result = sweep(dataset, [64, 2, 99], Capped, name="mine", on_size=told.append)
    assert told == [2, 64, 99]
    assert [one.latent_dim for one in result.model] == [2, 64, 99]
    assert [one.latent_dim for one in result.pca] == [2, 64]  # 8x8 pixels have no more
    for ours, pca in zip(result.model, result.pca, strict=False):
        assert ours.test_mse == pytest.approx(pca.test_mse, rel=1e-6, abs=1e-9)
    assert result.model[1].held == pytest.approx(1, abs=1e-4)  # as many numbers as pixels
    assert 0 < result.model[0].held < result.model[1].held
    assert result.recommended is None
    assert "Take PCA with" in result.reason  # the model is PCA, and no better


def test_labels_that_no_size_tells_apart_have_no_say():
    dataset = load_dataset("digits", size=8)
    labels = np.random.default_rng(0).permutation(dataset.train.labels)
    drawn = sweep(replace(dataset, train=replace(dataset.train, labels=labels)), [2, 8], PcaBaseline)
    assert drawn.model[0].held_accuracy is not None
    assert drawn.reason.endswith(
        " Classes have no say: by 144 validation samples no size tells them apart for certain."
    )
    assert "kNN accuracy" not in drawn.reason
    assert "kNN accuracy" in sweep(dataset, [2, 8], PcaBaseline).reason


def test_the_test_split_has_no_say_in_the_choice():
    dataset = load_dataset("digits", size=8)
    other = replace(dataset, test=replace(dataset.test, X=255 - dataset.test.X))
    reasons = [sweep(one, [2, 4, 8], PcaBaseline).reason for one in (dataset, other)]
    assert reasons[0] == reasons[1]


def test_mapped_data_stays_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path)
    dataset = load_dataset("digits", size=8)
    np.save(tmp_path / "train.npy", dataset.train.X)
    mapped = np.load(tmp_path / "train.npy", mmap_mode="r")
    seen = []

    class Seeing(PcaBaseline):
        def fit(self, X):
            seen.append(X)
            return super().fit(X)

    results = [
        sweep(replace(dataset, train=replace(dataset.train, X=X)), [2, 4], Seeing) for X in (dataset.train.X, mapped)
    ]
    assert [file_region(X) is not None for X in seen] == [False, False, True, True]
    assert results[0].model == results[1].model
    assert not list(cache_dir().iterdir())


@pytest.mark.parametrize("sizes", [[], [0], [2, -1]])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="latent_dims must be whole numbers of at least 1"):
        sweep(load_dataset("digits", size=8), sizes, PcaBaseline)


def test_walks_through_the_data_are_better_than_through_the_void():
    line = np.linspace(0, 1, 50)
    circle = np.stack([np.cos(np.pi * line), np.sin(np.pi * line)], axis=1)  # real samples
    steps = np.linspace(0, 1, 9)
    along = np.stack([np.cos(np.pi * steps), np.sin(np.pi * steps)], axis=1)[None]
    across = np.stack([1 - 2 * steps, np.zeros(9)], axis=1)[None]
    good, bad = (walk_quality(walks, circle, unit=1.0) for walks in (along, across))
    assert good.midpoint_error < 1e-3 < bad.midpoint_error == pytest.approx(0.5, abs=0.01)
    assert good.unevenness == pytest.approx(1, abs=1e-6) == bad.unevenness
    jump = np.stack([np.repeat([1.0, -1.0], [5, 4]), np.zeros(9)], axis=1)[None]
    assert walk_quality(jump, circle, unit=1.0).unevenness == pytest.approx(8)
    with pytest.raises(ValueError, match="odd number of steps"):
        walk_quality(along[:, :4], circle, unit=1.0)


def test_labels_that_were_never_measured_are_not_spoken_of():
    dataset = load_dataset("digits", size=8).limit(80)
    labels = np.where(np.arange(80) < 3, dataset.train.labels, -1)
    found = sweep(replace(dataset, train=replace(dataset.train, labels=labels)), [2, 4], PcaBaseline)
    assert "classes" not in found.reason
