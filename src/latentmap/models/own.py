"""A network of the user's own: any encoder and any decoder."""

import copy
import hashlib
from typing import ClassVar, Self, TypeGuard

import torch
from torch import Tensor, nn

from latentmap.errors import words_of
from latentmap.models.base import AutoencoderModule, SampleShape

OWN = "own"  # its name where others are in MODELS

Pair = tuple[nn.Module, nn.Module]


class OwnAutoencoder(AutoencoderModule):
    """Two modules as one network: ``Autoencoder(model=(encoder, decoder))``."""

    is_foreign: ClassVar[bool] = True

    def __init__(self, sample_shape: SampleShape, latent_dim: int, *, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__(sample_shape, latent_dim)
        self.encoder, self.decoder = encoder, decoder

    @classmethod
    def of(cls, pair: Pair, sample_shape: SampleShape, latent_dim: int | None = None) -> Self:
        """Copies of two modules, with the weights that they have; refused where they do not fit the samples."""
        encoder, decoder = (part.float().eval() for part in copy.deepcopy(tuple(pair)))  # what they share stays shared
        if not any(parameter.requires_grad for part in (encoder, decoder) for parameter in part.parameters()):
            raise ValueError("model must have parameters to learn, got an encoder and a decoder without any.")
        z = _tried("encoder", encoder, torch.zeros(1, *sample_shape), "codes", (latent_dim,))
        _tried("decoder", decoder, z, "samples", sample_shape)
        return cls(sample_shape, z.shape[1], encoder=encoder, decoder=decoder)

    def split_encoder(self) -> tuple[nn.Sequential, nn.Sequential]:
        """The last layer apart where it is a linear one of a sequence; else the whole, and nothing after it."""
        trunk, last = nn.Sequential(self.encoder), nn.Sequential()
        if isinstance(self.encoder, nn.Sequential) and isinstance(self.encoder[-1], nn.Linear):
            trunk, last = super().split_encoder()
        return nn.Sequential(_Copy(), trunk), last


class _Copy(nn.Module):
    """Before layers that may work in place."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def _tried(name: str, part: nn.Module, x: Tensor, what: str, shape: tuple[int | None, ...]) -> Tensor:
    """What one of the two makes of a single row; refused where it is not of this shape, in which None is any size."""
    try:
        with torch.no_grad():
            found = part(x)
    except RuntimeError as error:
        raise ValueError(f"model's {name} must take tensors of shape {tuple(x.shape)}: {words_of(error)}.") from None
    if not isinstance(found, Tensor):
        raise ValueError(f"model's {name} must give {what}, a tensor, got a {type(found).__name__}.")
    sizes = zip((1, *shape), found.shape, strict=False)
    if found.ndim != 1 + len(shape) or any(wanted not in (None, size) for wanted, size in sizes):
        wanted = ", ".join("latent_dim" if size is None else str(size) for size in shape)
        got = ", ".join(map(str, found.shape[1:]))
        raise ValueError(f"model's {name} must give {what} of shape (n, {wanted}), got (n, {got}).")
    return found


def is_pair(model: object) -> TypeGuard[Pair]:
    """Whether these are an encoder and a decoder."""
    return isinstance(model, tuple | list) and len(model) == 2 and all(isinstance(part, nn.Module) for part in model)


def digest(pair: Pair) -> str:
    """What tells a network from others, as JSON can hold it: its layers, and the weights it begins with."""
    found = hashlib.blake2b(digest_size=16)
    for part in pair:
        found.update(repr(part).encode())
        for name, value in part.state_dict().items():
            found.update(
                name.encode() + value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            )
    return f"{OWN} {found.hexdigest()}"
