"""Codes that draw given samples better than the encoder's: corrected by their drawings, or the decoder inverted."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from latentmap.models.base import AutoencoderModule

FURTHEST = 2.0  # times the way that an encoder and a decoder show
LEAST_GONE = 1e-4  # of the squares missed: where less is drawn anew, rounding would decide
_DAMPING, _LEAST_DAMPING = 0.1, 0.03  # shares of the curvature; with less, rounding decides where little is drawn
_EASED, _RAISED = 1 / 3, 10.0  # what becomes of it after a step that gained, and of one that did not
_TRIES = 3  # of a step, each damped more
_LEAST_GAIN = 1e-3  # of the error; a sample that gained less stays where it is
_MOVE = 0.05  # of a code's typical number: far enough to be told from rounding, near enough to be a slope
_MOST_HELD = 2**24  # numbers at once: 64 MiB

Draw = Callable[[Tensor], Tensor]


def twiced(module: AutoencoderModule, x: Tensor) -> Tensor:
    """Return the codes of samples, corrected by their drawings: (n, *sample_shape) -> (n, latent_dim).

    An encoder errs nearly the same on a sample and on what is drawn from its code, so that what it makes of the
    drawing shows the way: ``z + s (z - encoder(decoder(z)))``. How far to go is seen by drawing once more: each
    sample's ``s``, from 0 to 2, is that of the least squares if drawings moved straight on.

    References
    ----------
    J. W. Tukey (1977), "Exploratory data analysis": of smoothers, used again on what they left.
    """
    z = module.encode(x)
    drawn = module.decode(z)
    way = z - module.encode(drawn)
    missed, gone = (x - drawn).flatten(1), (module.decode(z + way) - drawn).flatten(1)
    squares = gone.square().sum(dim=1) + LEAST_GONE * missed.square().sum(dim=1)
    share = ((missed * gone).sum(dim=1) / squares).clamp(0, FURTHEST)[:, None]
    return torch.where(share > 0, z + share * way, z)  # not where it is no number


def refined(draw: Draw, x: Tensor, starts: Sequence[Tensor], n_steps: int) -> Tensor:
    """Return codes whose drawings are nearer to samples, none further away: (n, values), (n, k) -> (n, k).

    Each step is one of Levenberg's and Marquardt's, of which what gains nothing is left out. Slopes are differences of
    drawings, so that whatever draws will do: ``draw`` (m, k) -> (m, values) is called with some k codes a sample.
    Each begins from that of its `starts`, each (n, k), which is drawn best.

    References
    ----------
    D. Marquardt (1963), "An algorithm for least-squares estimation of nonlinear parameters"; of autoencoders,
    C. Cremer, X. Li and D. Duvenaud (2018), "Inference suboptimality in variational autoencoders".
    """
    k = starts[0].shape[1]
    at_once = max(1, _MOST_HELD // (k * (x.shape[1] + 4 * k)))
    parts = zip(*(torch.split(each, at_once) for each in (x, *starts)), strict=True)
    return torch.cat([_refine_some(draw, part, starts, n_steps) for part, *starts in parts])


def _refine_some(draw: Draw, x: Tensor, starts: Sequence[Tensor], n_steps: int) -> Tensor:
    """The same, of as many as memory holds."""
    z, *others = starts
    drawn, damping = draw(z), torch.full((len(z),), _DAMPING, dtype=z.dtype)
    error = _error(x, drawn)
    for other in others:
        new = draw(other)
        new_error = _error(x, new)
        z, drawn, error = _chosen(new_error < error, (other, new, new_error), (z, drawn, error))
    rows, found = torch.arange(len(z)), z.clone()
    for _ in range(n_steps):
        before = error
        z, drawn, error, damping = _step(draw, x, z, drawn, error, damping)
        found[rows] = z
        goes_on = error < (1 - _LEAST_GAIN) * before
        if not goes_on.any():
            break
        x, z, drawn, error, damping, rows = (one[goes_on] for one in (x, z, drawn, error, damping, rows))
    return found


def _step(
    draw: Draw, x: Tensor, z: Tensor, drawn: Tensor, error: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of each sample: its code, what is drawn from it, the error, and the damping of the next."""
    n, k = z.shape
    unit = torch.eye(k, dtype=z.dtype)
    move = _MOVE * z.square().mean(dim=1).sqrt()
    move = torch.where(move > 0, move, _MOVE)[:, None, None]
    slopes = (draw((z[:, None] + move * unit).flatten(0, 1)).view(n, k, -1) - drawn[:, None]) / move
    curvature, ascent = slopes @ slopes.mT, slopes @ (x - drawn)[..., None]
    level = curvature.diagonal(dim1=1, dim2=2).mean(dim=1)
    todo = torch.ones(n, dtype=torch.bool)
    for _ in range(_TRIES):
        moved = torch.linalg.solve_ex(curvature + (damping * level)[:, None, None] * unit, ascent)[0]
        tried = z + moved[..., 0]
        new = draw(tried)
        new_error = _error(x, new)
        better = todo & (new_error < error)  # false where it is no number
        z, drawn, error = _chosen(better, (tried, new, new_error), (z, drawn, error))
        todo &= ~better
        damping = torch.where(todo, damping * _RAISED, damping)
        if not todo.any():
            break
    return z, drawn, error, torch.where(todo, damping, (damping * _EASED).clamp_min(_LEAST_DAMPING))


def _chosen(better: Tensor, new: Sequence[Tensor], old: Sequence[Tensor]) -> list[Tensor]:
    """The new rows where they are better (n,), else the old."""
    return [torch.where(better.view(-1, *[1] * (one.ndim - 1)), one, two) for one, two in zip(new, old, strict=True)]


def _error(x: Tensor, drawn: Tensor) -> Tensor:
    """The summed squares of what is missed, (n,)."""
    return (x - drawn).square().sum(dim=1)
