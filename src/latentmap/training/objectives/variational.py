"""The variational autoencoder: codes are distributions, and together they fill a standard normal one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latentmap.checks import check_share
from latentmap.models.base import AutoencoderModule, n_values
from latentmap.training.objectives.base import Batch, Objective, noise_like, squared_error
from latentmap.training.ranks import everywhere

if TYPE_CHECKING:
    from latentmap.training.batches import Batches

_FIRST_LOG_VARIANCE = -4.0  # little noise to begin with: first there must be something to tell apart
_WIDEST = 10.0  # of log variances either way: beyond, exp leaves float32's comfortable range
_LEAST_ERROR = 1e-6  # squared; data that can be drawn exactly would send the logarithm to minus infinity


class Variational(Objective):
    """The negative evidence lower bound, per value, with the width of the Gaussian likelihood at its optimum.

    The encoder's output is the mean of a sample's code; a twin of the encoder's last layer, which is learned along
    and not kept, gives the logarithm of its variance. With the likelihood's variance at its optimum, the mean squared
    error itself, the reconstruction term is half the error's logarithm: no weight has to be chosen for the data at
    hand, and ``beta=1`` is the bound.

    Parameters
    ----------
    beta : float, default 1
        Weight of the divergence from the prior; more gives codes that use fewer numbers and fill the prior better,
        at a higher reconstruction error.
    warm_up : float, default 0.3
        The share of training over which that weight grows from 0.

    References
    ----------
    D. P. Kingma and M. Welling (2014), "Auto-encoding variational Bayes", equation 10.
    I. Higgins et al. (2017), "beta-VAE", equation 4.
    O. Rybkin, K. Daniilidis and S. Levine (2021), "Simple and effective VAE training with calibrated decoders",
    equation 7: the optimal variance.
    """

    prior_is_normal = True
    loss_name = "negative evidence bound"
    loss_meaning = "half the logarithm of the error, and how far the codes are from a normal distribution"

    def __init__(self, beta: float = 1.0, warm_up: float = 0.3) -> None:
        super().__init__()
        self.beta = check_share("beta", beta, most=None)
        self.warm_up = check_share("warm_up", warm_up)
        self.head: nn.Module | None = None  # made by `begin`

    def begin(self, module: AutoencoderModule, batches: Batches) -> None:
        """Make the twin of the encoder's last layer."""
        self._parts = module.split_encoder()  # a tuple: seen, not owned
        if self.head is not None:
            return
        if not list(self._parts[1].parameters()):
            raise ValueError(
                "objective='variational' needs an encoder that is an nn.Sequential ending in an nn.Linear: a twin of "
                "that layer gives the variances of codes."
            )
        self.head = copy.deepcopy(self._parts[1]).to(batches.device)
        with torch.no_grad():
            for name, parameter in self.head.named_parameters():
                parameter.fill_(_FIRST_LOG_VARIANCE if name.endswith("bias") else 0.0)

    def forward(self, module: AutoencoderModule, batch: Batch, progress: float = 1.0) -> Tensor:
        """Return the loss; see the base class."""
        if self.head is None:
            raise RuntimeError("begin must be called first")
        trunk, to_mean = self._parts
        h = trunk(batch.x)
        mean = (to_mean(h) + module.linear_code(batch.x)).float()
        log_variance = self.head(h).float().clamp(-_WIDEST, _WIDEST)
        z = mean + (log_variance / 2).exp() * noise_like(mean, batch.generator, batch.share)
        error = everywhere(squared_error(module, module.decode(z).float(), batch.x), batch.share)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1).mean() / 2
        # Epochs are judged by the whole bound, also while its second term is still growing.
        share = min(1.0, progress / self.warm_up) if self.training and self.warm_up else 1.0
        return (error + _LEAST_ERROR).log() / 2 + self.beta * share * divergence / n_values(module.sample_shape)
