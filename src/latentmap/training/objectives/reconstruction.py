"""Reconstruction: what comes out shall be what went in."""

from torch import Tensor

from latentmap.models.base import AutoencoderModule
from latentmap.training.objectives.base import Batch, Objective, squared_error


class Reconstruction(Objective):
    """The mean squared error between samples and their reconstructions, per value."""

    loss_is_error = True
    corrects_codes = True
    loss_name = "mean squared error"

    def redrawn(self, module: AutoencoderModule, batch: Batch) -> Tensor:
        """Return what the module makes of a batch's samples."""
        return module(batch.x)

    def forward(self, module: AutoencoderModule, batch: Batch, progress: float = 1.0) -> Tensor:
        """Return the loss; see the base class."""
        return squared_error(module, self.redrawn(module, batch), batch.x)

    def each(self, module: AutoencoderModule, batch: Batch) -> Tensor:
        """Return the error of each sample; see the base class."""
        return (self.redrawn(module, batch) - batch.x).square().flatten(1).mean(dim=1)
