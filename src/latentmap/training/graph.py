"""Who is whose neighbour in the training data: the k nearest of every sample.

Samples are compared in their first principal components, by the Euclidean distance. Images may be compared up to small
affine maps besides: differences in the planes that these span around both images (their tangents) then do not count.

What belongs here: finding neighbours before anything is learned. How well codes keep them is measured in ``analysis``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from latentmap.training.components import find_components
from latentmap.training.runtime import stop_if_told

if TYPE_CHECKING:
    from latentmap.training.batches import Batches

_COMPONENTS = 50
_ALL = 10_000  # samples up to which all pairs are compared
_FOUND = 0.97  # of the neighbours of some samples, where there are more
_SOME = 512  # samples
_ROUNDS = 2  # of k-means
_GROUP = 64  # columns searched together
_DISTANCES = 2**26  # held at once
_BLOCK = 1024  # samples compared at a time
_FEW = 4  # times as many images as neighbours are looked at with the tangents of both
_CANDIDATES = 16  # times as many before with those of one, or fewer, down to `_FEW` times:
_SHARE = 0.01  # of the samples; of some hundred faces a fifth would be faces of all kinds
_MOST_VALUES = 4096  # larger images are made smaller first
_PIXELS = 256  # moved at a time
_PAIRS = 8192  # of images looked at again at a time
_RIDGE = 0.005  # of a squared tangent: what moves far is no longer the same, and small images hold little else


def neighbour_graph(batches: Batches, n_neighbors: int, *, affine: bool = False) -> Tensor:
    """The nearest training samples of every sample, of the validation part too: row numbers (n, k), the nearest first.

    References
    ----------
    P. Simard, Y. LeCun and J. Denker (1993), "Efficient pattern recognition using a new transformation distance":
    the tangent distance, one-sided and two-sided.
    """
    trained = batches.train_rows
    k = min(n_neighbors, len(trained) - 1)
    if k < 1:
        raise ValueError(f"objective='neighbors' needs at least 2 training samples, got {len(trained)}.")
    reduce = _Reduction(batches)
    # Filled piece by piece: of what is streamed from a file only components, and below tangents, are held.
    first = torch.cat([reduce(x) for x in batches.everything()])
    affine = affine and reduce.is_images
    if not affine:
        return _nearest(first, trained, k)
    wanted = max(_FEW * k, min(_CANDIDATES * k, int(_SHARE * len(trained))))
    candidates = _nearest(first, trained, min(wanted, len(trained) - 1))
    # Held of all images, since each is compared with others from all over the data.
    tangents, start = torch.empty(len(first), 6, first.shape[1], dtype=torch.float32), 0
    for x in batches.everything():
        stop_if_told()
        tangents[start : start + len(x)] = reduce.tangents(x)
        start += len(x)
    return _nearest_by_tangents(first, tangents, candidates, k)


class _Reduction:
    """From network input to principal components, of the samples' and of their changes: (n, *shape) -> (n, 50)."""

    def __init__(self, batches: Batches) -> None:
        self._factor = 1
        some = batches.some()
        self.is_images = some.ndim == 4
        if self.is_images:
            while some[0, :, :: self._factor, :: self._factor].numel() > _MOST_VALUES:
                self._factor += 1
        self._shape = self._smaller(some[:1]).shape[1:]
        rows = self._smaller(some).flatten(1)
        found = find_components(rows, [rows], len(rows), _COMPONENTS)
        self._mean, self._components = found.mean, found.directions.T

    def _smaller(self, x: Tensor) -> Tensor:
        """Samples where they are compared, images made smaller where they are large."""
        return functional.avg_pool2d(x.cpu(), self._factor, ceil_mode=True) if self._factor > 1 else x.cpu()

    def __call__(self, x: Tensor) -> Tensor:
        return (self._smaller(x).flatten(1) - self._mean) @ self._components

    def tangents(self, x: Tensor) -> Tensor:
        """What a little shifting, turning, stretching and shearing changes: (n, c, h, w) -> (n, 6, 50)."""
        return (self._smaller(x).flatten(1) @ self._changes).view(len(x), 6, -1)

    @cached_property
    def _changes(self) -> Tensor:
        """The same as a matrix, (c h w, 300): of images with a single bright pixel, for it is linear."""
        pixels = torch.eye(self._shape.numel(), dtype=torch.float32).view(-1, *self._shape)
        return torch.cat([self._changes_of(part).flatten(1) for part in torch.split(pixels, _PIXELS)])

    def _changes_of(self, x: Tensor) -> Tensor:
        """What moving changes, by finite differences: (n, c, h, w) -> (n, 6, 50)."""
        _, _, height, width = x.shape
        soft = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)  # a pixel's neighbours say where it moves
        down, across = torch.zeros_like(soft), torch.zeros_like(soft)  # at the edge, and where there is but one row
        down[:, :, 1:-1] = soft[:, :, 2:] - soft[:, :, :-2]
        across[..., 1:-1] = soft[..., 2:] - soft[..., :-2]
        y, z = (torch.linspace(-1, 1, n, dtype=torch.float32) for n in (height, width))
        y = y[:, None]
        changes = torch.stack([across, down, z * across, y * down, z * down, y * across], dim=1)
        return changes.flatten(2) @ self._components


