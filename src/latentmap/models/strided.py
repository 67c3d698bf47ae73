"""The strided autoencoder: the one for photographs, convolutions wide enough that textures pass through them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

from torch import nn

from latentmap.models.base import (
    AutoencoderModule,
    Recipe,
    SampleShape,
    check_sizes,
    n_values,
    output_layers,
    path_config,
)
from latentmap.models.halving import halvings

_CHANNELS = (32, 64, 128)
_INNERMOST = 4  # pixels across, at most


class StridedAutoencoder(AutoencoderModule):
    """3x3 convolutions of stride 2 with GELU between, a linear layer to the code, and 4x4 transposed ones back.

    Images are halved until they are at most 4 pixels across, to 32, 64 and then always 128 channels. With a linear
    path the decoder adds to the principal components, while the encoder is free to find codes of its own.

    Parameters
    ----------
    sample_shape : (channels, height, width), default (3, 32, 32)
        Shape of one image; any height and width.
    latent_dim : int, default 64
        How many numbers a code has.
    linear_path : bool, default False
        Whether there is a linear path beside; see the base class.
    channels : sequence of int, default (32, 64, 128)
        Of the convolutions one after another; the last number holds for all that follow.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1, or `sample_shape` is not that of an image.

    Examples
    --------
    >>> import torch
    >>> from latentmap.models import StridedAutoencoder
    >>> module = StridedAutoencoder(latent_dim=64)
    >>> module.encode(torch.rand(5, 3, 32, 32)).shape, module.n_parameters
    (torch.Size([5, 64]), 522979)
    """

    recipe: ClassVar[Recipe] = Recipe(batch_size=64, learning_rate=0.05, n_steps=6300, augmentation="crop")
    keeps_components: ClassVar[bool] = False
    images_only: ClassVar[bool] = True
    begins_at_mean: ClassVar[bool] = True

    def __init__(
        self,
        sample_shape: SampleShape = (3, 32, 32),
        latent_dim: int = 64,
        *,
        linear_path: bool = False,
        channels: Sequence[int] = _CHANNELS,
    ) -> None:
        channels = check_sizes("channels", channels)
        config = {} if channels == _CHANNELS else {"channels": channels}
        super().__init__(sample_shape, latent_dim, linear_path=linear_path, **config)
        shapes = halvings(
            self.sample_shape, channels, lambda shapes: len(shapes) == 1 or max(shapes[-1][1:]) > _INNERMOST
        )
        n = n_values(shapes[-1])
        self.encoder = nn.Sequential(
            *(layer for large, small in pairwise(shapes) for layer in _halve(large, small)),
            nn.Flatten(),
            nn.Linear(n, self.latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, n),
            nn.Unflatten(1, shapes[-1]),
            *(layer for small, large in pairwise(shapes[::-1]) for layer in _double(small, large)),
            *output_layers(self.sample_shape, linear_path),
        )

    @classmethod
    def config_for(cls, sample_shape: SampleShape, latent_dim: int | None) -> dict[str, Any]:
        """Always a linear path where its matrices are of a sensible size."""
        return path_config(sample_shape, latent_dim or 64)


def _halve(large: SampleShape, small: SampleShape) -> list[nn.Module]:
    """One step of the encoder."""
    return [nn.Conv2d(large[0], small[0], 3, stride=2, padding=1), nn.GELU()]


def _double(small: SampleShape, large: SampleShape) -> list[nn.Module]:
    """One step of the decoder; an odd size is one less than twice the one below."""
    odd = [size % 2 for size in large[1:]]
    padding, more = (1 + odd[0], 1 + odd[1]), (odd[0], odd[1])
    return [nn.GELU(), nn.ConvTranspose2d(small[0], large[0], 4, stride=2, padding=padding, output_padding=more)]
