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


_FEWEST_IMAGES = 2000
_SMALLEST_IMAGE = 16  # pixels


def choose_model(sample_shape: SampleShape, n_samples: int, latent_dim: int) -> str:
    """Return the name of the architecture for so many samples of a shape: the table in ``docs/training.md``.

    Examples
    --------
    >>> from latentmap.models import choose_model
    >>> choose_model((3, 32, 32), n_samples=50_000, latent_dim=64), choose_model((20,), n_samples=500, latent_dim=2)
    ('strided', 'dense')
    """
    is_image = len(sample_shape) == 3 and min(sample_shape[1:]) >= _SMALLEST_IMAGE
    # Of gray images, most of them writing or drawings, 2 numbers from small convolutions are worse than from large
    # matrices.
    worth_it = n_samples >= _FEWEST_IMAGES and (sample_shape[0] > 1 or latent_dim > 2)
    return "strided" if is_image and worth_it else "dense"
