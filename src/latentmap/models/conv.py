"""The convolutional autoencoder: three strided convolutions down to a small map, and their mirror up again."""

from typing import Any, ClassVar

from torch import nn

from latentmap.models.base import (
    AutoencoderModule,
    Recipe,
    SampleShape,
    check_positive,
    n_values,
    output_layers,
    path_config,
)
from latentmap.models.halving import double, halve, halvings

_CHANNELS = (8, 16)
_BOTTLENECK = 4


class ConvAutoencoder(AutoencoderModule):
    """3x3 convolutions of stride 2, with batch norm and ReLU between; a sigmoid at the end.

    Three halvings bring 1x32x32 to 4x4x4, which flattened is the code of 64 numbers. With `latent_dim` the map goes
    through one linear layer each way instead.

    Parameters
    ----------
    sample_shape : (channels, height, width), default (1, 32, 32)
        Shape of one image; any height and width.
    bottleneck_channels : int, default 4
        Channels of the innermost map.
    latent_dim : int, optional
        How many numbers a code has; by default as many as the innermost map.
    linear_path : bool, default False
        Whether there is a linear path beside; see the base class.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1, or `sample_shape` is not that of an image.

    Examples
    --------
    >>> from latentmap.models import ConvAutoencoder
    >>> ConvAutoencoder().latent_dim, ConvAutoencoder(latent_dim=10).latent_dim
    (64, 10)
    """

    recipe: ClassVar[Recipe] = Recipe(batch_size=48, learning_rate=0.15, n_steps=2300, one_thread=True)
    images_only: ClassVar[bool] = True
    begins_at_mean: ClassVar[bool] = True

    def __init__(
        self,
        sample_shape: SampleShape = (1, 32, 32),
        bottleneck_channels: int = _BOTTLENECK,
        latent_dim: int | None = None,
        *,
        linear_path: bool = False,
    ) -> None:
        bottleneck_channels = check_positive("bottleneck_channels", bottleneck_channels)
        shapes = _halvings(self.check_shape(sample_shape), bottleneck_channels)
        bottleneck_size = n_values(shapes[-1])
        super().__init__(
            sample_shape,
            bottleneck_size if latent_dim is None else latent_dim,
            linear_path=linear_path,
            bottleneck_channels=bottleneck_channels,
        )
        down, up = halve(shapes, bias=True)[:-2], double(shapes)[2:]  # the innermost map is not normalized
        # A latent_dim equal to the map's size is the map itself, so that `config` builds the same network.
        whole = self.latent_dim == bottleneck_size
        through = [] if whole else [nn.Linear(bottleneck_size, self.latent_dim)]
        back = [] if whole else [nn.Linear(self.latent_dim, bottleneck_size)]
        self.encoder = nn.Sequential(*down, nn.Flatten(), *through)
        last = output_layers(self.sample_shape, linear_path)
        self.decoder = nn.Sequential(*back, nn.Unflatten(1, shapes[-1]), *up, *last)

    @classmethod
    def config_for(cls, sample_shape: SampleShape, latent_dim: int | None) -> dict[str, Any]:
        """The innermost map as it is is what this network is known for; other codes have a linear path beside it."""
        if len(sample_shape) != 3 or latent_dim is None:
            return {}
        known = latent_dim == n_values(_halvings(sample_shape)[-1])
        return {} if known else path_config(sample_shape, latent_dim)


def _halvings(sample_shape: SampleShape, bottleneck_channels: int = _BOTTLENECK) -> list[SampleShape]:
    """The image's shape, and those of the three maps."""
    return halvings(sample_shape, (*_CHANNELS, bottleneck_channels), lambda shapes: len(shapes) <= 3)
