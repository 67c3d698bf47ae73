"""What is learned: the architectures, one per file, their registry, and model files."""

from latentmap.models.base import AutoencoderModule
from latentmap.models.conv import ConvAutoencoder
from latentmap.models.dense import DenseAutoencoder
from latentmap.models.linear import LinearAutoencoder
from latentmap.models.registry import MODELS
from latentmap.models.residual import ResidualAutoencoder

__all__ = [
    "MODELS",
    "AutoencoderModule",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "LinearAutoencoder",
    "ResidualAutoencoder",
]
