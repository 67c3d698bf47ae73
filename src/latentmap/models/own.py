"""A network of the user's own: any encoder and any decoder."""

from __future__ import annotations

import copy
import hashlib
from typing import ClassVar, Self, TypeGuard

import torch
from torch import nn

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
        x = torch.zeros(1, *sample_shape)
        try:
            with torch.no_grad():
                z = encoder(x)
                if not isinstance(z, torch.Tensor):
                    raise ValueError(f"model's encoder must give codes, a tensor, got a {type(z).__name__}.")
                if z.ndim == 2 and latent_dim in (None, z.shape[1]):
                    x_hat = decoder(z)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"model must take samples of shape {tuple(x.shape)} and give them back: {reason}"
            ) from None
        if z.ndim != 2 or latent_dim not in (None, z.shape[1]):
            wanted = "latent_dim" if latent_dim is None else latent_dim
            got = ", ".join(map(str, z.shape[1:]))
            raise ValueError(f"model's encoder must give codes of shape (n, {wanted}), got (n, {got}).")
        if not isinstance(x_hat, torch.Tensor):
            raise ValueError(f"model's decoder must give samples, a tensor, got a {type(x_hat).__name__}.")
        if x_hat.shape != x.shape:
            raise ValueError(
                f"model's decoder must give samples of shape (n, {', '.join(map(str, sample_shape))}), got "
                f"(n, {', '.join(map(str, x_hat.shape[1:]))})."
            )
        return cls(sample_shape, z.shape[1], encoder=encoder, decoder=decoder)

    def split_encoder(self) -> tuple[nn.Sequential, nn.Sequential]:
        """The last layer apart where it is a linear one of a sequence; else the whole, and nothing after it."""
        if isinstance(self.encoder, nn.Sequential) and isinstance(self.encoder[-1], nn.Linear):
            return super().split_encoder()
        return nn.Sequential(self.encoder), nn.Sequential()


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
