"""Who is whose neighbour in the training data: the k nearest of every sample.

Samples are compared in their first principal components, by the Euclidean distance. Images may be compared up to small
affine maps besides: differences in the plane that these span around each image (its tangents) then do not count.

What belongs here: finding neighbours before anything is learned. How well codes keep them is measured in ``analysis``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from latentmap.errors import MissingExtraError
from latentmap.training.runtime import stop_if_told

if TYPE_CHECKING:
    from latentmap.training.batches import BatchesBase

_COMPONENTS = 50
_EXACT = 200_000  # samples up to which all pairs are compared
_GROUP = 64  # columns searched together
_BLOCK_NUMBERS = 2**26  # of distances held at once
_CANDIDATES = 4  # times as many neighbours are looked at again, with tangents
_MOST_VALUES = 4096  # larger images are made smaller first
_PCA_NUMBERS = 2**25  # in the samples that components are computed from
_RIDGE = 1e-3  # of a tangent's length: what is moved far is no longer the same


def neighbour_graph(batches: BatchesBase, n_neighbors: int, *, affine: bool = False) -> Tensor:
    """The nearest training samples of every sample, of the validation part too: row numbers (n, k), the nearest first.

    References
    ----------
    P. Simard, Y. LeCun and J. Denker (1993), "Efficient pattern recognition using a new transformation distance":
    the one-sided tangent distance.
    """
    reduce = _Reduction(batches)
    # Filled piece by piece: what is streamed from a file is never held.
    first = torch.cat([reduce(x) for x in batches.everything()])
    trained = batches.train_rows
    k = min(n_neighbors, len(trained) - 1)
    if k < 1:
        raise ValueError(f"objective='neighbors' needs at least 2 training samples, got {len(trained)}.")
    affine = affine and reduce.is_images
    wanted = min(_CANDIDATES * k, len(trained) - 1) if affine else k
    candidates = _nearest(first, trained, wanted)
    return _nearest_by_tangents(batches, reduce, first, candidates, k) if affine else candidates.int()


class _Reduction:
    """From network input to principal components, of the samples' and of their changes: (n, *shape) -> (n, 50)."""

    def __init__(self, batches: BatchesBase) -> None:
        from sklearn.decomposition import PCA  # takes a quarter of a second, and only maps need it

        self._factor = 1
        some = batches.some()
        self.is_images = some.ndim == 4
        if self.is_images:
            while some[0, :, :: self._factor, :: self._factor].numel() > _MOST_VALUES:
                self._factor += 1
        rows = self.flat(some)
        rows = rows[: max(_COMPONENTS, _PCA_NUMBERS // rows.shape[1])]
        n_components = min(_COMPONENTS, *rows.shape)
        # The seed matters for wide data only, where components are approximated.
        with np.errstate(divide="ignore", invalid="ignore"):  # scikit-learn divides by the variance, which may be none
            pca = PCA(n_components, random_state=0).fit(rows.numpy())
        self._mean, self._components = (torch.from_numpy(a.astype(np.float32)) for a in (pca.mean_, pca.components_.T))

    def flat(self, x: Tensor) -> Tensor:
        """Samples as rows, images made smaller where they are large."""
        x = x.cpu()
        return (functional.avg_pool2d(x, self._factor, ceil_mode=True) if self._factor > 1 else x).flatten(1)

    def __call__(self, x: Tensor) -> Tensor:
        return (self.flat(x) - self._mean) @ self._components

    def tangents(self, x: Tensor) -> Tensor:
        """What a little shifting, turning, stretching and shearing changes: (n, c, h, w) -> (n, 6, 50)."""
        x = x.cpu()
        _, _, height, width = x.shape
        soft = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)  # a pixel's neighbours say where it moves
        down, across = torch.zeros_like(soft), torch.zeros_like(soft)  # at the edge, and where there is but one row
        down[:, :, 1:-1] = soft[:, :, 2:] - soft[:, :, :-2]
        across[..., 1:-1] = soft[..., 2:] - soft[..., :-2]
        y, z = (torch.linspace(-1, 1, n, dtype=torch.float32) for n in (height, width))
        y = y[:, None]
        changes = torch.stack([across, down, z * across, y * down, z * down, y * across], dim=1)
        flat = self.flat(changes.flatten(0, 1))
        return torch.mm(flat, self._components).view(len(x), 6, -1)


def _nearest(points: Tensor, trained: Tensor, k: int) -> Tensor:
    """The k nearest trained points of each point, itself left out: int64, (n, k)."""
    if len(points) > _EXACT:
        return _nearest_approximately(points, trained, k)
    targets = points[trained]
    n = len(targets)
    padding = -n % _GROUP
    offsets = functional.pad(targets.square().sum(dim=1), (0, padding), value=torch.inf)
    across = functional.pad(targets, (0, 0, 0, padding)).T.contiguous()
    own = torch.full((len(points),), -1)
    own[trained] = torch.arange(n)
    block = max(1, min(1024, _BLOCK_NUMBERS // (n + padding)))
    distances = torch.empty(block, n + padding, dtype=torch.float32)
    within = torch.arange(_GROUP)
    found = []
    for rows in torch.split(torch.arange(len(points)), block):
        stop_if_told()
        part = distances[: len(rows)]
        torch.addmm(offsets, points[rows], across, alpha=-2, out=part)
        itself = own[rows]
        known = itself >= 0
        part[known.nonzero().flatten(), itself[known]] = torch.inf
        # The k nearest lie in the k groups with the nearest members: far fewer numbers need sorting.
        nearest = part.view(len(rows), -1, _GROUP).amin(dim=2)
        groups = nearest.topk(min(k, nearest.shape[1]), largest=False, sorted=False).indices
        columns = (groups[:, :, None] * _GROUP + within).flatten(1)
        order = part.gather(1, columns).topk(k, largest=False).indices
        found.append(trained[columns.gather(1, order)])
    return torch.cat(found)


def _nearest_approximately(points: Tensor, trained: Tensor, k: int) -> Tensor:
    """The same by nearest-neighbour descent, nearly."""
    try:
        from pynndescent import NNDescent
    except ImportError as error:
        raise MissingExtraError.of(
            f"objective='neighbors' with more than {_EXACT:,} samples", "pynndescent", "neighbors"
        ) from error
    index = NNDescent(points[trained].numpy(), n_neighbors=k + 1, random_state=0)
    found = torch.empty(len(points), k, dtype=torch.int64)
    near = torch.from_numpy(np.asarray(index.neighbor_graph[0], dtype=np.int64))
    itself = near == torch.arange(len(trained))[:, None]
    itself[~itself.any(dim=1), -1] = True  # among more than k equals a point may not find itself
    found[trained] = trained[near[~itself].view(-1, k)]
    others = torch.ones(len(points), dtype=torch.bool)
    others[trained] = False
    if others.any():
        queried = np.asarray(index.query(points[others].numpy(), k=k)[0], dtype=np.int64)
        found[others] = trained[torch.from_numpy(queried)]
    return found


def _nearest_by_tangents(
    batches: BatchesBase, reduce: _Reduction, points: Tensor, candidates: Tensor, k: int
) -> Tensor:
    """The k nearest of each image's candidates where the image may be moved: int32, (n, k)."""
    found = torch.empty(len(points), k, dtype=torch.int32)
    start = 0
    for x in batches.everything():
        for piece in torch.split(x, 1024):
            stop_if_told()
            rows = torch.arange(start, start + len(piece))
            start += len(piece)
            difference = points[candidates[rows]] - points[rows][:, None]  # (n, candidates, 50)
            tangents = reduce.tangents(piece)
            gram = torch.bmm(tangents, tangents.mT)
            size = gram.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
            gram += (_RIDGE * size + 1e-12) * torch.eye(6, dtype=torch.float32)
            factor = torch.linalg.cholesky(gram)
            along = torch.linalg.solve_triangular(factor, torch.bmm(tangents, difference.mT), upper=False)
            left = difference.square().sum(dim=2) - along.square().sum(dim=1)
            nearest = left.topk(k, largest=False).indices
            found[rows] = candidates[rows].gather(1, nearest).int()
    return found
