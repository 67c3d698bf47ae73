"""Augmentation: images a little moved, turned or mirrored, so that more is learned from the same samples.

A change takes a batch of images, a random generator and, where several processes learn together, which of the whole
batch these are. It returns the batch that is learned from in its place; the objective sees that as both input and
target. Moved images are not quite like the data, at their edges above all, so the last epochs see them unmoved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
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


def affine(x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """Images (n, c, h, w) under light random affine maps, each its own; outside lies the nearest edge's colour."""
    n, _, height, width = x.shape
    whole, part = rows_of(x, share)
    angle, shear, *rest = torch.randn(6, whole, generator=generator, dtype=torch.float32)[:, part]
    stretch, shift = 1 + _STRETCH * torch.stack(rest[:2]), 2 * _SHIFT * torch.stack(rest[2:])
    cos, sin = torch.cos(_ANGLE * angle), torch.sin(_ANGLE * angle)
    # From places in the new image to places in the old one, both from -1 to 1; a turn is one of pixels, not of these.
    ratio = height / width
    rows = torch.stack([cos * stretch[0], (_SHEAR * shear - sin) * ratio, shift[0]], dim=1)
    columns = torch.stack([sin / ratio, cos * stretch[1], shift[1]], dim=1)
    maps = torch.stack([rows, columns], dim=1).to(x.device)
    # One matrix product for all places; PyTorch's affine_grid makes one per image and takes ten times as long.
    places = (maps.view(2 * n, 3) @ _places(height, width).to(maps)).view(n, 2, height, width)
    return functional.grid_sample(x, places.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


@lru_cache(maxsize=64)
def _places(height: int, width: int) -> Tensor:
    """Where an image's pixels lie, from -1 to 1 across and down, and a row of ones: (3, height * width)."""
    across = (2 * torch.arange(width, dtype=torch.float32) + 1) / width - 1
    down = (2 * torch.arange(height, dtype=torch.float32) + 1) / height - 1
    places = [across.repeat(height), down.repeat_interleave(width)]
    return torch.stack([*places, torch.ones_like(places[0])])


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
    "crop": Augmentation(crop, mirror, most_late=2),
}
"""Every augmentation by the name that `Autoencoder(augmentation=...)` takes."""
