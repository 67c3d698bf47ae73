"""Neighbours: codes that can be decoded, and that keep near each other what is near in the data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from latentmap.checks import check_number, check_share
from latentmap.models.base import AutoencoderModule, Recipe
from latentmap.training.augmentation import affine, elastic
from latentmap.training.graph import neighbour_graph
from latentmap.training.objectives.base import Batch, Objective, squared_error
from latentmap.training.ranks import gathered

if TYPE_CHECKING:
    from latentmap.training.batches import Batches

_LEAST_VARIANCE = 1e-4  # of pixels in [0, 1] as of scaled features: less is no variation to draw
_PAIRS, _STEPS = 512, 1200  # a step's pairs, and steps for 60,000 samples
_STEPS_EXPONENT = 1 / 6  # fewer samples need nearly as many steps, or they separate worse than UMAP's
_PUSH = 0.4  # least weight of strangers' repulsion: below about 0.3 everything falls together, at 1 groups touch
_STEEP = 5  # times the quotient of neighbours' squared distances and strangers', where that is more; at most 1
_EARLY, _LATE = 1 / 3, 5  # times the error's weight: groups come apart while it is small, and are put in order later


class Neighbors(Objective):
    """Reconstruction error, plus what it takes to tell a sample's neighbours from other samples by their codes.

    Each drawn sample brings along one of its nearest neighbours in the training data; labels play no part. The
    second term is InfoNCE with a Cauchy kernel: minus the logarithm of the similarity ``1 / (1 + distance^2)`` of a
    sample's code and its neighbour's, plus 0.4 times the logarithm of the mean similarity to all other codes of the
    step (0.4: on the way from t-SNE to UMAP, where groups stand apart; up to 1 where neighbours' squared distances
    come to a fifth of strangers', whose codes would else fall together). The first is the mean squared error over the
    data's variance: the share of the variance that is not reconstructed, whatever the data's scale. Where images are
    augmented, neighbours are those that light moving and turning brings nearest.

    Parameters
    ----------
    weight : float, default 1
        Weight of the reconstruction term, from a third of it in the beginning to five times as much in the end; more
        draws better and tells groups apart less.
    n_neighbors : int, default 8
        How many of a sample's nearest count as its neighbours.

    References
    ----------
    T. Sainburg, L. McInnes and T. Gentner (2021), "Parametric UMAP embeddings for representation and semisupervised
    learning": the sum of the two terms.
    S. Damrich, N. Böhm, F. Hamprecht and D. Kobak (2023), "From t-SNE to UMAP with contrastive learning", equation 8.
    J. N. Böhm, P. Berens and D. Kobak (2022), "Attraction-repulsion spectrum in neighbor embeddings".
    """

    keeps_neighbors = True
    loss_meaning = "the share of the variance that is not drawn, and how badly codes tell neighbours from strangers"
    loss_name = "share not drawn +\nneighbours not told apart"
    n_companions = 1

    def __init__(self, weight: float = 1.0, n_neighbors: int = 8) -> None:
        super().__init__()
        self.weight = check_share("weight", weight, most=None)
        check_number("n_neighbors", n_neighbors, whole=True)
        self.n_neighbors = int(n_neighbors)

    def adapt(self, recipe: Recipe) -> Recipe:
        """Return fewer steps, of more samples: strangers are told apart by the batch. Images are moved and turned."""
        return replace(
            recipe,
            batch_size=max(_PAIRS, recipe.batch_size),
            n_steps=_STEPS,
            steps_exponent=_STEPS_EXPONENT,
            few_vectors_exponent=_STEPS_EXPONENT,
            augmentation="affine",
            norms_settle=1.0,
        )

    def begin(self, module: AutoencoderModule, batches: Batches) -> None:
        """Find every sample's neighbours."""
        self._parts = module.split_encoder()
        self._variance = max(float(batches.variance()), _LEAST_VARIANCE)
        moved = batches.augmentation.early in (affine, elastic)
        self._graph = batches.ranks.once(lambda: neighbour_graph(batches, self.n_neighbors, affine=moved))

    def companions(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return one neighbour of each sample."""
        places = torch.randint(self._graph.shape[1], (len(rows), 1), generator=generator)
        return self._graph[rows].gather(1, places).long()

    def forward(self, module: AutoencoderModule, batch: Batch, progress: float = 1.0) -> Tensor:
        """Return the loss; see the base class."""
        trunk, head = self._parts
        h = trunk(batch.x)
        # Codes in whole precision: in bfloat16 those far from the origin would lie on a grid of a kernel's width.
        with torch.autocast(h.device.type, enabled=False):
            z = head(h.float()) + module.linear_code(batch.x)
            nearness = info_nce(gathered(z, batch.share))
        # The neighbours are there to be placed by; drawing is learned from the samples themselves.
        error = squared_error(module, module.decode(z[::2]).float(), batch.x[::2])
        not_drawn = self.weight * error / self._variance
        now, last = (_EARLY * (_LATE / _EARLY) ** when * not_drawn + nearness for when in (progress, 1.0))
        # The gradient is that of the present weight; what is told is always of the last, so that epochs compare.
        return now + (last - now).detach()


def info_nce(z: Tensor, push: float | None = None) -> Tensor:
    """How badly codes tell their neighbours from other codes; codes come in pairs of a sample and its neighbour.

    The mean over pairs of ``log(1 + distance^2)``, plus `push` (by default `repulsion`) times the mean over codes of
    the logarithm of the mean of ``1 / (1 + distance^2)`` to the codes of other pairs.
    """
    apart = (z[::2] - z[1::2]).square().sum(dim=1)
    pulls: Tensor = apart.log1p().mean()
    if len(z) < 4:
        return pulls  # no strangers
    pushes: Tensor = _Crowding.apply(z)  # type: ignore[no-untyped-call]
    return pulls + (repulsion(apart.detach(), z.detach()) if push is None else push) * pushes


def repulsion(apart: Tensor, z: Tensor) -> Tensor:
    """The weight of strangers' repulsion, from the squared distances of pairs of codes: 0.4, or up to 1.

    Seen from nearby, the loss is the neighbours' mean squared distance less `push` times the strangers': with their
    quotient above `push`, codes fall into one point. Where neighbours agree too little for 0.4, it must be more.
    """
    quotient = apart.mean() / (2 * z.var(dim=0).sum()).clamp_min(1e-12)
    return (_STEEP * quotient).clamp(_PUSH, 1)


class _Crowding(torch.autograd.Function):
    """The mean logarithm of codes' mean similarity to codes of other pairs, with its gradient: (2 n, k) -> ().

    By hand, since every pass over the matrix of similarities costs as much as its product.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        z = z - z.mean(dim=0)  # keeps the difference of squares below accurate
        squares, n = z.square().sum(dim=1), len(z)
        kernel = torch.addmm((squares + 1)[:, None] + squares, z, z.T, alpha=-2).clamp_min_(1).reciprocal_()
        kernel.view(n // 2, 2, n // 2, 2).diagonal(dim1=0, dim2=2).zero_()
        sums = kernel.sum(dim=1).clamp_min_(1e-30)
        ctx.save_for_backward(z, kernel, sums)
        return (sums / (n - 2)).log().mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        z, kernel, sums = ctx.saved_tensors
        shares = 1 / (len(z) * sums)
        forces = kernel.square().mul_(shares[:, None] + shares)
        towards: Tensor = forces.sum(dim=1, keepdim=True) * z - forces @ z
        return towards * (-2 * grad)
