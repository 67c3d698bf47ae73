import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from latentmap import Dataset, load_dataset
from latentmap.data import Split, images
from latentmap.data.dataset import NO_LABEL
from latentmap.errors import DatasetError


def test_labels_of_another_length_are_refused():
    with pytest.raises(DatasetError, match=r"same length, got 3 images and 1,002 labels. Check that both files"):
        Split(np.zeros((3, 8, 8, 1), np.uint8), np.zeros(1002, np.int64))


def test_vectors_are_not_given_out_as_images():
    split = Split(np.zeros((3, 5), np.float32))
    with pytest.raises(DatasetError, match=r"vectors, not images. Use \.X"):
        split.images  # noqa: B018
    assert not Dataset("v", split, split).is_images
    assert Dataset("v", split, split).sample_shape == (5,)


@pytest.mark.parametrize(("labels", "message"), [
    ([0, 1, -2], "must be whole numbers of at least 0, or -1 for none, got -2 in row 2"),
    ([0.0, 1.5, 2.0], "must be whole numbers, one a sample, got float64"),
    (["a", "b", "c"], "must be whole numbers, one a sample, got <U1"),
    ([[0], [1], [2]], r"got int64 of shape \(3, 1\)"),
    ([0, 1, 2], "from 0 to 1, one for each class name, or -1 for none, got 2 in row 2"),
])  # fmt: skip
def test_labels_that_are_no_classes_are_refused_by_value(labels, message):
    X = np.zeros((3, 5), np.float32)
    with pytest.raises(DatasetError, match=message) as caught:
        Dataset("v", Split(X), Split(X, np.array(labels)), ("a", "b"))
    assert "\n" not in str(caught.value)


def test_classes_without_names_are_called_by_their_numbers():
    X = np.zeros((3, 5), np.float32)
    labelled = Split(X, np.array([0, 2, 2], np.uint8))
    assert labelled.labels.dtype == np.int64
    assert Dataset("v", labelled, Split(X)).class_names == ("0", "1", "2")
    assert Dataset("v", Split(X[:0], np.zeros(0, int)), Split(X)).class_names is None
    with pytest.raises(DatasetError, match="must be numbers of classes, counted from 0, got 1,000,000,000,000"):
        Dataset("v", Split(X, np.array([0, 1, 10**12])), Split(X))


@pytest.mark.parametrize("labels", [[0, 1, -1], [0.0, 1.0, np.nan]])
def test_samples_without_a_label_are_a_class_of_their_own(labels):
    X = np.zeros((3, 5), np.float32)
    dataset = Dataset("v", Split(X, np.array(labels)), Split(X, np.array([-1, -1, -1])), ("a", "b"))
    assert dataset.class_names == ("a", "b", "(no label)")
    assert dataset.train.labels.tolist() == [0, 1, 2]
    assert dataset.test.labels is None  # a split that has none
    assert dataset.limit(2).class_names == dataset.class_names
    assert Dataset("v", dataset.test, Split(X, np.full(3, np.nan))).class_names is None


def test_limit_spaces_samples_evenly_and_keeps_every_class(digits):
    few = digits.limit(20)
    assert (len(few.train), len(few.test)) == (20, 20)
    assert np.bincount(few.train.labels).tolist() == [2] * 10
    places = [np.flatnonzero((digits.train.images == image).all((1, 2, 3)))[0] for image in few.train.images]
    assert places == sorted(places)
    assert max(places) > 1300
    np.testing.assert_array_equal(few.train.labels, digits.train.labels[places])
    assert few.class_names == digits.class_names
    assert (len(digits.limit(10**6).train), len(digits.limit(10**6).test)) == (1437, 360)


@pytest.mark.parametrize("labels", [np.repeat([0, 1, 2], [900, 95, 5]), np.arange(1000) % 10])
def test_a_limit_gives_each_class_its_share_and_one_at_least(labels):
    X = np.arange(1000, dtype=np.float32)[:, None]
    few = Split(X, labels, tuple(map(str, range(1000)))).few(100)
    shares = np.bincount(few.labels) / 100
    np.testing.assert_allclose(shares, np.bincount(labels) / 1000, atol=0.01)
    assert (shares > 0).all()
    np.testing.assert_array_equal(labels[few.X[:, 0].astype(int)], few.labels)
    assert list(few.names) == [str(int(x)) for x in few.X[:, 0]]
    assert (np.diff(few.X[:, 0]) > 0).all()
    assert Split(X).few(3).X[:, 0].tolist() == [0, 499, 999]


