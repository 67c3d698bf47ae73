import itertools
import tracemalloc
import warnings

import numpy as np
import pytest
import torch

from latentmap.data.preprocessing import Preprocessing, bytes_hold, find_levels, pixel_range, range_in_words

RNG = np.random.default_rng(0)


def there_and_back(preprocessing, X):
    return preprocessing.to_samples(preprocessing.to_input(preprocessing.hold(X)))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (1, 1), (6, 5, 4)])
def test_uint8_images_become_channels_first_in_the_unit_interval_and_come_back(shape):
    X = RNG.integers(0, 256, (4, *shape), dtype=np.uint8)
    preprocessing = Preprocessing.fit(X)
    x = preprocessing.to_input(preprocessing.hold(X))
    channels = shape[2] if len(shape) == 3 else 1
    assert x.shape == (4, channels, *shape[:2])
    assert x.shape[1:] == preprocessing.tensor_shape
    assert x.dtype == torch.float32
    wanted = np.moveaxis(X.reshape(4, *shape[:2], channels), 3, 1) / np.float32(255)
    np.testing.assert_allclose(x.numpy(), wanted, atol=1e-7)
    back = preprocessing.to_samples(x)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, X, atol=1e-4)


def test_uint8_images_are_held_as_the_bytes_they_are():
    X = RNG.integers(0, 256, (4, 5, 5, 1), dtype=np.uint8)
    held = Preprocessing.fit(X).hold(X)
    assert held.dtype == torch.uint8
    assert held.data_ptr() == X.__array_interface__["data"][0]


@pytest.mark.parametrize(
    ("low", "high", "offset", "scale"),
    [(0.2, 0.9, 0, 1), (0, 1, 0, 1), (-3, 5, -3, 8), (0, 1000, 0, 1000), (7, 7, 7, 1)],
)
def test_float_images_map_their_range_to_the_unit_interval(low, high, offset, scale):
    X = np.linspace(low, high, 2 * 3 * 4).reshape(2, 3, 4)
    preprocessing = Preprocessing.fit(X)
    assert (preprocessing.offset, preprocessing.scale) == (offset, scale)
    np.testing.assert_allclose(there_and_back(preprocessing, X), X, rtol=1e-6, atol=1e-6)
    assert there_and_back(preprocessing, X).dtype == np.float64
    assert there_and_back(Preprocessing.fit(X.astype(np.float32)), X).dtype == np.float32


@pytest.mark.parametrize(
    ("dtype", "low", "high", "wanted"),
    [
        (np.uint8, 0, 9, (0, 255)),
        (bool, 0, 1, (0, 1)),
        (np.uint16, 0, 1, (0, 1)),
        (np.int64, 0, 16, (0, 16)),
        (np.int64, 3, 180, (0, 255)),
        (np.uint16, 100, 700, (0, 1023)),
        (np.uint16, 0, 4000, (0, 4095)),
        (np.int16, 0, 4096, (0, 16383)),
        (np.int32, 9, 65535, (0, 65535)),
        (np.int32, 0, 65536, (0, 65536)),
        (np.int16, -1024, 3071, (-1024, 3071)),
        (np.float32, 0.2, 0.9, (0, 1)),
        (np.float32, 0, 1.0000002, (0, 1)),
        (np.float64, -0.03, 1.04, (0, 1)),
        (np.float64, 0, 0.06, (0, 0.06)),
        (np.float64, 0, 0, (0, 1)),
        (np.float32, -1, 0.99, (-1, 1)),
        (np.float32, -0.5, 1, (-0.5, 1)),
        (np.float32, 0, 255.3, (0, 255)),
        (np.float64, 0, 16, (0, 16)),
        (np.float64, 0, 4000, (0, 4000)),
        (np.float64, -1000, 2000, (-1000, 2000)),
    ],
)
def test_black_and_white_are_found_with_a_tolerance(dtype, low, high, wanted):
    assert pixel_range(np.dtype(dtype), low, high) == wanted
    X = np.array([[[low, high]], [[low, low]]]).astype(dtype)
    assert Preprocessing.fit(X).pixel_range == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        ((0, 4095), "0 to 4,095"),
        ((-0.5, 1), "-0.5 to 1"),
        ((1e-7, 3999.7), "1e-07 to 4,000"),
        ((0, 1e38), "0 to 1e+38"),
    ],
)
def test_ranges_are_written_as_people_do(pixels, words):
    assert range_in_words(pixels) == words


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int64, bool, np.float16])
def test_images_of_any_type_of_number_come_back(dtype):
    X = (RNG.random((6, 4, 5)) * 3000 - (800 if dtype == np.int16 else 0)).astype(dtype)
    preprocessing = Preprocessing.fit(X)
    x = preprocessing.to_input(preprocessing.hold(X))
    assert x.dtype == torch.float32
    assert 0 <= x.min() <= x.max() <= 1
    np.testing.assert_allclose(there_and_back(preprocessing, X), X.astype(float), rtol=1e-6, atol=1e-3)


