"""What is learned: the architectures, one per file, and the models that come of them."""

from latentmap.models.base import AutoencoderModule
from latentmap.models.conv import ConvAutoencoder
from latentmap.models.dense import DenseAutoencoder
from latentmap.models.linear import LinearAutoencoder
from latentmap.models.residual import ResidualAutoencoder

__all__ = [
    "MODELS",
    "AutoencoderModule",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "LinearAutoencoder",
    "ResidualAutoencoder",
]

MODELS: dict[str, type[AutoencoderModule]] = {
    "conv": ConvAutoencoder,
    "dense": DenseAutoencoder,
    "linear": LinearAutoencoder,
    "residual": ResidualAutoencoder,
}
"""Every architecture by the name that `Autoencoder(model=...)` takes."""
