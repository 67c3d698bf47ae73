"""Augmentation: images a little moved and turned, or mirrored, so that more is learned from the same samples.

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


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images (n, c, h, w), each mirrored left to right or not, as a coin falls."""
    mirrored = (torch.rand(len(x), generator=generator, dtype=torch.float32) < 0.5).to(x.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), x.flip(3), x)


AUGMENTATIONS: dict[str, Augmentation | None] = {"none": None, "affine": affine, "flip": flip}
"""Every augmentation by the name that `Autoencoder(augmentation=...)` takes."""
