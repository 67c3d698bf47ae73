"""How weights move: Muon.

The steps of Muon are, on the problems here, worth several of Adam's each; ``docs/decisions`` has the figures.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

# N. Amsel, D. Persson, C. Musco and R. Gower (2025), "The Polar Express: Optimal matrix sign methods and their
# application to the Muon algorithm", its first coefficients for a smallest singular value of 1e-3: each triple
# (a, b, c) is the odd polynomial a x + b x^3 + c x^5 that, after those before it, brings [1e-3, 1] nearest to 1.
_POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)

# Orthogonalizing costs the cube of the smaller side, so larger matrices are taken in blocks of their rows. Two blocks
# learn as well as the whole. More of them make the step longer along what they have in common: four of 64 rows learn
# far worse than two of 128, and the whole of 256 hardly better; ``docs/decisions`` has the figures.
_MOST_WHOLE, _MOST_ROWS = 64, 128  # rows: of a matrix taken whole, and of a block
_MOMENTUM = 0.9  # the decay of the running mean of the matrices' gradients
_BETAS = (0.9, 0.99)  # Adam's decays, for the vectors
_VECTOR_RATIO = 0.1  # the vectors' learning rate over that of the matrices
_LEAST_SQUARE = 1e-37  # of a row's length, for its squares to be numbers of float32
# Networks with no more numbers than this in their matrices are held up by the number of operations: see `_Pack`.
_FEW_NUMBERS = 2**14


class Muon:
    """Orthogonalized momentum for weight matrices and kernels, Adam for every other parameter.

    A parameter of two or more dimensions is read as the matrix (shape[0], everything else). Its Nesterov momentum is
    replaced by (nearly) its polar factor, all singular values of order one, scaled by ``sqrt(rows / columns)``: a step
    changes the layer's output by `lr` whatever the layer's width. Matrices with more than 64 rows are taken in blocks
    of rows, two or more. Vectors (biases, the weights of normalization layers) take an Adam step of a tenth of `lr`.

    It is no `torch.optim.Optimizer`: making the first one of those imports PyTorch's compiler, which takes seconds.

    References
    ----------
    K. Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks".
    J. Bernstein (2025), "Deriving Muon": the scale of the step.
    D. P. Kingma and J. Ba (2015), "Adam: A method for stochastic optimization", algorithm 1.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, *, weight_decay: float = 0.0) -> None:
        self.lr = lr
        self.weight_decay = weight_decay  # each step first takes `lr * weight_decay` of the matrices away
        params = list(params)
        self._matrices = [p for p in params if p.ndim >= 2]
        self._vectors = [p for p in params if p.ndim < 2]
        few = sum(p.numel() for p in self._matrices) <= _FEW_NUMBERS
        self._pack = _Pack(self._matrices) if few and self._matrices else None
        self._momenta = self._pack.momenta if self._pack else [torch.zeros_like(p) for p in self._matrices]
        self._means = [torch.zeros_like(p) for p in self._vectors]
        self._squares = [torch.zeros_like(p) for p in self._vectors]
        self._n_steps = torch.zeros((), dtype=torch.int64)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in (*self._matrices, *self._vectors):
            p.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return what is remembered of former steps: one tensor each, not copied."""
        parts = {"momentum": self._momenta, "mean": self._means, "square": self._squares}
        named = {f"{name}.{i}": value for name, values in parts.items() for i, value in enumerate(values)}
        return {"n_steps": self._n_steps, **named}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Remember what another optimizer of parameters of these shapes did; `KeyError` if something is missing."""
        for name, value in self.state_dict().items():
            value.copy_(state[name])

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the present gradients; parameters without one stay."""
        self._n_steps += 1
        self._step_matrices()
        self._step_vectors()

    def _step_matrices(self) -> None:
        """Orthogonalized momentum."""
        used = [(p, mean) for p, mean in zip(self._matrices, self._momenta, strict=True) if p.grad is not None]
        if not used:
            return
        params, means = (list(column) for column in zip(*used, strict=True))
        if self.weight_decay:
            torch._foreach_mul_(params, 1 - self.lr * self.weight_decay)
        if self._pack is not None and len(params) == len(self._matrices):
            torch._foreach_add_(self._matrices, self._pack.directions(), alpha=-self.lr)
            return
        grads = [p.grad for p in params if p.grad is not None]
        torch._foreach_lerp_(means, grads, 1 - _MOMENTUM)
        ahead = torch._foreach_lerp(grads, means, _MOMENTUM)

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
                p.add_(direction.reshape(p.shape), alpha=-self.lr * (rows / columns) ** 0.5)

    def _step_vectors(self) -> None:
        """Adam."""
        states = zip(self._vectors, self._means, self._squares, strict=True)
        used = [state for state in states if state[0].grad is not None]
        if not used:
            return
        params, means, squares = (list(column) for column in zip(*used, strict=True))
        grads = [p.grad for p in params if p.grad is not None]
        first, second = _BETAS
        torch._foreach_lerp_(means, grads, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, grads, grads, 1 - second)
        n = int(self._n_steps)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, (1 - second**n) ** 0.5)
        torch._foreach_add_(roots, 1e-8)
        torch._foreach_addcdiv_(params, means, roots, -_VECTOR_RATIO * self.lr / (1 - first**n))


class _Pack:
    """The matrices of a small network side by side, so that a step takes few operations however many they are."""

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        self._matrices = matrices
        self._sizes = [p.numel() for p in matrices]
        n = sum(self._sizes)
        shapes = [(len(p), p[0].numel()) for p in matrices]
        rows, columns = max(min(shape) for shape in shapes), max(max(shape) for shape in shapes)
        device = matrices[0].device
        self._momentum = torch.zeros(n, device=device, dtype=torch.float32)
        self._ahead = torch.zeros(n + 1, device=device, dtype=torch.float32)  # the last stays zero: it fills gaps
        self.momenta = [part.view(p.shape) for part, p in zip(self._split(self._momentum), matrices, strict=True)]
        places = torch.full((len(matrices), rows, columns), n)
        scales = torch.empty(n, dtype=torch.float32)
        for place, numbers, scale, (height, width) in zip(
            places, self._split(torch.arange(n)), self._split(scales), shapes, strict=True
        ):
            matrix = numbers.view(height, width)
            matrix = matrix.mT if height > width else matrix
            place[: matrix.shape[0], : matrix.shape[1]] = matrix
            scale.fill_((height / width) ** 0.5)
        self._scales, self._places = scales.to(device), places.to(device)
        filled = places.flatten()
        back = torch.empty(n, dtype=torch.int64)
        back[filled[filled < n]] = (filled < n).nonzero().flatten()
        self._back = back.to(device)

    def _split(self, flat: Tensor) -> Sequence[Tensor]:
        """One part for each matrix."""
        return torch.split(flat, self._sizes)

    def directions(self) -> list[Tensor]:
        """Move the momenta by the present gradients; the scaled polar factors of what comes next, parameter-shaped."""
        grads = torch.cat([p.grad.flatten() for p in self._matrices if p.grad is not None])
        self._momentum.lerp_(grads, 1 - _MOMENTUM)
        torch.lerp(grads, self._momentum, _MOMENTUM, out=self._ahead[:-1])
        batch = self._ahead.index_select(0, self._places.flatten()).view(self._places.shape)
        flat = orthogonalize(batch).flatten().index_select(0, self._back).mul_(self._scales)
        return [part.view(p.shape) for part, p in zip(self._split(flat), self._matrices, strict=True)]


def _in_blocks(matrix: Tensor) -> Tensor:
    """Split a matrix into equal blocks of few enough rows, the last filled up with zeros: (blocks, rows, columns)."""
    n_blocks = 1 if matrix.shape[0] <= _MOST_WHOLE else max(2, -(-matrix.shape[0] // _MOST_ROWS))
    rows = -(-matrix.shape[0] // n_blocks)
    padding = n_blocks * rows - matrix.shape[0]
    padded = functional.pad(matrix, (0, 0, 0, padding)) if padding else matrix
    return padded.reshape(n_blocks, rows, matrix.shape[1])


def orthogonalize(matrices: Tensor) -> Tensor:
    """Replace the singular values of each matrix by numbers of order one: (batch, rows <= columns) of any number.

    A matrix of zeros stays one, and one whose squares float32 can't hold becomes one. Three steps leave the values
    between some 0.2 and 1.9: nearer to one, training gains nothing.
    """
    # On the Gram matrix of the smaller side, so that the large one is multiplied only twice, however many the steps.
    gram = torch.bmm(matrices, matrices.mT)
    # The root of the Gram matrix's Frobenius norm is the Schatten 4-norm: an upper bound of the largest singular
    # value, and a closer one than the Frobenius norm. Dividing by the largest entry first, which is on the diagonal,
    # keeps the fourth powers of very small or large gradients inside float32.
    peak = gram.diagonal(dim1=1, dim2=2).amax(1)[:, None, None].clamp_min_(_LEAST_SQUARE)
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
    return torch.bmm(total.mul_((peak > _LEAST_SQUARE) / (size.sqrt() * peak.sqrt())), matrices)  # type: ignore[union-attr]  # there are three steps
