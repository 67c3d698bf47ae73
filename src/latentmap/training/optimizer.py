"""How weights move: Muon, and the schedule of its learning rate.

The steps of Muon are, on the problems here, worth several of Adam's each; ``docs/decisions`` has the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.nn import functional

# The first coefficients of the Polar Express (Amsel et al. 2025, for a smallest singular value of 1e-3): each triple
# (a, b, c) is the odd polynomial a x + b x^3 + c x^5 that, after those before it, brings [1e-3, 1] nearest to 1.
_POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)

# Orthogonalizing costs the cube of the smaller side. Larger matrices are orthogonalized block by block of their rows,
# which learns as well per step and is several times quicker.
_MOST_ROWS = 64

MATRIX_STATE = ("momentum",)  # what `Muon` keeps of each matrix
VECTOR_STATE = ("step", "mean", "square")  # and of each vector


class Muon(torch.optim.Optimizer):
    """Orthogonalized momentum for weight matrices and kernels, Adam for every other parameter.

    A parameter of two or more dimensions is read as the matrix (shape[0], everything else). Its Nesterov momentum is
    replaced by (nearly) its polar factor, all singular values of order one, scaled by ``sqrt(rows / columns)``: a step
    changes the layer's output by `lr` whatever the layer's width. Matrices with more than 64 rows are taken in blocks
    of rows. Vectors (biases, the weights of normalization layers) take an Adam step of ``vector_ratio * lr``.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        The parameters or groups of them, as every PyTorch optimizer takes them.
    lr : float
        The learning rate, which a schedule may change.
    momentum : float, default 0.9
        The decay of the running mean of the matrices' gradients.
    vector_ratio : float, default 0.1
        The vectors' learning rate over `lr`.
    betas : (float, float), default (0.9, 0.99)
        Adam's decays, for the vectors.
    weight_decay : float, default 0
        Each step first takes ``lr * weight_decay`` of the matrices away.

    References
    ----------
    K. Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks".
    J. Bernstein (2025), "Deriving Muon": the scale of the step.
    D. P. Kingma and J. Ba (2015), "Adam: A method for stochastic optimization", algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.9,
        vector_ratio: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"momentum": momentum, "vector_ratio": vector_ratio, "betas": betas, "weight_decay": weight_decay}
        super().__init__(params, {"lr": lr, **settings})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step along the present gradients; `closure`, where given, reevaluates the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            used = [p for p in group["params"] if p.grad is not None]
            self._step_matrices([p for p in used if p.ndim >= 2], group)
            self._step_vectors([p for p in used if p.ndim < 2], group)
        return loss

    def _step_matrices(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """Orthogonalized momentum."""
        if not params:
            return
        for p in params:
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        grads = [p.grad for p in params if p.grad is not None]
        means = [self.state[p]["momentum"] for p in params]
        torch._foreach_lerp_(means, grads, 1 - group["momentum"])
        ahead = torch._foreach_lerp(grads, means, group["momentum"])

        if group["weight_decay"]:
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        # Matrices that are equal in shape once each lies on its side share their matrix products.
        batches = defaultdict(list)
        for p, update in zip(params, ahead, strict=True):
            matrix = update.flatten(1)
            flipped = matrix.shape[0] > matrix.shape[1]
            blocks = _in_blocks(matrix.mT if flipped else matrix)
            batches[blocks.shape[1:]].append((p, blocks, flipped))
        for batch in batches.values():
            factors = orthogonalize(torch.cat([blocks for _, blocks, _ in batch]))
            sizes = [len(blocks) for _, blocks, _ in batch]
            for (p, _, flipped), factor in zip(batch, torch.split(factors, sizes), strict=True):
                matrix = factor.flatten(0, 1)[: min(p.shape[0], p[0].numel())]
                direction = matrix.mT if flipped else matrix
                rows, columns = direction.shape
                p.add_(direction.reshape(p.shape), alpha=-group["lr"] * (rows / columns) ** 0.5)

    def _step_vectors(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """Adam."""
        if not params:
            return
        for p in params:
            if "step" not in self.state[p]:
                self.state[p].update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        grads = [p.grad for p in params if p.grad is not None]
        means = [self.state[p]["mean"] for p in params]
        squares = [self.state[p]["square"] for p in params]
        first, second = group["betas"]
        torch._foreach_lerp_(means, grads, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, grads, grads, 1 - second)
        roots = torch._foreach_sqrt(squares)
        for p, mean, root in zip(params, means, roots, strict=True):
            state = self.state[p]
            state["step"] += 1
            rate = group["vector_ratio"] * group["lr"] / (1 - first ** state["step"])
            root.div_((1 - second ** state["step"]) ** 0.5).add_(1e-8)
            p.addcdiv_(mean, root, value=-rate)


def _in_blocks(matrix: Tensor) -> Tensor:
    """Split a matrix into equal blocks of few enough rows, the last filled up with zeros: (blocks, rows, columns)."""
    n_blocks = -(-matrix.shape[0] // _MOST_ROWS)
    rows = -(-matrix.shape[0] // n_blocks)
    padding = n_blocks * rows - matrix.shape[0]
    padded = functional.pad(matrix, (0, 0, 0, padding)) if padding else matrix
    return padded.reshape(n_blocks, rows, matrix.shape[1])


def orthogonalize(matrices: Tensor) -> Tensor:
    """Replace the singular values of each matrix by numbers of order one.

    Three steps leave them between some 0.2 and 1.9; more would bring them nearer to one, and training gains nothing
    by it. The iteration is carried out on the Gram matrix of the smaller side, so that the large matrix is multiplied
    only twice, however many the steps.

    Parameters
    ----------
    matrices : Tensor, shape (batch, rows, columns)
        With rows <= columns.

    Returns
    -------
    Tensor, shape (batch, rows, columns)
        The approximate polar factors. A matrix of zeros stays one.

    References
    ----------
    K. Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks".
    N. Amsel, D. Persson, C. Musco and R. Gower (2025), "The Polar Express: Optimal matrix sign methods and their
    application to the Muon algorithm".
    """
    gram = torch.bmm(matrices, matrices.mT)
    # The root of the Gram matrix's Frobenius norm is the Schatten 4-norm: an upper bound of the largest singular
    # value, and a closer one than the Frobenius norm. Dividing by the largest entry first, which is on the diagonal,
    # keeps the fourth powers of very small or large gradients inside float32.
    peak = gram.diagonal(dim1=1, dim2=2).amax(1)[:, None, None].clamp_min_(1e-37)
    gram /= peak
    size = torch.linalg.matrix_norm(gram, keepdim=True).clamp_min_(1e-30).mul_(1.02)
    gram /= size
    total: Tensor | None = None
    for i, (a, b, c) in enumerate(_POLAR_EXPRESS, start=1):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        total = factor if total is None else factor @ total
        if i < len(_POLAR_EXPRESS):
            gram = factor @ gram @ factor
    polar: Tensor = torch.bmm(total.div_(size.sqrt() * peak.sqrt()), matrices)  # type: ignore[union-attr]  # there are three steps
    return polar


def linear_decay(step: int, n_steps: int) -> float:
    """Return the share of the highest learning rate at a step (from 0): from one straight down to nearly zero."""
    return 1 - (step + 0.5) / n_steps
