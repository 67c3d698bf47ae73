"""Training shared by several processes: which part of a batch is whose, and how they come to the same step.

Each process of PyTorch's group (a rank) holds the whole network and takes its part of every batch. Batches, their
order and their random numbers are those of one process; gradients are added up before each step, and batch norm
compares the whole batch. So the weights are those of one process, but for the order in which floats are added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable

_FEW = 2**15  # numbers, whose exchange is a matter of delay and not of size
T = TypeVar("T")


class Share(NamedTuple):
    """The samples of a batch that are one process's: from `start` to `stop` of `whole`."""

    start: int
    stop: int
    whole: int

    @property
    def weight(self) -> float:
        """Its part of the whole."""
        return (self.stop - self.start) / self.whole

    def rows(self, x: Tensor) -> tuple[int, slice]:
        """How many rows the whole batch has, and which of them are those of `x`: as many a sample in both."""
        group = len(x) // (self.stop - self.start)
        return self.whole * group, slice(self.start * group, self.stop * group)


def rows_of(x: Tensor, share: Share | None) -> tuple[int, slice]:
    """The same, also where a batch is not shared."""
    return (len(x), slice(None)) if share is None else share.rows(x)


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, and which of them this is."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Ranks:
        """Those of PyTorch's group, where there is one."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this one writes, and speaks, for all."""
        return self.rank == 0

    def share(self, n: int) -> Share | None:
        """The part of n samples that is this process's; None of one alone."""
        if self.size == 1:
            return None
        if n < self.size:
            raise ValueError(
                f"batch_size must be at least the number of processes, got batches of {n} for {self.size}. "
                "Use larger batches, or fewer processes."
            )
        return Share(n * self.rank // self.size, n * (self.rank + 1) // self.size, n)

    def same(self, value: T) -> T:
        """What the first process has."""
        if self.size == 1:
            return value
        held: list[Any] = [value if self.is_first else None]
        distributed.broadcast_object_list(held, src=0)
        return held[0]

    def once(self, make: Callable[[], T]) -> T:
        """What the first process makes, for all."""
        held = [make()] if self.is_first else []
        return self.same(held)[0]

    def in_turn(self, make: Callable[[], T]) -> T:
        """What each process makes, the others after the first."""
        made = make() if self.is_first else None
        self.same(None)
        return make() if made is None else made

    def align(self, module: nn.Module) -> None:
        """Give a module the first process's weights."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, src=0)

    def add_up(self, parameters: Iterable[nn.Parameter], loss: Tensor, *, stop: bool) -> tuple[Tensor, bool]:
        """Replace gradients by their sums over all processes; the sum of the losses, and whether any is to stop.

        All that in one exchange: what each takes counts more than what it carries.
        """
        if self.size == 1:
            return loss, stop
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = _sum(torch.cat([*(grad.flatten() for grad in grads), loss.view(1), loss.new_tensor([stop])]))
        *parts, total, stops = torch.split(flat, [*(grad.numel() for grad in grads), 1, 1])
        torch._foreach_copy_(grads, [part.view(grad.shape) for part, grad in zip(parts, grads, strict=True)])
        return total[0], bool(stops > 0)


# ---- what depends on the whole batch -------------------------------------------------------------------------------


def everywhere(mean: Tensor, share: Share | None) -> Tensor:
    """A mean over this process's samples as that over all; its gradient is that of its own."""
    return mean if share is None else mean + (_sum(mean.detach() * share.weight) - mean.detach())


def gathered(rows: Tensor, share: Share | None) -> Tensor:
    """The rows of all processes. What each computes from these is the loss of all, not a mean over its own samples."""
    return rows if share is None else _Gathered.apply(rows, share)  # type: ignore[no-untyped-call]


class _Gathered(torch.autograd.Function):
    """Rows of all processes, in the order of the batch."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, share: Share) -> Tensor:
        n, ctx.part = share.rows(rows)
        ctx.weight = share.weight
        whole = rows.new_zeros(n, *rows.shape[1:])
        whole[ctx.part] = rows
        return _sum(whole)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        # The loop weighs each process's loss by its share; this one is already that of all.
        return grad[ctx.part] / ctx.weight, None


class _Summed(torch.autograd.Function):
    """The sum over processes, in both directions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _sum(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _sum(grad)


def _sum(x: Tensor) -> Tensor:
    """The sum over processes."""
    if x.numel() > _FEW:
        total = x.clone()
        distributed.all_reduce(total)
        return total
    # Of few numbers each process adds up those of all: one exchange, where a reduction is at least two.
    parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, x.contiguous())
    return torch.stack(parts).sum(dim=0)


def _whole_batch(layer: Any, x: Tensor) -> Tensor:
    """What batch norm gives that, while learning, compares the samples of all processes."""
    if not layer.training:
        return type(layer).forward(layer, x)
    over, across = (0, *range(2, x.ndim)), (1, -1, *[1] * (x.ndim - 2))
    # From the running mean, which all processes share: squares of what is far from zero would lose digits.
    y = x - layer.running_mean.view(across)
    n = y.new_tensor([y.numel() / y.shape[1]], dtype=torch.float64)
    sums = torch.cat([y.sum(dim=over, dtype=torch.float64), y.square().sum(dim=over, dtype=torch.float64), n])
    total = _Summed.apply(sums)  # type: ignore[no-untyped-call]
    n, (first, second) = total[-1].detach(), total[:-1].view(2, -1)
    mean = first / n
    variance = (second / n - mean.square()).clamp_min(0)
    with torch.no_grad():
        layer.num_batches_tracked.add_(1)
        layer.running_mean.add_(layer.momentum * mean)
        layer.running_var.lerp_((variance * n / (n - 1)).to(layer.running_var.dtype), layer.momentum)
    scale = layer.weight * (variance + layer.eps).rsqrt().to(y.dtype)
    offset = layer.bias - mean.to(y.dtype) * scale
    return (y * scale.view(across) + offset.view(across)).to(x.dtype)


@contextmanager
def whole_batches(module: nn.Module, ranks: Ranks) -> Iterator[None]:
    """Let a module's batch norm compare whole batches inside."""
    norms: list[Any] = [
        layer for layer in module.modules() if ranks.size > 1 and type(layer) in (nn.BatchNorm1d, nn.BatchNorm2d)
    ]
    for layer in norms:
        layer.forward = partial(_whole_batch, layer)
    try:
        yield
    finally:
        for layer in norms:
            del layer.forward  # its own instead of its class's
