"""What is learned: the architectures, one per file, and the models that come of them."""

from latentmap.models.base import AutoencoderModule, SampleShape
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
    "choose_model",
]

MODELS: dict[str, type[AutoencoderModule]] = {
    "conv": ConvAutoencoder,
    "dense": DenseAutoencoder,
    "linear": LinearAutoencoder,
    "residual": ResidualAutoencoder,
    "strided": StridedAutoencoder,
}
"""Every architecture by the name that `Autoencoder(model=...)` takes."""


def choose_model(sample_shape: SampleShape) -> str:
    """Return the name of the architecture for samples of a shape: the table in ``docs/training.md``."""
    return "strided" if len(sample_shape) == 3 and sample_shape[0] > 1 else "dense"
