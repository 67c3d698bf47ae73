"""Principal components of samples, found in one pass over them: where networks start."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from torch import Tensor

from latentmap.models.base import Components

# Samples of no more numbers than this have a covariance matrix that is small and soon decomposed.
_COVARIANCE_VALUES = 4096
_MOST_PRODUCTS = 2**37  # for that matrix: of more samples, evenly spaced ones are taken
_EXACT_VALUES = 512  # for which float64 takes no time worth saving
_MOST_NUMBERS = 2**27  # in the samples that components are otherwise found from
_LEAST_VARIANCE = 1e-12  # over the largest: no direction, but rounding

Found = tuple[Tensor, NDArray[np.float64], NDArray[np.float64]]
"""The mean, (n_values,), and components by falling variance: variances, (k,), and directions, (k, n_values)."""


def find_components(some: Tensor, pieces: Iterable[Tensor], n: int, k: int) -> Components:
    """The mean and the first k components of n samples that come in pieces; `some` are of all over them."""
    n_values, near, k = some[0].numel(), some.mean(dim=0), min(k, n)
    if k == 0:
        return Components(near, near.new_empty(0, n_values), near.new_empty(0))
    if n_values <= _COVARIANCE_VALUES:
        every = -(-n * n_values**2 // _MOST_PRODUCTS)
        mean, variances, directions = _by_covariance((x.flatten(1)[::every] for x in pieces), near.flatten(), k)
    elif n * n_values <= _MOST_NUMBERS:
        mean, variances, directions = _by_rows(torch.cat([x.flatten(1).cpu() for x in pieces]), k)
    else:
        mean, variances, directions = _by_rows(some[:: -(-some.numel() // _MOST_NUMBERS)].flatten(1).cpu(), k)
    kept = variances > _LEAST_VARIANCE * max(variances.max(initial=0.0), 1e-300)
    found = (directions[kept], np.sqrt(variances[kept]))
    tensors = (torch.from_numpy(array.astype(np.float32)).to(some.device) for array in found)
    return Components(mean.view(some.shape[1:]).to(some.device), *tensors)


def _by_covariance(pieces: Iterable[Tensor], near: Tensor, k: int) -> Found:
    """Of rows of few values, nearly exactly; `near` is near the mean, so that rounding is small."""
    if near.device.type == "mps":  # which has no float64
        near, pieces = near.cpu(), (piece.cpu() for piece in pieces)
    n, total, products = 0, torch.zeros_like(near, dtype=torch.float64), None
    for piece in pieces:
        rows = piece - near
        rows = rows.double() if len(near) <= _EXACT_VALUES else rows
        n, total = n + len(rows), total + rows.sum(dim=0, dtype=torch.float64)
        products = (rows.T @ rows).double().add_(0.0 if products is None else products)
    if products is None:
        raise ValueError("no samples to find components of")
    mean = total / n
    covariance = products.div_(n).sub_(torch.outer(mean, mean))
    return (near + mean).float(), *_largest(covariance.cpu().numpy(), k)


def _largest(covariance: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The k largest eigenvalues and their eigenvectors, as rows."""
    n = len(covariance)
    k = min(k, n)
    if n <= 1024 or 32 * k > n:  # of few, Arnoldi's iteration is quicker
        values, vectors = eigh(covariance, subset_by_index=(n - k, n - 1))
    else:
        values, vectors = eigsh(covariance, k, v0=np.ones(n))  # begins anywhere, but always there
        order = values.argsort()
        values, vectors = values[order], vectors[:, order]
    return values[::-1].clip(0), np.ascontiguousarray(vectors.T[::-1])


def _by_rows(rows: Tensor, k: int) -> Found:
    """Of rows of many values, nearly; the rows are centred in place."""
    from sklearn.utils.extmath import randomized_svd  # takes long to import, and is seldom needed

    mean = rows.mean(dim=0)
    _, singular, directions = randomized_svd(rows.sub_(mean).numpy(), min(k, *rows.shape), random_state=0)
    return mean, singular.astype(np.float64) ** 2 / len(rows), directions
