"""What every objective is: a loss of a module and a batch, and what it must know or learn besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentmap.models.base import AutoencoderModule, Recipe
from latentmap.training.ranks import Share, rows_of

if TYPE_CHECKING:
    from latentmap.training.batches import Batches


class Batch(NamedTuple):
    """What one step learns from."""

    x: Tensor  # (n * group, *sample_shape), network input: each sample, followed by its companions
    n: int  # how many samples were drawn, without companions
    generator: torch.Generator  # on the CPU; its numbers depend on the seed, the epoch and the batch alone
    share: Share | None = None  # where several processes learn together: which samples of the batch these are

    @property
    def whole(self) -> int:
        """How many samples were drawn by all processes."""
        return self.n if self.share is None else self.share.whole


def squared_error(module: AutoencoderModule, x_hat: Tensor, x: Tensor) -> Tensor:
    """Return the mean squared error per value, of images as they come when they are cut off at 0 and 1.

    A linear path has no bounds while it learns. Beyond them the error goes on along its tangent: what is black may be
    drawn below 0 for nothing, and what should be brighter still has a gradient. Samples may lie beyond them too.

    References
    ----------
    P. Auer, M. Herbster and M. K. Warmuth (1996), "Exponentially many local minima for single neurons": a transfer
    function's matching loss.
    """
    if module.linear is None or len(module.sample_shape) != 3:
        return functional.mse_loss(x_hat, x)
    bounded = x_hat.clamp(0, 1)
    return ((bounded - x).square() + 2 * (bounded - x.clamp(0, 1)) * (x_hat - bounded)).mean()


class Objective(nn.Module):
    """Base class of the objectives: called with a module and a batch, they return what is to be made small.

    Parameters of the objective are learned along with the module's; parameters and persistent buffers are part of
    checkpoints, and of nothing else.
    """

    loss_is_error: ClassVar[bool] = False
    """Whether the loss is a mean squared error of reconstructions; otherwise it compares with no other objective's."""

    corrects_codes: ClassVar[bool] = False
    """Whether a code is the better, the better it draws its sample: codes are then corrected by their drawings."""

    loss_name: ClassVar[str] = "its own loss"
    """What the loss is called beside a figure's axis."""

    loss_meaning: ClassVar[str] = "a loss of its own"
    """The same for a caption, after "made small"."""

    prior_is_normal: ClassVar[bool] = False
    """Whether codes are made to fill the standard normal distribution, from which new ones are then drawn."""

    keeps_neighbors: ClassVar[bool] = False
    """Whether codes are placed by who is near whom in the data: they make a map."""

    n_companions = 0
    """How many other samples each drawn one brings along."""

    def adapt(self, recipe: Recipe) -> Recipe:
        """Return how an architecture is best trained with this objective; by default as it is."""
        return recipe

    def begin(self, module: AutoencoderModule, batches: Batches) -> None:
        """Look at the data and the network, before the first step. By default nothing is done."""

    def each(self, module: AutoencoderModule, batch: Batch) -> Tensor:
        """Return the loss of each sample after training, as far as samples can be told apart: shape (n,)."""
        loss: Tensor = self(module, batch)
        return loss.expand(batch.n)

    def companions(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the numbers of the samples that come along: (n,) -> (n, n_companions)."""
        raise NotImplementedError

    def forward(self, module: AutoencoderModule, batch: Batch, progress: float = 1.0) -> Tensor:
        """Return the loss, shape (); `progress` says how much of training is done, from 0 to 1."""
        raise NotImplementedError


def noise_like(x: Tensor, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """Return Gaussian noise in the shape of `x`, where `x` is."""
    whole, part = rows_of(x, share)
    return torch.randn((whole, *x.shape[1:]), generator=generator, dtype=torch.float32)[part].to(x.device)
