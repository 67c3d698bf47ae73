"""Augmentation: images a little moved, turned, bent or mirrored, so that more is learned from the same samples.

A change takes a batch of images, a random generator and, where several processes learn together, which of the whole
batch these are. It returns the batch that is learned from in its place; the objective sees that as both input and
target. Moved images are not quite like the data, at their edges above all, so the last epochs see them unmoved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from latentmap.training.ranks import Share, rows_of

Change = Callable[[Tensor, torch.Generator, Share | None], Tensor]

_LATE = 0.2  # of the epochs
_ANGLE = 0.05  # radians, standard deviation, as for all of these
_STRETCH = 0.025  # of the height and of the width
_SHEAR = 0.05
_MOST_MOVED = 2  # pixels, each of as many
_LEAST_SIZE = 12  # of the height and of the width
_SHIFT = 0.018  # of the height and of the width: half a pixel of 28
_BEND = 0.03  # of the height and of the width
_ALIKE = 0.15  # the least correlation of pixels beside each other, for images to be moved
_FEWEST_LOOKED_AT, _NUMBERS_LOOKED_AT = 30, 2**18  # images, and numbers of images, by which that is judged
_BUMPS = 5  # points of the grid that bends an image, each way


def affine(x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """Images (n, c, h, w) under light random affine maps, each its own; outside lies the nearest edge's colour."""
    return _moved(x, _maps(x, 1, generator, share), _places(*x.shape[2:]))


def elastic(x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """Images (n, c, h, w) under maps half as strong, and bent: every part moves a little by itself.

    P. Simard, D. Steinkraus and J. Platt (2003), "Best practices for convolutional neural networks applied to visual
    document analysis".
    """
    whole, part = rows_of(x, share)
    maps = _maps(x, 0.5, generator, share)
    bends = 2 * _BEND * torch.randn(whole, 2, _BUMPS**2, generator=generator, dtype=torch.float32)[part]
    of_images = torch.cat([maps, bends.to(maps)], dim=2)
    # Straight lines between pixels blur; cubic ones overshoot, which is cut off. PyTorch has none for MPS.
    mode = "bilinear" if x.device.type == "mps" else "bicubic"
    moved = _moved(x, of_images, _places_and_bumps(*x.shape[2:]), mode)
    return moved.clamp_(x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True))


def _maps(x: Tensor, strength: float, generator: torch.Generator, share: Share | None) -> Tensor:
    """Random affine maps from places in new images to places in old ones, both from -1 to 1: (n, 2, 3)."""
    whole, part = rows_of(x, share)
    angle, shear, *rest = strength * torch.randn(6, whole, generator=generator, dtype=torch.float32)[:, part]
    stretch, shift = 1 + _STRETCH * torch.stack(rest[:2]), 2 * _SHIFT * torch.stack(rest[2:])
    cos, sin = torch.cos(_ANGLE * angle), torch.sin(_ANGLE * angle)
    ratio = x.shape[2] / x.shape[3]  # a turn is one of pixels, not of heights and widths
    rows = torch.stack([cos * stretch[0], (_SHEAR * shear - sin) * ratio, shift[0]], dim=1)
    columns = torch.stack([sin / ratio, cos * stretch[1], shift[1]], dim=1)
    return torch.stack([rows, columns], dim=1).to(x.device)


def _moved(x: Tensor, of_images: Tensor, of_pixels: Tensor, mode: str = "bilinear") -> Tensor:
    """Images with what lies at other places, the products of (n, 2, k) and (k, height * width)."""
    n, _, height, width = x.shape
    # One matrix product for all places; PyTorch's affine_grid makes one per image and takes ten times as long.
    places = (of_images.flatten(0, 1) @ of_pixels.to(of_images)).view(n, 2, height, width).permute(0, 2, 3, 1)
    # Places outside are brought to the edge here: PyTorch before 2.13 can't for MPS.
    edge = 1 - 1 / torch.tensor([width, height]).to(places)
    places = torch.minimum(torch.maximum(places, -edge), edge)
    return functional.grid_sample(x, places, mode, "border" if mode == "bicubic" else "zeros", align_corners=False)


