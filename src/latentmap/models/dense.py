"""The dense autoencoder: fully connected layers that narrow to the code and widen again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentmap.models.base import AutoencoderModule, SampleShape, mlp, n_values, output_bias, output_layers

_WIDTHS = (128, 64, 32)


class DenseAutoencoder(AutoencoderModule):
    """Fully connected layers, 128-64-32 units, with ReLU between; at the end a sigmoid for images.

    Parameters
    ----------
    sample_shape : tuple of int, default (1, 32, 32)
        Shape of one sample: (channels, height, width), values in [0, 1]; or (n_features,), standardized.
    latent_dim : int, default 2
        How many numbers a code has.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1.

    Examples
    --------
    >>> import torch
    >>> module = DenseAutoencoder()
    >>> module.encode(torch.rand(5, 1, 32, 32)).shape, module.n_parameters
    (torch.Size([5, 2]), 284226)
    """

    def __init__(self, sample_shape: SampleShape = (1, 32, 32), latent_dim: int = 2) -> None:
        super().__init__(sample_shape, latent_dim)
        widths = [n_values(self.sample_shape), *_WIDTHS, self.latent_dim]
        self.encoder = nn.Sequential(nn.Flatten(), *mlp(widths))
        self.decoder = nn.Sequential(
            *mlp(widths[::-1]), *output_layers(self.sample_shape), nn.Unflatten(1, self.sample_shape)
        )

    @torch.no_grad()
    def start_from(self, mean: Tensor) -> None:
        """Centre the input and draw the mean sample; see the base class."""
        linear = [layer for layer in self.modules() if isinstance(layer, nn.Linear)]
        linear[0].bias.sub_(linear[0].weight @ mean.flatten())
        linear[-1].bias.copy_(output_bias(mean.flatten(), self.sample_shape))