def test_one_pixel_just_above_1_changes_nothing():
    X = RNG.random((50, 4, 4), dtype=np.float32)
    wanted = torch.from_numpy(X.copy())
    X[7, 1, 2] = 1.0000002
    held = Preprocessing.fit(X).hold(X)
    assert (held != wanted).sum() == 1
    assert (held - wanted).abs().max() < 1


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ([np.array([0.0, 1.0]), np.array([7.0])], (0, 7, 1)),
        ([np.array([0.0, 1.0]), np.arange(256, dtype=np.float32) / 255], (0, 1, 1 / 255)),
        ([np.array([0.3, np.nan, np.inf])], (0.3, 0.3, 0)),
        ([np.array([5, 9])], (5, 9, 1)),
        ([np.array([np.nan])], (0, 0, 1)),
    ],
)
def test_levels_are_those_of_all_pieces(pieces, wanted):
    assert find_levels(pieces) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("levels", "enough"),
    [((0, 255, 1), True), ((0, 1, 1 / 255), True), ((0, 16, 1), True), ((-100, 100, 1), True), ((0, 255, 0), False),
     ((0, 1023, 1), False), ((0, 255, 1 / 255), False), ((0, 1e-6, 1), False), ((0, 1, 0), False)],
)  # fmt: skip
def test_bytes_hold_what_has_at_most_256_levels(levels, enough):
    assert bytes_hold(*levels) == enough


def test_one_copy_of_float_images_is_held_at_most():
    X = RNG.random((400, 32, 32))
    preprocessing = Preprocessing.fit(X)
    tracemalloc.start()
    held = preprocessing.hold(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * held.nbytes + 2**21
    single = X.astype(np.float32)
    assert preprocessing.hold(single).data_ptr() == single.__array_interface__["data"][0]


def test_standard_scaling_is_scikit_learns():
    from sklearn.preprocessing import StandardScaler

    X = RNG.normal(size=(50, 4)) * [1, 10, 1e-6, 1e6] + [0, 5, 0, -1e6]
    preprocessing = Preprocessing.fit(X, "standard")
    x = preprocessing.to_input(preprocessing.hold(X))
    np.testing.assert_allclose(x.numpy(), StandardScaler().fit_transform(X), atol=1e-5)


def test_global_scaling_keeps_the_proportions_of_the_features():
    X = RNG.normal(size=(500, 3)) * [1, 2, 4] + 10
    preprocessing = Preprocessing.fit(X, "global")
    x = preprocessing.to_input(preprocessing.hold(X)).numpy()
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0) / x[:, 0].std(), X.std(axis=0) / X[:, 0].std(), rtol=1e-5)
    np.testing.assert_allclose(np.mean(x.var(axis=0)), 1, rtol=1e-5)


def test_auto_scaling_takes_one_scale_for_one_unit_and_many_for_many():
    X = RNG.normal(size=(100, 5))
    assert Preprocessing.fit(X * [1, 2, 3, 2, 1]).scale.shape == ()
    for factors in ([1, 1, 1, 1, 1000], [60, 1, 25, 70, 200], [100, 1, 0.01, 100, 100]):
        assert Preprocessing.fit(X * factors).scale.shape == (5,)


def test_pixels_answers_and_signals_are_of_one_unit_though_some_hardly_vary(digits):
    rng = np.random.default_rng(0)
    pixels = digits.train.images[:, ::4, ::4, 0].reshape(-1, 64).astype(float)
    pixels[:, 0] = np.arange(len(pixels)) == 5  # lit once, and dimly
    answers = rng.integers(1, 6, size=(100, 20)).astype(float)
    answers[:, 3] = 1 + (np.arange(100) == 7) / 4
    t = np.linspace(0, 1, 100)
    beats = np.exp(-(((t - 0.5 - 0.02 * rng.normal(size=(50, 1))) / 0.03) ** 2)) + 0.002 * rng.normal(size=(50, 100))
    for X in (pixels, answers, beats, rng.normal(size=(50, 200)) * 0.97 ** np.arange(200), np.eye(5), np.ones((5, 3))):
        assert Preprocessing.fit(X).scale.shape == ()
    flags = (rng.random((50, 20)) < 0.5).astype(float)
    assert Preprocessing.fit(np.hstack([flags, rng.random((50, 3)) / 1000])).scale.shape == (23,)  # and rates


