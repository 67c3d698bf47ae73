"""What training makes small: one function per objective, and their registry.

An objective takes the module and a batch of network input, and returns one number that gradients can be taken of.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from latentmap.models import AutoencoderModule

Objective = Callable[[AutoencoderModule, Tensor], Tensor]


def reconstruction(module: AutoencoderModule, x: Tensor) -> Tensor:
    """Return the mean squared error between samples and their reconstructions, per value.

    Parameters
    ----------
    module : AutoencoderModule
    x : Tensor, shape (n, *image_shape)

    Returns
    -------
    Tensor, shape ()
    """
    return functional.mse_loss(module(x), x)


OBJECTIVES: dict[str, Objective] = {"reconstruction": reconstruction}
"""Every objective by the name that `Autoencoder(objective=...)` takes."""