def _nearest(points: Tensor, trained: Tensor, k: int) -> Tensor:
    """The k nearest trained points of each point, itself left out: int32, (n, k), the nearest first.

    Of many points those in cells around a point's own are compared, as many as hold `_FOUND` of the neighbours that a
    comparison of all finds for some: few where data lies on a thin sheet, all where it fills its space.
    """
    if len(trained) > _ALL:
        generator = torch.Generator().manual_seed(0)
        centres = _centres(points[trained], generator)
        home = _nearest_centre(points, centres)
        near = torch.cdist(centres, centres).fill_diagonal_(-1).argsort(dim=1)  # of each cell all, itself first
        reached = home[trained].bincount(minlength=len(centres))[near].cumsum(dim=1)  # trained, in so many of them
        some = torch.randperm(len(points), generator=generator)[:_SOME]
        enough = _enough(points, trained, some, home, near, reached, k)
        if enough <= len(trained) // 2:
            n_cells = (reached < max(enough, k + 1)).sum(dim=1) + 1
            around = [cells[:n] for cells, n in zip(near, n_cells.tolist(), strict=True)]
            return _nearest_by_cells(points, trained, home, around, k)
    return _nearest_among(points, trained, torch.arange(len(points)), k)


def _enough(points: Tensor, trained: Tensor, some: Tensor, home: Tensor, near: Tensor, reached: Tensor, k: int) -> int:
    """How many trained points around a cell hold most neighbours of those in it, measured on some points."""
    homes = home[_nearest_among(points, trained, some, k)]  # cells of the neighbours, (some, k)
    rank = near.argsort(dim=1)  # of each cell how soon each other one comes
    until = reached.gather(1, rank)[home[some][:, None], homes]  # points in all cells up to a neighbour's
    return int(until.float().quantile(_FOUND))


def _nearest_by_cells(points: Tensor, trained: Tensor, home: Tensor, around: Sequence[Tensor], k: int) -> Tensor:
    """The same, of those in the cells around each point's own."""
    found = torch.empty(len(points), k, dtype=torch.int32)
    members = _by_cell(trained, home, len(around))
    for cells, rows in zip(around, _by_cell(torch.arange(len(points)), home, len(around)), strict=True):
        if len(rows):  # else a centre that no point is next to, as where many are equal
            found[rows] = _nearest_among(points, torch.cat([members[cell] for cell in cells]), rows, k)
    return found


def _by_cell(rows: Tensor, home: Tensor, n: int) -> Sequence[Tensor]:
    """Which of some rows are in each of n cells."""
    cells = home[rows]
    return torch.split(rows[cells.argsort(stable=True)], cells.bincount(minlength=n).tolist())


def _centres(points: Tensor, generator: torch.Generator) -> Tensor:
    """Points around which others lie, a square root of their number: by a little k-means."""
    n = round(len(points) ** 0.5)
    centres = points[torch.randperm(len(points), generator=generator)[:n]]
    for _ in range(_ROUNDS):
        home = _nearest_centre(points, centres)
        sums = torch.zeros_like(centres).index_add_(0, home, points)
        sizes = home.bincount(minlength=n)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return centres


