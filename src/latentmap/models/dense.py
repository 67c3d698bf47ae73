"""The dense autoencoder: fully connected layers that narrow to the code and widen again."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from latentmap.models.base import (
    AutoencoderModule,
    SampleShape,
    check_sizes,
    mlp,
    n_values,
    output_layers,
    path_config,
)

_WIDTHS = (128, 64, 32)


class DenseAutoencoder(AutoencoderModule):
    """Fully connected layers, 128-64-32 units, with ReLU between; at the end a sigmoid for images.

    With a linear path no layer is narrower than the code.

    Parameters
    ----------
    sample_shape : tuple of int, default (1, 32, 32)
        Shape of one sample: (channels, height, width), values in [0, 1]; or (n_features,), standardized.
    latent_dim : int, default 2
        How many numbers a code has.
    linear_path : bool, default False
        Whether there is a linear path beside; see the base class.
    hidden : sequence of int, default (128, 64, 32)
        Units of the encoder's layers, from samples to code; the decoder's are the mirror.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1.

    Examples
    --------
    >>> import torch
    >>> from latentmap.models import DenseAutoencoder
    >>> module = DenseAutoencoder()
    >>> module.encode(torch.rand(5, 1, 32, 32)).shape, module.n_parameters
    (torch.Size([5, 2]), 284226)
    """

    begins_at_mean: ClassVar[bool] = True

    def __init__(
        self,
        sample_shape: SampleShape = (1, 32, 32),
        latent_dim: int = 2,
        *,
        linear_path: bool = False,
        hidden: Sequence[int] = _WIDTHS,
    ) -> None:
        hidden = check_sizes("hidden", hidden)
        config = {} if hidden == _WIDTHS else {"hidden": hidden}
        super().__init__(sample_shape, latent_dim, linear_path=linear_path, **config)
        between = [max(width, self.latent_dim) if linear_path else width for width in hidden]
        widths = [n_values(self.sample_shape), *between, self.latent_dim]
        self.encoder = nn.Sequential(nn.Flatten(), *mlp(widths))
        self.decoder = nn.Sequential(
            *mlp(widths[::-1]), *output_layers(self.sample_shape, linear_path), nn.Unflatten(1, self.sample_shape)
        )

    @classmethod
    def config_for(cls, sample_shape: SampleShape, latent_dim: int | None) -> dict[str, Any]:
        """Images as 2 numbers are what this network is known for; everything else has a linear path beside it."""
        known = len(sample_shape) == 3 and latent_dim in (None, 2)
        return {} if known else path_config(sample_shape, latent_dim or 2)
