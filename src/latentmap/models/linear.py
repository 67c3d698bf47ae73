"""The linear autoencoder: one matrix in, one matrix out. It can do what PCA does and nothing more."""

from typing import ClassVar

from torch import nn

from latentmap.models.base import AutoencoderModule, Components, Recipe, SampleShape, analyse, n_values


class LinearAutoencoder(AutoencoderModule):
    """One affine map to the code and one back, which start as principal component analysis: none could do better.

    Parameters
    ----------
    sample_shape : tuple of int, default (1, 32, 32)
        Shape of one sample: (channels, height, width) or (n_features,).
    latent_dim : int, default 2
        How many numbers a code has.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1.

    References
    ----------
    P. Baldi and K. Hornik (1989), "Neural networks and principal component analysis: Learning from examples without
    local minima", Neural Networks 2(1): every minimum of the squared error spans the principal subspace.

    Examples
    --------
    >>> from latentmap.models import LinearAutoencoder
    >>> LinearAutoencoder((1, 8, 8), latent_dim=3).n_parameters  # 64*3 + 3 in, 3*64 + 64 out
    451
    """

    recipe: ClassVar[Recipe] = Recipe(batch_size=128, learning_rate=0.05, n_steps=500)

    def __init__(self, sample_shape: SampleShape = (1, 32, 32), latent_dim: int = 2) -> None:
        super().__init__(sample_shape, latent_dim)
        n_features = n_values(self.sample_shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(n_features, self.latent_dim))
        self.decoder = nn.Sequential(nn.Linear(self.latent_dim, n_features), nn.Unflatten(1, self.sample_shape))

    @property
    def n_components(self) -> int:
        """As many as a code has numbers."""
        return self.latent_dim

    def start_from(self, start: Components) -> None:
        """Be principal component analysis; see the base class."""
        into, out = (layer for layer in self.modules() if isinstance(layer, nn.Linear))
        analyse(into, out, start)