def _nearest_centre(points: Tensor, centres: Tensor) -> Tensor:
    """Of each point the number of the centre next to it: int64, (n,)."""
    return torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in torch.split(points, _BLOCK)])


def _nearest_among(points: Tensor, among: Tensor, rows: Tensor, k: int) -> Tensor:
    """The k nearest to some rows' points among those of others, a row itself left out: row numbers, (rows, k)."""
    n, padding = len(among), -len(among) % _GROUP
    # Squared distances less the points' own squares: the products of (1, point) and (target's square, -2 target).
    targets = points[among]
    squares = functional.pad(targets.square().sum(dim=1), (0, padding), value=torch.inf)
    across = torch.cat([squares[None], functional.pad(-2 * targets, (0, 0, 0, padding)).T])
    place = torch.full((len(points),), -1)
    place[among] = torch.arange(n)
    within, found = torch.arange(_GROUP), []
    parts = torch.split(rows, max(1, min(_BLOCK, _DISTANCES // (n + padding))))
    held = torch.empty(len(parts[0]), n + padding, dtype=torch.float32)
    for part in parts:
        stop_if_told()
        distances = torch.mm(functional.pad(points[part], (1, 0), value=1), across, out=held[: len(part)])
        own = place[part]
        distances[own >= 0, own[own >= 0]] = torch.inf
        # The k nearest lie in the k groups with the nearest members: far fewer numbers need sorting.
        least = distances.view(len(part), -1, _GROUP).amin(dim=2)
        groups = least.topk(min(k, least.shape[1]), largest=False, sorted=False).indices
        columns = (groups[:, :, None] * _GROUP + within).flatten(1)
        order = distances.gather(1, columns).topk(k, largest=False).indices
        found.append(among[columns.gather(1, order)].int())
    return torch.cat(found)


def _nearest_by_tangents(points: Tensor, tangents: Tensor, candidates: Tensor, k: int) -> Tensor:
    """The k nearest of each image's candidates where both may be moved: int32, (n, k).

    A few are chosen by what is left of the difference outside the plane of the image's own tangents, which takes far
    less time; of these the nearest outside the planes of both.
    """
    gram = torch.bmm(tangents, tangents.mT)
    size = gram.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    gram += (_RIDGE * size + 1e-12) * torch.eye(6, dtype=torch.float32)
    few = min(_FEW * k, candidates.shape[1])
    found = []
    for rows in torch.split(torch.arange(len(points)), max(1, _PAIRS // few)):
        stop_if_told()
        # Six directions that span the plane, none longer than 1, so that what they leave of another's is never less
        # than the ridge, and can be factored.
        plane = torch.linalg.solve_triangular(torch.linalg.cholesky(gram[rows]), tangents[rows], upper=False)
        among = candidates[rows].long()
        difference = points[among] - points[rows][:, None]  # (rows, candidates, 50)
        along = torch.bmm(difference, plane.mT)
        left = difference.square().sum(dim=2) - along.square().sum(dim=2)
        left, chosen = left.topk(few, largest=False)
        among = among.gather(1, chosen)
        # Of the other image's tangents, and of the difference along them, what lies outside the image's own plane.
        theirs = tangents[among]  # (rows, few, 6, 50)
        shared = torch.bmm(theirs.flatten(1, 2), plane.mT).view(-1, 6, 6)
        factor = torch.linalg.cholesky(gram[among].view(-1, 6, 6) - torch.bmm(shared, shared.mT))
        outside = (difference - torch.bmm(along, plane)).gather(1, chosen[:, :, None].expand(-1, -1, points.shape[1]))
        theirs_along = torch.bmm(theirs.flatten(0, 1), outside.flatten(0, 1)[:, :, None])
        left -= torch.linalg.solve_triangular(factor, theirs_along, upper=False).square().sum(dim=(1, 2)).view_as(left)
        found.append(among.gather(1, left.topk(k, largest=False).indices).int())
    return torch.cat(found)
