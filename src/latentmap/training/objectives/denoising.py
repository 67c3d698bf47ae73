"""Denoising: what comes out shall be what was there before noise came over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentmap.checks import check_share
from latentmap.models.base import AutoencoderModule
from latentmap.training.objectives.base import Batch, noise_like
from latentmap.training.objectives.reconstruction import Reconstruction
from latentmap.training.ranks import Share, rows_of

if TYPE_CHECKING:
    from latentmap.training.batches import Batches


class Denoising(Reconstruction):
    """The mean squared error between samples and what is made of them under noise.

    Parameters
    ----------
    noise : float, default 0.5
        Standard deviation of the Gaussian noise added to every value, over that of the data.
    masking : float, default 0.25
        The share of values that are then put to zero (for vectors, to their mean).

    References
    ----------
    P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol (2010), "Stacked denoising autoencoders",
    sections 3.2 and 3.3.
    """

    corrects_codes = False  # or they would draw the noise

    def __init__(self, noise: float = 0.5, masking: float = 0.25) -> None:
        super().__init__()
        self.noise = check_share("noise", noise, most=None)
        self.masking = check_share("masking", masking)
        self._deviation = 1.0

    def begin(self, module: AutoencoderModule, batches: Batches) -> None:  # noqa: ARG002
        """Measure how much the data varies."""
        self._deviation = float(batches.variance() ** 0.5)

    def corrupt(self, x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
        """Return samples under noise."""
        noisy = x + self.noise * self._deviation * noise_like(x, generator, share)
        whole, part = rows_of(x, share)
        kept = torch.rand((whole, *x.shape[1:]), generator=generator, dtype=torch.float32)[part] >= self.masking
        return noisy * kept.to(x.device)

    def redrawn(self, module: AutoencoderModule, batch: Batch) -> Tensor:
        """Return what the module makes of a batch's samples under noise."""
        return super().redrawn(module, batch._replace(x=self.corrupt(batch.x, batch.generator, batch.share)))
