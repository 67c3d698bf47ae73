"""What every architecture is: an encoder, a decoder, and the few facts needed to build it again."""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

SampleShape = tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """How an architecture is best trained on 60,000 samples; `training.plan` adapts it to other numbers."""

    batch_size: int
    learning_rate: float  # of the first step
    n_steps: int  # in all
    augmentation: str = "none"  # in AUGMENTATIONS
    augmentation_of_short_codes: str | None = None  # of a few numbers, which learn little by heart; None: the same
    weight_decay: float = 0.0
    one_thread: bool = False  # operations are so small that sharing each among cores takes longer than it saves
    bfloat16_pays: bool = False  # the time goes into large matrix products: machines with bfloat16 are quicker by it
    steps_exponent: float = 1 / 3  # steps grow with the number of samples to this power
    norms_settle: float = 1.0  # of images, the share of training after which batch norm goes by the means it has kept
    few_vectors_exponent: float = 1 / 3  # the same for fewer vectors than that, which may have less to be learned


@dataclass(frozen=True, eq=False)
class Components:
    """The principal components of training samples, as network input: where a network with a linear path starts."""

    mean: Tensor  # (*sample_shape)
    directions: Tensor  # (k, n_values), orthonormal, by falling variance; k may be less than the size of codes
    deviations: Tensor  # (k,): the samples' standard deviation along each


