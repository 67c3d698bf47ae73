"""Codes that draw given samples better than the encoder's: the decoder inverted, from the encoder's code on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_DAMPING = 0.1  # of the first step, as a share of the curvature along each number
_EASED, _RAISED = 1 / 3, 10.0  # what becomes of it after a step that gained, and of one that did not
_TRIES = 3  # of a step, each damped more
_MOVE = 0.05  # of a code's typical number: far enough to be told from rounding, near enough to be a slope
_MOST_SLOPES = 2**24  # numbers held at once: 64 MiB


def refine(draw: Callable[[Tensor], Tensor], x: Tensor, z: Tensor, n_steps: int) -> Tensor:
    """Move codes so that their drawings come nearer to samples, none further away: (n, values), (n, k) -> (n, k).

    Each step is one of Levenberg's and Marquardt's, of which what gains nothing is left out. Slopes are differences of
    drawings, so that whatever draws will do: ``draw`` (m, k) -> (m, values) is called with some k codes a sample.

    References
    ----------
    D. Marquardt (1963), "An algorithm for least-squares estimation of nonlinear parameters"; of autoencoders,
    C. Cremer, X. Li and D. Duvenaud (2018), "Inference suboptimality in variational autoencoders".
    """
    at_once = max(1, _MOST_SLOPES // (x.shape[1] * z.shape[1]))
    parts = zip(torch.split(x, at_once), torch.split(z, at_once), strict=True)
    return torch.cat([_refine_some(draw, *part, n_steps) for part in parts])


def _refine_some(draw: Callable[[Tensor], Tensor], x: Tensor, z: Tensor, n_steps: int) -> Tensor:
    """The same, of as many as memory holds slopes of."""
    n, k = z.shape
    drawn = draw(z)
    error = (x - drawn).square().sum(dim=1)
    damping = torch.full((n, 1, 1), _DAMPING)
    for _ in range(n_steps):
        move = _MOVE * z.square().mean(dim=1).sqrt()[:, None, None]
        move = torch.where(move > 0, move, _MOVE)
        moved = draw((z[:, None] + move * torch.eye(k)).flatten(0, 1)).view(n, k, -1)
        slopes = (moved - drawn[:, None]) / move
        curvature, ascent = slopes @ slopes.mT, slopes @ (x - drawn)[..., None]
        along = torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
        floor = 1e-6 * along.amax(dim=(1, 2), keepdim=True) * torch.eye(k)  # numbers that draw nothing stay
        todo = torch.ones(n, dtype=torch.bool)
        for _ in range(_TRIES):
            solved = torch.linalg.solve_ex(curvature + damping * (along + floor), ascent)[0]
            tried = z + solved[..., 0]
            new = draw(tried)
            new_error = (x - new).square().sum(dim=1)
            better = todo & (new_error < error)  # false where it is no number
            z, drawn = torch.where(better[:, None], tried, z), torch.where(better[:, None], new, drawn)
            error = torch.where(better, new_error, error)
            todo &= ~better
            damping = torch.where(todo[:, None, None], damping * _RAISED, damping)
            if not todo.any():
                break
        damping = torch.where(todo[:, None, None], damping, damping * _EASED)
    return z