@pytest.mark.parametrize("kind", ["clean", "counts", "a dim detector", "a spike"])
def test_spectra_are_of_one_unit_however_clean_their_baseline(kind):
    rng = np.random.default_rng(0)
    places = np.linspace(900, 1700, 200)
    lines = np.exp(-(((places - np.array([[1000], [1200], [1500]])) / 20) ** 2))
    clean = rng.gamma(2, 1, size=(400, 3)) @ lines
    X = {"counts": rng.poisson(50 + 5000 * clean).astype(float)}.get(
        kind, clean + 0.001 * rng.normal(size=clean.shape)
    )
    if kind == "a dim detector":
        X[:, 100] /= 100
    if kind == "a spike":
        X[17, 60] = 80
    assert Preprocessing.fit(X).scale.shape == ()
    # Columns in another order, or of units of their own, are a table's.
    assert Preprocessing.fit(X[:, rng.permutation(200)]).scale.shape == (200,)
    assert Preprocessing.fit(X * rng.choice([1, 1000], 200)).scale.shape == (200,)


@pytest.mark.parametrize("seed", range(4))
def test_peaks_that_move_within_a_part_of_the_places_are_of_one_unit(seed):
    rng = np.random.default_rng(seed)
    X, places = 0.01 * rng.normal(size=(300, 300)), np.arange(300)
    for centre, height in zip(rng.uniform(120, 200, 10), 10 ** rng.uniform(0, 2, 10), strict=True):
        moved = places - (centre + rng.uniform(-4, 4, (300, 1)))
        X += height * rng.lognormal(0, 0.3, (300, 1)) * np.exp(-(moved**2) / 2)
    assert Preprocessing.fit(X).scale.shape == ()


@pytest.mark.parametrize("noise", [0.001, 0.01, 0.1])
def test_narrow_peaks_that_move_are_of_one_unit(noise):
    rng = np.random.default_rng(0)
    places, centres = np.linspace(0, 1, 200), np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    moved = centres[:, None, None] + 0.01 * rng.normal(size=(5, 400, 1))
    peaks = np.exp(-(((places - moved) / 0.006) ** 2)) * rng.gamma([100, 10, 1, 30, 3], size=(400, 5)).T[:, :, None]
    X = peaks.sum(axis=0) + noise * rng.normal(size=(400, 200))
    assert Preprocessing.fit(X).scale.shape == ()
    assert Preprocessing.fit(X[:, rng.permutation(200)]).scale.shape == (200,)


@pytest.mark.parametrize("seed", range(5))
def test_sensors_of_several_kinds_beside_each_other_are_no_spectrum(seed):
    rng = np.random.default_rng(seed)
    X = [
        unit * rng.uniform(0.5, 1.5, 10) * (rng.normal(size=(300, 1)) + 0.3 * rng.normal(size=(300, 10)))
        for unit in (1, 30, 1000, 0.02)
    ]
    assert Preprocessing.fit(np.hstack(X)).scale.shape == (40,)
    recordings = 0.01 * rng.normal(size=(300, 100))  # of one, that sets in at once: noise before
    waves = np.sin(np.arange(60) / 6 + rng.uniform(0, 6, (300, 1)))
    recordings[:, 40:] += rng.lognormal(0, 0.4, (300, 1)) * (1 + 0.2 * waves)
    assert Preprocessing.fit(recordings).scale.shape == ()
    for n, units, memory in itertools.product((24, 50), ((1, 1000, 30), (1, 100), (1, 5)), (0.7, 0.95)):
        hours = rng.normal(size=(len(units), 600 + n))  # each sensor's last hours, which go on from one to the next
        for hour in range(1, hours.shape[1]):
            hours[:, hour] += memory * hours[:, hour - 1]
        windows = [unit * one[np.arange(600)[:, None] + np.arange(n)] for unit, one in zip(units, hours, strict=True)]
        assert Preprocessing.fit(np.hstack(windows)).scale.shape == (n * len(units),)


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_of_one_unit_however_rare_some_are(seed):
    rng = np.random.default_rng(seed)
    topics = rng.dirichlet(20 / np.arange(1, 201), size=5)
    counts = np.stack([rng.multinomial(200, one @ topics) for one in rng.dirichlet(np.full(5, 0.3), 500)])
    cells = rng.poisson(rng.lognormal(-4, 2, 400) * np.exp(rng.normal(size=(500, 3)) @ rng.normal(size=(3, 400)) / 2))
    shares = 1e4 * cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    for X in (counts, counts / 7, shares):
        assert Preprocessing.fit(X.astype(float)).scale.shape == ()
    assert Preprocessing.fit(np.hstack([counts, rng.random(500)[:, None] < 0.2]).astype(float)).scale.shape == ()
    for n in (20, 80):  # each in units of its own, though mostly 0
        purchases = (rng.random((500, n)) < 0.3) * rng.lognormal(rng.normal(3, 2, n), 1, size=(500, n))
        assert Preprocessing.fit(purchases).scale.shape == (n,)
    assert Preprocessing.fit(np.hstack([np.eye(500)[:, :20], purchases[:, :2]])).scale.shape == (22,)
    money = (rng.random((500, 16)) < 0.3) * rng.lognormal(6, 1, size=(500, 16))
    for amounts in (money, money.round()):
        assert Preprocessing.fit(np.hstack([np.eye(8)[rng.integers(0, 8, 500)], amounts])).scale.shape == (24,)
    alone = np.zeros((500, 20))  # one amount in a row is a multiple of itself
    columns = rng.integers(0, 20, 500)
    alone[np.arange(500), columns] = rng.lognormal(0, 0.5, 500) * rng.lognormal(0, 2, 20)[columns]
    assert Preprocessing.fit(alone).scale.shape == (20,)


