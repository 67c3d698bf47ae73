"""What is learned: the architectures, one per file, and the models that come of them."""

from latentmap.models.base import AutoencoderModule
from latentmap.models.conv import ConvAutoencoder
from latentmap.models.dense import DenseAutoencoder
from latentmap.models.linear import LinearAutoencoder
from latentmap.models.residual import ResidualAutoencoder
from latentmap.models.strided import StridedAutoencoder

__all__ = [
    "MODELS",
    "AutoencoderModule",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "LinearAutoencoder",
    "ResidualAutoencoder",
    "StridedAutoencoder",
]

MODELS: dict[str, type[AutoencoderModule]] = {
    "conv": ConvAutoencoder,
    "dense": DenseAutoencoder,
    "linear": LinearAutoencoder,
    "residual": ResidualAutoencoder,
    "strided": StridedAutoencoder,
}
"""Every architecture by the name that `Autoencoder(model=...)` takes."""
