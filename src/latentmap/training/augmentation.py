"""Augmentation: images a little moved, turned or mirrored, so that more is learned from the same samples.

An augmentation takes a batch of images and a random generator, and returns the batch that is learned from in its
place; the objective sees it as both input and target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

Augmentation = Callable[[Tensor, torch.Generator], Tensor]

_ANGLE = 0.05  # radians, standard deviation, as for all of these
_STRETCH = 0.025  # of the height and of the width
_SHEAR = 0.05
_MOST_MOVED = 2  # pixels
_SHIFT = 0.018  # of the height and of the width: half a pixel of 28


def affine(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images (n, c, h, w) under light random affine maps, each its own; outside lies the nearest edge's colour."""
    n, _, height, width = x.shape
    angle, shear, *rest = torch.randn(6, n, generator=generator, dtype=torch.float32)
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


def crop(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images (n, c, h, w), each mirrored or not and moved by up to two pixels; what comes in is its own reflection."""
    n, _, height, width = x.shape
    draws = torch.rand(3, n, generator=generator, dtype=torch.float32)
    mirrored, *moves = (draws * torch.tensor([[2.0], [2 * _MOST_MOVED + 1], [2 * _MOST_MOVED + 1]])).long()
    rows, columns = (
        _reflected(torch.arange(size) + (move[:, None] - _MOST_MOVED).clamp(1 - size, size - 1), size)
        for size, move in zip((height, width), moves, strict=True)
    )
    columns = torch.where(mirrored[:, None] == 1, columns, columns.flip(1))
    places = (torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :])
    return x.permute(0, 2, 3, 1)[tuple(place.to(x.device) for place in places)].permute(0, 3, 1, 2)


def _reflected(places: Tensor, size: int) -> Tensor:
    """Places along a side, those outside as the mirror image of those inside."""
    return (size - 1 - (places - (size - 1)).abs()).abs()


AUGMENTATIONS: dict[str, Augmentation | None] = {"none": None, "affine": affine, "crop": crop}
"""Every augmentation by the name that `Autoencoder(augmentation=...)` takes."""
