"""The residual autoencoder: the one for the best code in a few minutes, of images of any size and of vectors."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from latentmap.models.base import (
    AutoencoderModule,
    Components,
    Recipe,
    SampleShape,
    check_positive,
    n_values,
    output_layers,
    path_config,
)
from latentmap.models.halving import double, halve, halvings

_WIDTH, _NARROWEST = 256, 32
_DEPTH = 4
_WIDTH_OF_MAPS = 128  # steps are what maps need, and these are half as long
_WIDTH_OF_FEW_VECTORS = 64  # learn these as well as wider ones, in a third to a tenth of the time
# Samples with more values than this are first brought down by strided convolutions of so many channels.
_MOST_VALUES = 4096
_CHANNELS = (16, 32, 64)


class ResidualBlock(nn.Module):
    """Adds to what goes through it: ``x + linear(relu(linear(norm(x))))``.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun (2016), "Identity mappings in deep residual networks", figure 1b.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.rise = nn.Linear(width, width)
        self.fall = nn.Linear(width, width)
        with torch.no_grad():
            self.fall.weight.mul_(0.3)  # begin near the identity

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, width)."""
        return x + self.fall(torch.relu(self.rise(self.norm(x))))

    def branches(self) -> tuple[list[nn.Module], ...]:
        """What `forward` adds up, each as layers one after another: how `describe` sees it."""
        return [], [self.norm, self.rise, nn.ReLU(), self.fall]


class ResidualAutoencoder(AutoencoderModule):
    """Fully connected residual blocks of one width on both sides of the code, with batch norm and ReLU.

    Samples of up to 4,096 values go in as they are. Larger images are first halved by strided 3x3 convolutions until
    that few values are left, and doubled again by transposed ones in the end. The width follows the sample: 256, or
    four times the number of values where that is less; with a linear path never less than the code's size. Up to 5,000
    vectors are learned by a width of 64, and maps (``objective="neighbors"``) are drawn by 128.

    Parameters
    ----------
    sample_shape : tuple of int, default (1, 32, 32)
        Shape of one sample: (channels, height, width), values in [0, 1]; or (n_features,), standardized.
    latent_dim : int, default 2
        How many numbers a code has.
    linear_path : bool, default False
        Whether there is a linear path beside; see the base class.
    width : int, default 256
        Units of each layer, at most; of samples of few values there are fewer.
    depth : int, default 4
        Blocks each way.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1.

    Examples
    --------
    >>> import torch
    >>> from latentmap.models import ResidualAutoencoder
    >>> module = ResidualAutoencoder((1, 28, 28), latent_dim=30).eval()
    >>> module.encode(torch.rand(5, 1, 28, 28)).shape, module.n_parameters
    (torch.Size([5, 30]), 1475886)
    """

    recipe: ClassVar[Recipe] = Recipe(
        batch_size=512,
        learning_rate=0.1,
        n_steps=4600,
        augmentation="elastic",
        augmentation_of_short_codes="affine",
        bfloat16_pays=True,
        norms_settle=0.5,
        few_vectors_exponent=2 / 3,
    )
    begins_at_mean: ClassVar[bool] = True
    config_of_maps: ClassVar[Mapping[str, Any]] = {"width": _WIDTH_OF_MAPS}
    config_of_few_vectors: ClassVar[Mapping[str, Any]] = {"width": _WIDTH_OF_FEW_VECTORS}

    def __init__(
        self,
        sample_shape: SampleShape = (1, 32, 32),
        latent_dim: int = 2,
        *,
        linear_path: bool = False,
        width: int = _WIDTH,
        depth: int = _DEPTH,
    ) -> None:
        asked = {"width": check_positive("width", width), "depth": check_positive("depth", depth)}
        usual = {"width": _WIDTH, "depth": _DEPTH}
        config = {name: value for name, value in asked.items() if value != usual[name]}
        super().__init__(sample_shape, latent_dim, linear_path=linear_path, **config)
        shapes = _halvings(self.sample_shape)
        n = n_values(shapes[-1])
        width = max(min(width, max(_NARROWEST, 4 * n)), self.latent_dim if linear_path else 1)
        blocks = [[ResidualBlock(width) for _ in range(depth)] for _ in range(2)]
        self.encoder = nn.Sequential(
            *halve(shapes),
            nn.Flatten(),
            nn.Linear(n, width),
            *blocks[0],
            nn.BatchNorm1d(width),
            nn.Linear(width, self.latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, width),
            *blocks[1],
            nn.BatchNorm1d(width),
            nn.Linear(width, n),
            nn.Unflatten(1, shapes[-1]),
            *double(shapes),
            *output_layers(self.sample_shape, linear_path),
        )

    @classmethod
    def config_for(cls, sample_shape: SampleShape, latent_dim: int | None) -> dict[str, Any]:
        """Vectors have a linear path beside; of handwritten images it would cost a part of what is gained."""
        return path_config(sample_shape, latent_dim or 2) if len(sample_shape) == 1 else {}

    @torch.no_grad()
    def start_from(self, start: Components) -> None:
        """Draw exactly the mean to begin with: then data without variation is learned exactly; see the base class."""
        *_, drawing = (
            layer for layer in self.decoder.children() if isinstance(layer, (nn.Linear, nn.ConvTranspose2d))
        )
        drawing.weight.zero_()
        super().start_from(start)


def _halvings(shape: SampleShape) -> list[SampleShape]:
    """The sample's shape, and what the convolutions make of it one after another."""
    return halvings(
        shape,
        _CHANNELS,
        lambda shapes: len(shape) == 3 and n_values(shapes[-1]) > _MOST_VALUES and max(shapes[-1][1:]) > 1,
    )
