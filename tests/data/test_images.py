import numpy as np
import pytest
from PIL import Image

from latentmap.data.images import resize_images


def by_pillow(images, height, width):
    planes = [
        [
            np.asarray(Image.fromarray(image[..., c]).resize((width, height), Image.Resampling.BILINEAR))
            for image in images
        ]
        for c in range(images.shape[3])
    ]
    return np.moveaxis(np.array(planes), 0, -1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("before", "after"), [((28, 28), (32, 32)), ((8, 8), (32, 32)), ((32, 32), (9, 13)), ((7, 20), (20, 7))]
)
def test_resizing_is_pillows_bilinear_filter(before, after, channels):
    images = np.random.default_rng(0).integers(0, 256, (5, *before, channels), dtype=np.uint8)
    difference = resize_images(images, *after).astype(int) - by_pillow(images, *after)
    assert np.abs(difference).max() <= 1  # one grey level: the rounding of fixed-point weights
    assert np.mean(difference != 0) < 0.01


def test_floats_are_resized_as_bytes_are():
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 9, 3), dtype=np.uint8)
    found = resize_images(images / np.float32(255), 8, 20)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found * 255, resize_images(images, 8, 20), atol=1.01)


def test_images_of_the_wanted_size_are_returned_as_they_are():
    images = np.zeros((2, 8, 8, 1), np.uint8)
    assert resize_images(images, 8, 8) is images


def test_read_only_and_non_contiguous_images_are_resized_alike():
    images = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3), dtype=np.uint8)
    wanted = resize_images(images, 12, 11)
    strided = np.asfortranarray(images)
    images.flags.writeable = False
    np.testing.assert_array_equal(resize_images(images, 12, 11), wanted)
    np.testing.assert_array_equal(resize_images(strided, 12, 11), wanted)


def test_many_images_are_resized_as_one_would_be(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (10, 6, 6, 1), dtype=np.uint8)
    wanted = resize_images(images, 8, 8)
    monkeypatch.setattr("latentmap.data.images._RESIZED_AT_ONCE", 4)
    np.testing.assert_array_equal(resize_images(images, 8, 8), wanted)