class LinearPath(nn.Module):
    """One matrix into the code and one back: the principal components, which stay what they are.

    Learned along, they gain nothing that the network beside them could not have, and cost much at the rates that it
    learns at; ``docs/decisions`` has the figures.
    """

    def __init__(self, sample_shape: SampleShape, latent_dim: int) -> None:
        super().__init__()
        self.sample_shape = sample_shape
        self.into = nn.Linear(n_values(sample_shape), latent_dim)
        self.out = nn.Linear(latent_dim, n_values(sample_shape))
        self.requires_grad_(False)

    def encode(self, x: Tensor) -> Tensor:
        """(n, *sample_shape) -> (n, latent_dim)."""
        return self.into(x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """(n, latent_dim) -> (n, *sample_shape)."""
        x_hat: Tensor = self.out(z)
        return x_hat.view(-1, *self.sample_shape)


def path_config(sample_shape: SampleShape, latent_dim: int) -> dict[str, Any]:
    """The config of a network with a linear path, where its matrices are of a sensible size; else of one without."""
    return {"linear_path": True} if n_values(sample_shape) * latent_dim <= _MOST_IN_PATH else {}


@torch.no_grad()
def analyse(into: nn.Linear, out: nn.Linear, start: Components) -> None:
    """Let two layers be what principal component analysis is, with codes of unit variance."""
    k, mean = len(start.directions), start.mean.flatten()
    for parameter in (into.weight, into.bias, out.weight):
        parameter.zero_()
    into.weight[:k] = start.directions / start.deviations[:, None]
    into.bias.copy_(-(into.weight @ mean))
    out.weight[:, :k] = (start.directions * start.deviations[:, None]).T
    out.bias.copy_(mean)


class AutoencoderModule(nn.Module):
    """Base class of the architectures: `encoder` and `decoder`, called through `encode` and `decode`.

    A subclass sets `encoder` (samples to codes), `decoder` (codes to samples) and calls ``super().__init__`` with the
    facts below; `config` gives them back, so that ``type(module)(**module.config)`` has the same shape.
    The encoder's children run one after another, and the last of them with weights is a linear layer or a convolution:
    objectives take it apart there. Batch norm after a convolution in an `nn.Sequential` is folded into it later.

    With a linear path, a code is ``E x + e`` plus what the encoder gives, and a sample ``D z + d`` plus what the
    decoder gives. Both matrices are the training samples' principal components, and images are cut off at 0 and 1
    outside of training, in place of a sigmoid.

    The start's life: `start_from` sets the last layers of encoder and decoder to zero, so that before its first step
    the network is principal component analysis. Training judges that as epoch 0. Where `keeps_components` is False,
    `leave_start` then sets E and e to zero, and leaves the codes to the encoder. If no epoch is better, training goes
    back to the start; that of such a network was found from the training part alone, so that the validation part could
    judge, and `start_path` takes it from all samples.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample: (channels, height, width), or (n_features,) for vectors.
    latent_dim : int
        How many numbers a code has.
    linear_path : bool, default False
        Whether there is one beside the encoder and the decoder.
    **config
        What else the subclass was built with.

    Raises
    ------
    ValueError
        If `sample_shape` or `latent_dim` is not made of positive whole numbers.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from latentmap.models import AutoencoderModule
    >>> class Matrices(AutoencoderModule):
    ...     def __init__(self, sample_shape, latent_dim):
    ...         super().__init__(sample_shape, latent_dim)
    ...         self.encoder = nn.Sequential(nn.Linear(*self.sample_shape, latent_dim))
    ...         self.decoder = nn.Sequential(nn.Linear(latent_dim, *self.sample_shape))
    >>> Matrices((5,), 2).encode(torch.rand(3, 5)).shape
    torch.Size([3, 2])
    """

    recipe: ClassVar[Recipe] = Recipe(batch_size=512, learning_rate=0.05, n_steps=600, bfloat16_pays=True)
    images_only: ClassVar[bool] = False
    """Whether samples must be images."""
    config_of_maps: ClassVar[Mapping[str, Any]] = {}
    """What else a network for an objective that `keeps_neighbors` is built with."""
    config_of_few_vectors: ClassVar[Mapping[str, Any]] = {}
    """What else a network for no more than a few thousand vectors is built with."""
    keeps_components: ClassVar[bool] = True
    """Whether codes stay the principal components plus something, or are left to the encoder once it learns."""
    begins_at_mean: ClassVar[bool] = False
    """Whether a network without a linear path begins by drawing the mean sample; else a subclass may see to it."""
    is_foreign: ClassVar[bool] = False
    """Whether it is of the user's own layers, of which nothing is known: they may work in place."""

    encoder: nn.Module
    decoder: nn.Module

    def __init__(
        self, sample_shape: SampleShape, latent_dim: int, *, linear_path: bool = False, **config: Any
    ) -> None:
        super().__init__()
        self.sample_shape = self.check_shape(sample_shape)
        self.latent_dim = check_positive("latent_dim", latent_dim)
        self.linear = LinearPath(self.sample_shape, self.latent_dim) if linear_path else None
        self._config = {**config, "linear_path": True} if linear_path else config

    @classmethod
    def check_shape(cls, shape: SampleShape) -> SampleShape:
        """Return a sample's shape as a tuple of int, or say why it is none that this architecture takes."""
        if cls.images_only and len(tuple(shape)) != 3:
            raise ValueError(
                f"sample_shape must be (channels, height, width) for {cls.__name__}, got {tuple(shape)}. "
                "Use model='dense' for vectors."
            )
        sizes = tuple(shape)
        if len(sizes) not in (1, 3) or any(int(size) != size or size < 1 for size in sizes):
            raise ValueError(
                f"sample_shape must be (channels, height, width) or (n_features,), all at least 1, got {shape}."
            )
        return tuple(int(size) for size in sizes)

    @classmethod
    def config_for(cls, sample_shape: SampleShape, latent_dim: int | None) -> dict[str, Any]:  # noqa: ARG003
        """Return what else a network for new data is built with, beside the shape and the size of its codes."""
        return {}

    @property
    def config(self) -> dict[str, Any]:
        """The keyword arguments that build a module of this shape."""
        return {"sample_shape": self.sample_shape, "latent_dim": self.latent_dim, **self._config}

    @property
    def n_parameters(self) -> int:
        """How many numbers it consists of."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def convolves(self) -> bool:
        """Whether there are convolutions, which are quicker with the channels of their weights last."""
        return any(isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) for layer in self.modules())

    @property
    def n_components(self) -> int:
        """How many principal components an untrained network wants to start from."""
        return 0 if self.linear is None else self.latent_dim

    @torch.no_grad()
    def start_from(self, start: Components) -> None:
        """Let an untrained network begin as principal component analysis, where it has a linear path.

        Where it `begins_at_mean`, one without begins by drawing the mean sample, or its colours where convolutions
        draw: training then need not first find out what all samples have in common.

        Parameters
        ----------
        start : Components
            Of the training samples, as network input; `n_components` of them.
        """
        if self.begins_at_mean:
            first, last = _weighted(self.encoder)[0], _weighted(self.decoder)[-1]
            mean = start.mean.flatten() if isinstance(last, nn.Linear) else start.mean.mean(dim=(1, 2))
            is_image = len(self.sample_shape) == 3  # which `output_layers` make by a sigmoid
            last.bias.copy_(torch.logit(mean.clamp(1 / 255, 1 - 1 / 255)) if is_image else mean)
            if first.bias is not None:  # what comes in is centred
                weight = first.weight if isinstance(first, nn.Linear) else first.weight.sum(dim=(2, 3))
                first.bias.sub_(weight @ mean)
        self.start_path(start)

    @torch.no_grad()
    def start_path(self, start: Components) -> None:
        """Let a linear path be principal component analysis, and what is beside it give nothing; the rest stays."""
        if self.linear is None:
            return
        analyse(self.linear.into, self.linear.out, start)
        if not self.keeps_components:
            drawn = _weighted(self.encoder)[-1].state_dict()
            self._drawn = {name: value.cpu().clone() for name, value in drawn.items()}  # no module moves it back later
        for part in (self.encoder, self.decoder):
            for parameter in _weighted(part)[-1].parameters():
                parameter.zero_()

    @torch.no_grad()
    def leave_start(self) -> None:
        """Leave the codes to the encoder, from random weights, where they end far worse tied to components."""
        if self.linear is not None and not self.keeps_components:
            _weighted(self.encoder)[-1].load_state_dict(self._drawn)
            for parameter in self.linear.into.parameters():
                parameter.zero_()

    @property
    def can_scale_codes(self) -> bool:
        """Whether it starts from components and has linear layers, which can take in factors, next to the code."""
        ends = (*list(self.encoder.children())[-1:], *list(self.decoder.children())[:1])
        return self.n_components > 0 and len(ends) == 2 and all(isinstance(end, nn.Linear) for end in ends)

    @torch.no_grad()
    def scale_codes(self, factors: Tensor) -> None:
        """Multiply each number of every code by a factor (latent_dim,) of its own; what a code stands for stays."""
        linear = [] if self.linear is None else [(self.linear.into, self.linear.out)]
        for into, out in [(_weighted(self.encoder)[-1], _weighted(self.decoder)[0]), *linear]:
            into.weight.mul_(factors[:, None])
            into.bias.mul_(factors)
            out.weight.div_(factors)

    @torch.no_grad()
    def code_lengths(self, z: Tensor) -> Tensor:
        """How far samples move, as network input, where one number of their codes (n, latent_dim) moves by one.

        For each number (latent_dim,) the root mean square over codes; images are not cut off at 0 and 1.
        """
        steps = _STEP * z.std(dim=0, correction=0)
        steps = torch.where(steps > 0, steps, torch.ones_like(steps))
        squares = []
        at_once = max(1, _MOVED_AT_ONCE // (len(z) * max(n_values(self.sample_shape), len(steps))))
        for moved in torch.split(torch.diag(steps), at_once):  # (numbers, latent_dim)
            ahead, behind = (self._draw((z + move).flatten(0, 1)) for move in (moved[:, None], -moved[:, None]))
            slopes = (ahead - behind).reshape(len(moved), len(z), -1) / (2 * moved.sum(dim=1)[:, None, None])
            squares.append(slopes.square().sum(dim=2).mean(dim=1))
        return torch.cat(squares).sqrt()

    def train(self, mode: bool = True) -> Self:
        """Go to training or evaluation mode."""
        if self.convolves and not self.is_foreign:
            lay_out(self, torch.channels_last if mode else torch.contiguous_format)
        return super().train(mode)

    def linear_code(self, x: Tensor) -> Tensor | float:
        """Return what the linear path adds to the codes of samples."""
        return 0.0 if self.linear is None else self.linear.encode(x)

    def split_encoder(self) -> tuple[nn.Sequential, nn.Sequential]:
        """Return the encoder in two parts that share its weights: its last layer with weights begins the second.

        What these give lacks `linear_code`.
        """
        layers = list(self.encoder.children())
        last = max(i for i, layer in enumerate(layers) if isinstance(layer, _WEIGHTED))
        return nn.Sequential(*layers[:last]), nn.Sequential(*layers[last:])

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of samples: (n, *sample_shape) -> (n, latent_dim)."""
        given = x.clone() if self.is_foreign else x
        z: Tensor = self.encoder(given).to(x.dtype)  # float32 for objectives, also where it is found in bfloat16
        return z if self.linear is None else z + self.linear.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """Return the samples that codes stand for: (n, latent_dim) -> (n, *sample_shape)."""
        # While learning, what is too bright or too dark by little must still have a gradient.
        bounded = self.linear is not None and not self.training and len(self.sample_shape) == 3
        return self._draw(z).clamp(0, 1) if bounded else self._draw(z)

    def _draw(self, z: Tensor) -> Tensor:
        """What is decoded, images not yet cut off at 0 and 1."""
        x_hat: Tensor = self.decoder(z.clone() if self.is_foreign else z).to(z.dtype)
        return x_hat if self.linear is None else x_hat + self.linear.decode(z)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstructions of samples: (n, *sample_shape) -> (n, *sample_shape)."""
        return self.decode(self.encode(x))


_MOVED_AT_ONCE = 2**22  # numbers of samples, or of codes where these are longer
_STEP = 0.1  # standard deviations of a number, each way
_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def _weighted(part: nn.Module) -> list[Any]:
    """The layers with weights, in order."""
    return [layer for layer in part.modules() if isinstance(layer, _WEIGHTED)]


class _Drawing(TorchFunctionMode):
    """Layers made inside draw their weights, float32, from a generator of this thread's own, not from PyTorch's."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call one of PyTorch's functions."""
        kwargs, name = dict(kwargs or {}), function.__name__
        if "generator" in kwargs or name in _RANDOM:
            kwargs["generator"] = self.generator
        if name in _MAKING and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float32
        return function(*args, **kwargs)


_RANDOM = {"uniform_", "normal_", "bernoulli_", "exponential_", "random_", "rand", "randn", "randint", "randperm"}
_MAKING = {"empty", "zeros", "ones", "rand", "randn"}
_MOST_IN_PATH = 2**24  # numbers each way: 64 MiB; images of 128x128 in colour at 64 numbers have a fifth of it
_BYTES_EACH = 16  # of a number that is learned: itself, its gradient, the optimizer's mean, and the best so far


def build(architecture: type[AutoencoderModule], seed: int, **arguments: Any) -> AutoencoderModule:
    """An untrained network whose weights depend on the seed alone, whatever other threads do meanwhile."""
    _check_memory(arguments.get("latent_dim", 1), arguments)
    with torch.device("meta"):
        _check_memory(architecture(**arguments).n_parameters, arguments)
    with _Drawing(seed):
        return architecture(**arguments)


def _check_memory(n_parameters: int, arguments: Mapping[str, Any]) -> None:
    """Refuse a network that the machine can't hold: the system would give the memory, and kill who uses it."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not everywhere
        return
    needed = _BYTES_EACH * n_parameters
    if needed > there:
        raise MemoryError(
            f"a network for samples of shape {arguments['sample_shape']} with latent_dim="
            f"{arguments.get('latent_dim', 'None')} needs {needed / 2**30:.3g} GiB of memory, and there are "
            f"{there / 2**30:.3g}. Lower latent_dim, or take smaller samples."
        )


def check_positive(name: str, value: int) -> int:
    """Return a whole number of at least 1, or say what is wrong with it."""
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
    return int(value)


def check_sizes(name: str, values: Sequence[int]) -> tuple[int, ...]:
    """Return whole numbers of at least 1, one or more of them, or say what is wrong with them."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"{name} must be a sequence of whole numbers of at least 1, got {values!r}.")
    return tuple(check_positive(name, value) for value in values)


def output_layers(sample_shape: SampleShape, linear_path: bool = False) -> list[nn.Module]:
    """The decoder's last step: images are in [0, 1], so a sigmoid; what is added to a linear path has no bounds."""
    return [nn.Sigmoid()] if len(sample_shape) == 3 and not linear_path else []


def mlp(widths: list[int]) -> list[nn.Module]:
    """Fully connected layers of these widths with ReLU between."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return layers[:-1]


def lay_out(module: nn.Module, memory_format: torch.memory_format) -> None:
    """Lay the weights of convolutions out in memory as `memory_format` says."""
    module.to(memory_format=memory_format)  # type: ignore[call-overload]  # PyTorch's types leave this form out


def n_values(sample_shape: SampleShape) -> int:
    """How many numbers a sample has."""
    return prod(sample_shape)