@lru_cache(maxsize=64)
def _places(height: int, width: int) -> Tensor:
    """Where an image's pixels lie, from -1 to 1 across and down, and a row of ones: (3, height * width)."""
    across = (2 * torch.arange(width, dtype=torch.float32) + 1) / width - 1
    down = (2 * torch.arange(height, dtype=torch.float32) + 1) / height - 1
    places = [across.repeat(height), down.repeat_interleave(width)]
    return torch.stack([*places, torch.ones_like(places[0])])


@lru_cache(maxsize=64)
def _places_and_bumps(height: int, width: int) -> Tensor:
    """The above, and how much a pixel moves with each point of a grid: (3 + _BUMPS^2, height * width)."""
    points = torch.linspace(-1, 1, _BUMPS)[:, None]
    places = _places(height, width)
    across, down, _ = places
    spread = 0.6 * 2 / (_BUMPS - 1)
    near = [torch.exp(-((place - points) ** 2) / (2 * spread**2)) for place in (down, across)]
    bumps = (near[0][:, None] * near[1]).flatten(0, 1)
    return torch.cat([places, bumps / bumps.square().sum(0).sqrt()])  # so that each pixel moves by as much


def crop(x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """Images (n, c, h, w), each mirrored or not and moved a little; what comes in is its own reflection."""
    n, _, height, width = x.shape
    whole, part = rows_of(x, share)
    mirrored, *moves = torch.rand(3, whole, 1, generator=generator, dtype=torch.float32)[:, part]
    rows, columns = (
        _reflected(torch.arange(size) + (move * (2 * most + 1)).long() - most, size)
        for size, move in zip((height, width), moves, strict=True)
        for most in [min(_MOST_MOVED, size // _LEAST_SIZE)]
    )
    columns = torch.where(mirrored < 0.5, columns.flip(1), columns)
    places = (torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :])
    return x.permute(0, 2, 3, 1)[tuple(place.to(x.device) for place in places)].permute(0, 3, 1, 2)


def _reflected(places: Tensor, size: int) -> Tensor:
    """Places along a side, those outside as the mirror image of those inside."""
    return (size - 1 - (places - (size - 1)).abs()).abs()


def mirror(x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """Images (n, c, h, w), each mirrored or not."""
    whole, part = rows_of(x, share)
    mirrored = torch.rand(whole, generator=generator, dtype=torch.float32)[part] < 0.5
    return torch.where(mirrored.to(x.device)[:, None, None, None], x.flip(3), x)


def can_be_moved(images: NDArray[Any]) -> bool:
    """Whether pixels beside each other vary alike, across and down: else each stands for something of its own.

    Of bar codes and of the sensors of an array, moved images are other images.
    """
    few = max(_FEWEST_LOOKED_AT, _NUMBERS_LOOKED_AT // max(1, images[0].size))
    x = images[:: -(-len(images) // few)].astype(np.float64)
    x -= x.mean(axis=0)

    def product(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
        return sum(float(np.vdot(one, other)) for one, other in zip(before, after, strict=True))

    for before, after in ((x[:, :-1], x[:, 1:]), (x[:, :, :-1], x[:, :, 1:])):
        if product(before, after) < _ALIKE * (product(before, before) * product(after, after)) ** 0.5:
            return False
    return True


@dataclass(frozen=True)
class Augmentation:
    """What is done to images in most epochs, and in the last ones: a fifth, or no more than `most_late`."""

    early: Change | None = None
    late: Change | None = None
    most_late: int | None = None

    def at(self, epoch: int, epochs: int) -> Change | None:
        """Return what is done in an epoch, from 1, of so many."""
        n_late = epochs - round((1 - _LATE) * epochs)
        n_late = n_late if self.most_late is None else min(n_late, self.most_late)
        return self.late if epoch > epochs - n_late else self.early


AUGMENTATIONS = {
    "none": Augmentation(),
    "affine": Augmentation(affine),
    "elastic": Augmentation(elastic),
    "crop": Augmentation(crop, mirror, most_late=2),
}
"""Every augmentation by the name that `Autoencoder(augmentation=...)` takes."""
