import numpy as np
import pytest

from latentmap import Dataset
from latentmap.data import Split
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


def test_limit_keeps_the_first_of_each_split(digits):
    few = digits.limit(7)
    assert (len(few.train), len(few.test)) == (7, 7)
    np.testing.assert_array_equal(few.train.images, digits.train.images[:7])
    np.testing.assert_array_equal(few.test.labels, digits.test.labels[:7])
    assert few.class_names == digits.class_names
    assert (len(digits.limit(10**6).train), len(digits.limit(10**6).test)) == (1437, 360)


def test_unlabelled_data_stays_unlabelled_under_limit():
    split = Split(np.zeros((3, 5), np.float32))
    assert Dataset("v", split, split).limit(2).train.labels is None


@pytest.mark.parametrize("n", [1, 0, -3])
def test_a_limit_that_leaves_too_little_is_refused(digits, n):
    with pytest.raises(ValueError, match=f"limit must be at least 2, got {n}. Leave it out"):
        digits.limit(n)
