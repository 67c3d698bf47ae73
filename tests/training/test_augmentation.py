import numpy as np
import pytest
import torch
from torch.nn import functional

from latentmap import Autoencoder, load_dataset
from latentmap.training.augmentation import AUGMENTATIONS, affine, can_be_moved, crop, elastic, mirror


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def centres(x):
    """The centre of mass of each image, in pixels: (n, 2)."""
    height, width = x.shape[2:]
    mass = x.sum((1, 2, 3))
    rows = (x.sum((1, 3)) * torch.arange(height)).sum(1) / mass
    columns = (x.sum((1, 2)) * torch.arange(width)).sum(1) / mass
    return torch.stack([rows, columns], dim=1)


@pytest.mark.parametrize("change", [affine, elastic])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 40), (4, 9, 7), (1, 1, 1)])
def test_shape_range_and_flat_colours_stay(shape, change):
    x = torch.rand(20, *shape)
    moved = change(x, seeded())
    assert moved.shape == x.shape
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-6
    flat = torch.full((20, *shape), 0.7)
    torch.testing.assert_close(change(flat, seeded()), flat)


@pytest.mark.parametrize("change", [affine, elastic])
def test_one_seed_gives_one_result_and_another_another(change):
    x = torch.rand(5, 1, 12, 12)
    assert torch.equal(change(x, seeded()), change(x, seeded()))
    assert not torch.equal(change(x, seeded()), change(x, seeded(1)))


def test_images_whose_pixels_have_nothing_to_do_with_those_beside_them_stay_unmoved():
    rng = np.random.default_rng(0)
    sensors = (rng.normal(size=(300, 8)) @ rng.normal(size=(8, 256))).reshape(300, 16, 16, 1).astype(np.float32)
    bars = np.repeat(rng.integers(0, 2, (300, 1, 64)), 8, axis=1).astype(np.uint8)
    digits = load_dataset("digits", size=8).train.images
    assert not can_be_moved(sensors)
    assert not can_be_moved(bars)
    for images in (digits, digits.astype(np.float32), digits[:1], digits[:, :1], np.zeros((5, 4, 4), np.uint8)):
        assert can_be_moved(images)
    found = [
        Autoencoder("residual", 8, epochs=1, random_state=0, **given).fit(X).describe()["augmentation"]
        for X, given in ((sensors, {}), (digits, {}), (sensors, {"augmentation": "affine"}))
    ]
    assert found == ["none", "elastic", "affine"]


def test_images_move_by_half_a_pixel_in_28_and_each_by_its_own():
    x = torch.zeros(2000, 1, 28, 28)
    x[:, :, 12:16, 12:16] = 1
    shifts = centres(affine(x, seeded())) - centres(x)
    assert shifts.mean(0).abs().max() < 0.05
    torch.testing.assert_close(shifts.std(0), torch.tensor([0.5, 0.5]), atol=0.05, rtol=0)


@pytest.mark.parametrize("shape", [(40, 40), (20, 60)])
def test_a_disc_far_from_the_centre_turns_about_it_without_growing(shape):
    height, width = shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    disc = (((rows - height / 2) ** 2 + (columns - width / 4) ** 2) < 16).float()
    x = disc.expand(1000, 1, height, width)
    moved = affine(x, seeded())
    masses = moved.sum((1, 2, 3)) / disc.sum()
    assert masses.mean() == pytest.approx(1, abs=0.01)
    assert masses.std() < 0.08
    # A turn by 0.05 moves it across the radius by 0.05 of its distance to the centre.
    across = (centres(moved) - centres(x))[:, 0].std()
    expected = ((0.05 * width / 4) ** 2 + (0.018 * height) ** 2) ** 0.5
    assert across == pytest.approx(expected, rel=0.1)


def test_parts_of_an_image_move_each_by_itself():
    # Two discs at the sides: an affine map moves them mostly alike across, where bending moves each alone.
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    left, right = ((((rows - 20) ** 2 + (columns - at) ** 2) < 16).float().expand(1000, 1, 40, 40) for at in (8, 32))
    moves = [centres(elastic(disc, seeded())) - centres(disc) for disc in (left, right)]
    for move in moves:
        torch.testing.assert_close(move.std(0), torch.full((2,), 0.03 * 40), atol=0.25, rtol=0)
    assert abs(torch.corrcoef(torch.stack([move[:, 0] for move in moves]))[0, 1]) < 0.3


def test_every_augmentation_by_name():
    assert set(AUGMENTATIONS) == {"none", "affine", "elastic", "crop"}


@pytest.mark.parametrize("shape", [(3, 30, 25), (1, 12, 11), (2, 1, 1)])
def test_half_of_the_images_are_mirrored_and_all_moved_by_a_twelfth_at_most(shape):
    x = torch.rand(2000, *shape)
    cropped = crop(x, seeded())
    assert torch.equal(cropped, crop(x, seeded()))
    pad = [min(2, size // 12) for size in shape[1:]]
    padded = functional.pad(x, (pad[1], pad[1], pad[0], pad[0]), mode="reflect")
    padded = torch.cat([padded, padded.flip(3)])
    found = []
    for row in range(2 * pad[0] + 1):
        for column in range(2 * pad[1] + 1):
            there = padded[:, :, row : row + shape[1], column : column + shape[2]].unflatten(0, (2, -1))
            found.append((there == cropped).flatten(2).all(2))
    found = torch.stack(found)
    assert found.any(0).any(0).all()  # every image is one of these
    if min(shape[1:]) > 2:
        assert 850 < found.any(0)[0].sum() < 1150
        assert (found.sum((1, 2)) > 0.4 * 2000 / len(found)).all()  # every place


def test_half_of_the_images_are_mirrored_and_else_as_they_are():
    x = torch.rand(2000, 3, 5, 4)
    mirrored = mirror(x, seeded())
    as_they_are, turned = ((mirrored == other).flatten(1).all(1) for other in (x, x.flip(3)))
    assert (as_they_are != turned).all()
    assert 900 < turned.sum() < 1100


@pytest.mark.parametrize(
    ("name", "epochs", "wanted"),
    [
        ("affine", 5, [affine] * 4 + [None]),
        ("affine", 1, [affine]),
        ("elastic", 5, [elastic] * 4 + [None]),
        ("crop", 20, [crop] * 18 + [mirror] * 2),
        ("crop", 5, [crop] * 4 + [mirror]),
        ("none", 2, [None] * 2),
    ],
)
def test_the_last_epochs_see_images_unmoved(name, epochs, wanted):
    assert [AUGMENTATIONS[name].at(epoch, epochs) for epoch in range(1, epochs + 1)] == wanted
