"""Convolutions that halve images and double them again: what several architectures are made of."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from latentmap.models.base import SampleShape


def halvings(
    shape: SampleShape, channels: Sequence[int], goes_on: Callable[[list[SampleShape]], bool]
) -> list[SampleShape]:
    """An image's shape and those of its halves, rounded up; the last number of channels holds for all that follow."""
    shapes = [shape]
    while goes_on(shapes):
        _, height, width = shapes[-1]
        shapes.append((channels[min(len(shapes), len(channels)) - 1], -(-height // 2), -(-width // 2)))
    return shapes


def halve(shapes: Sequence[SampleShape], *, bias: bool = False) -> list[nn.Module]:
    """Convolutions of stride 2 from shape to shape, batch norm and ReLU after each; the last one may have a bias."""
    layers: list[nn.Module] = []
    for large, small in pairwise(shapes):
        conv = nn.Conv2d(large[0], small[0], 3, stride=2, padding=1, bias=bias and small is shapes[-1])
        layers += [conv, nn.BatchNorm2d(small[0]), nn.ReLU()]
    return layers


def double(shapes: Sequence[SampleShape]) -> list[nn.Module]:
    """Transposed convolutions back, batch norm and ReLU before each; the last one, which draws, has a bias."""
    layers: list[nn.Module] = []
    for small, large in pairwise(shapes[::-1]):
        padding = (1 - large[1] % 2, 1 - large[2] % 2)  # makes up for the rounding of odd sizes
        conv = nn.ConvTranspose2d(small[0], large[0], 3, 2, 1, padding, bias=large is shapes[0])
        layers += [nn.BatchNorm2d(small[0]), nn.ReLU(), conv]
    return layers