def test_some_samples_keep_what_is_known_of_them():
    X, labels, names = np.arange(5.0)[:, None], np.array([0, 1, -1, 1, 0]), ("a", "b", "c", "d", "e")
    split = Split(X, labels, names, np.arange(10, 15), np.linspace(0, 1, 5))
    for rows in (np.array([1, 4]), np.isin(np.arange(5), [1, 4])):
        part = split.at(rows)
        assert (part.X[:, 0].tolist(), part.labels.tolist(), part.names) == ([1, 4], [1, 0], ("b", "e"))
        assert (part.rows.tolist(), part.values.tolist()) == ([11, 14], [0.25, 1])
    assert repr(Split(X).at(labels == 1)) == "Split: 2 vectors of 1 number, unlabelled"


def test_a_limit_is_the_same_by_name_from_arrays_and_afterwards(digits):
    named = load_dataset("digits", limit=30)
    again = load_dataset("digits").limit(30)
    np.testing.assert_array_equal(named.train.images, again.train.images)
    np.testing.assert_array_equal(named.test.labels, again.test.labels)
    own = load_dataset(digits.train.images, labels=digits.train.labels, test_fraction=0, limit=30)
    np.testing.assert_array_equal(own.train.images, named.train.images)


def test_a_limit_applies_before_images_are_resized(monkeypatch):
    resized = []
    whole = images.resize_images
    monkeypatch.setattr(images, "resize_images", lambda X, *size: resized.append(len(X)) or whole(X, *size))
    assert load_dataset("digits", limit=12).sample_shape == (32, 32, 1)
    assert sum(resized) == 24


def test_unlabelled_data_stays_unlabelled_under_limit():
    split = Split(np.zeros((3, 5), np.float32))
    assert Dataset("v", split, split).limit(2).train.labels is None


@pytest.mark.parametrize("n", [1, 0, -3, 2.5, float("nan"), "5", True])
def test_a_limit_that_leaves_too_little_is_refused(digits, n):
    with pytest.raises(ValueError, match=f"limit must be a whole number of at least 2, got {n!r}. Leave it out"):
        digits.limit(n)
    with pytest.raises(ValueError, match="limit must be a whole number"):
        load_dataset("digits", limit=n)


# ---- how it shows itself -------------------------------------------------------------------------------------------


def test_data_says_what_it_is_in_one_line(digits, vectors):
    assert repr(digits) == "Dataset digits: 1,437 train + 360 test images 32x32x1, 10 classes"
    assert repr(digits.test) == "Split: 360 images 32x32x1, labelled"
    table = load_dataset(vectors)
    assert repr(table) == "Dataset the data: 240 train + 60 test vectors of 6 numbers"
    assert repr(table.train) == "Split: 240 vectors of 6 numbers, unlabelled"
    assert repr(Dataset("a\nb \udcff", table.train, table.test)).startswith("Dataset a b \\xff: ")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_notebook_shows_counts_and_a_few_pictures(channels):
    images = np.random.default_rng(0).integers(0, 256, (30, 100, 90, channels), dtype=np.uint8)
    split = Split(images, np.arange(30) % 2)
    hostile = ('<script>alert("x")</script>', '" onerror="alert(1)\n\udcff')
    shown = Dataset("<b>bold</b>", split, split, hostile, notes=("<i>note</i>",))._repr_html_()
    assert "Dataset &lt;b&gt;bold&lt;/b&gt;: 30 train + 30 test images" in shown
    assert "&lt;i&gt;note" in shown
    assert "<script" not in shown
    assert 'title="&quot; onerror=&quot;alert(1) \\xff"' in shown
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert len(pictures) == 10
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]))) as picture:
        assert picture.size == (58, 64)


def test_a_notebook_shows_vectors_without_pictures(vectors):
    shown = load_dataset(vectors)._repr_html_()
    assert "vectors of 6 numbers" in shown
    assert "<img" not in shown