def test_of_many_rows_those_that_are_looked_at_may_be_empty():
    X = np.zeros((20_004, 20))
    X[1::3] = np.random.default_rng(0).lognormal([0, 8] * 10, 1, size=(6668, 20))
    assert Preprocessing.fit(X).scale.shape == (20,)


def test_a_constant_feature_decides_nothing_whatever_rounding_makes_of_its_mean():
    X = np.random.default_rng(0).normal(size=(2000, 20))
    for constant in (0.1, 0.7, 3.3):
        for scaling in ("auto", "standard"):
            preprocessing = Preprocessing.fit(np.column_stack([X, np.full(len(X), constant)]), scaling)
            assert np.ndim(preprocessing.scale) == 0 or preprocessing.scale[-1] == 1


@pytest.mark.parametrize("scaling", ["auto", "standard", "global"])
@pytest.mark.parametrize("constant", [0.0, 3.0, 1e8, -0.1])
def test_a_constant_feature_stays_finite_and_comes_back(scaling, constant):
    X = np.column_stack([np.full(40, constant), RNG.normal(size=40)])
    preprocessing = Preprocessing.fit(X, scaling)
    x = preprocessing.to_input(preprocessing.hold(X))
    assert torch.isfinite(x).all()
    assert x[:, 0].abs().max() < 1e-6
    np.testing.assert_allclose(there_and_back(preprocessing, X), X, rtol=1e-6, atol=1e-6)


def test_all_features_constant():
    X = np.full((10, 3), 4.5)
    np.testing.assert_array_equal(there_and_back(Preprocessing.fit(X), X), X)


def test_a_large_offset_does_not_eat_the_digits():
    X = 1e8 + RNG.normal(size=(200, 3))
    preprocessing = Preprocessing.fit(X)
    np.testing.assert_allclose(there_and_back(preprocessing, X), X, atol=1e-5, rtol=0)


def test_new_samples_are_treated_as_those_of_fit():
    X = RNG.normal(size=(50, 2)) * 3 + 7
    preprocessing = Preprocessing.fit(X)
    alone = preprocessing.to_input(preprocessing.hold(X[:1] + 100))
    np.testing.assert_allclose(alone.numpy(), ((X[:1] + 100 - preprocessing.offset) / preprocessing.scale), rtol=1e-6)


@pytest.mark.parametrize("layout", ["read-only", "fortran", "strided", "reversed"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_layout_in_memory_makes_no_difference(layout, dtype, monkeypatch):
    monkeypatch.setattr(warnings, "catch_warnings", lambda: pytest.fail("silenced the warnings of all threads"))
    X = (RNG.integers(0, 200, (6, 4, 5, 3)) / (200 if dtype == np.float32 else 1)).astype(dtype)
    preprocessing = Preprocessing.fit(X)
    wanted = preprocessing.to_input(preprocessing.hold(X))
    other = {
        "read-only": X.copy(),
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "reversed": X[::-1].copy()[::-1],
    }[layout]
    other.flags.writeable = layout != "read-only"
    assert torch.equal(preprocessing.to_input(preprocessing.hold(other)), wanted)
