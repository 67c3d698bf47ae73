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


_MANY_IMAGES = 5000


def choose_model(sample_shape: SampleShape, latent_dim: int, n_samples: int) -> str:
    """Return the name of the architecture for so many samples of a shape: the table in ``docs/training.md``."""
    if len(sample_shape) == 1:
        return "dense"
    is_colour = sample_shape[0] > 1
    return "strided" if is_colour or (latent_dim > 2 and n_samples >= _MANY_IMAGES) else "dense"