def test_a_split_or_both_can_take_the_place_of_either(digits):
    whole, train = digits.of("all"), digits.of("train")
    assert digits.of("test") is digits
    assert (len(whole.test), len(train.test)) == (1797, 1437)
    assert whole.is_one
    assert train.is_one
    assert not digits.is_one
    np.testing.assert_array_equal(whole.test.X, np.concatenate([digits.train.X, digits.test.X]))
    np.testing.assert_array_equal(whole.train.labels, np.concatenate([digits.train.labels, digits.test.labels]))
    X = np.zeros((5, 3), np.float32)
    named = Dataset("some", Split(X, np.array([0, 1, 0, 1, 1]), names=tuple("abcde")), Split(X[:2], names=("f", "g")))
    both = named.of("all")
    assert both.test.names == tuple("abcdefg")
    assert both.test.labels.tolist() == [0, 1, 0, 1, 1, 2, 2]
    assert both.class_names == ("0", "1", NO_LABEL)
    assert Dataset("some", named.train, Split(X[:0])).of("all").test.X is X


IMAGES = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
VECTORS = IMAGES.reshape(6, 64)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Split(VECTORS.tolist()), "X must be an array, got list. load_dataset"),
        (lambda: Split(IMAGES[..., 0]), r"X must be images .* got shape \(6, 8, 8\). load_dataset"),
        (lambda: Split(VECTORS[0]), r"X must be images .* got shape \(64,\)"),
        (lambda: Split(IMAGES.astype(np.int64)), "X must hold uint8, or floats from 0 to 1, got int64"),
        (lambda: Split(VECTORS.astype(str)), "X must hold numbers, got <U"),
        (lambda: Split(VECTORS, names=("a",)), "names must be one for each of 6 samples, got 1"),
        (lambda: Split(VECTORS, rows=np.arange(5)), "rows must be one for each of 6 samples, got 5"),
        (lambda: Split(VECTORS, values=np.zeros(7)), "values must be one for each of 6 samples, got 7"),
        (lambda: Dataset("x", VECTORS, VECTORS), "train must be a Split, got ndarray"),
        (lambda: Dataset("x", Split(VECTORS), Split(VECTORS[:, :3])), r"one kind, got \(64,\) .* and \(3,\)"),
        (lambda: Dataset("x", Split(IMAGES), Split(IMAGES.astype(np.uint8))), "float32 and .* of uint8"),
        (lambda: Dataset("x", Split(IMAGES * 255), Split(IMAGES * 255)), "floats from 0 to 1, got 0.* to 25"),
        (lambda: Dataset("x", Split(VECTORS), Split(VECTORS * np.nan)), "test.X must hold finite numbers"),
    ],
)
def test_what_is_not_in_the_form_of_a_data_set_is_refused(make, said):
    with pytest.raises(DatasetError, match=said) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_a_split_takes_lists_of_what_is_known():
    split = Split(VECTORS, [0] * 6, list("abcdef"), list(range(6)), [0.5] * 6).at(np.array([2, 4]))
    assert (split.names, split.rows.tolist(), split.values.tolist()) == (("c", "e"), [2, 4], [0.5, 0.5])


def test_of_large_data_some_samples_are_looked_at(monkeypatch):
    monkeypatch.setattr("latentmap.data.dataset._LOOKED_AT_BYTES", 0)
    X = VECTORS.copy()
    X[5] = np.nan
    assert len(Dataset("x", Split(X), Split(X.copy())).train) == 6


def test_all_samples_stay_one_set_under_limit_and_have_one_class_without_a_label(digits):
    assert digits.of("all").limit(60).is_one
    X, labels = np.zeros((6, 3), np.float32), np.array([0, 1, -1, 2, 0, 1])
    data = Dataset("some", Split(X, labels), Split(X[:2], np.array([-1, -1])), ("a", "b", "c"))
    whole = data.of("all")
    assert whole.class_names == data.class_names == ("a", "b", "c", NO_LABEL)
    assert whole.known_labels(whole.test).tolist() == [0, 1, -1, 2, 0, 1, -1, -1]


def test_splits_that_memory_does_not_hold_together_are_refused(digits, monkeypatch):
    monkeypatch.setattr("latentmap.data.dataset.memory_budget", lambda _: digits.train.X.nbytes)
    assert digits.of("train").is_one
    with pytest.raises(DatasetError, match="more than memory may hold"):
        digits.of("all")
