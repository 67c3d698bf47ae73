"""Layers that compute what PyTorch's do, faster on a processor.

PyTorch's transposed convolution is its slowest layer on a processor: it spreads every pixel over a 3x3 patch. Here
that is an ordinary 2x2 convolution and a rearrangement, or, for few output channels, one matrix product and the
addition of what overlaps. Parameters, state and the function computed are those of the plain layer.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# With fewer output channels than this a matrix product is quicker, over at most so many neighbouring input columns.
_FEW_CHANNELS = 4
_MOST_COLUMNS = 8


class DoublingConvTranspose2d(nn.ConvTranspose2d):
    """A 3x3 transposed convolution of stride 2, quick where it doubles the image's size.

    Takes the place of `torch.nn.ConvTranspose2d` with ``kernel_size=3, stride=2, padding=1``; weights interchange.
    For an odd output size, on other devices and in exported graphs it is the plain layer.
    """

    def __init__(self, in_channels: int, out_channels: int, *, output_padding: tuple[int, int], bias: bool) -> None:
        super().__init__(in_channels, out_channels, 3, stride=2, padding=1, output_padding=output_padding, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002  # PyTorch's name
        """Return images of twice the height and width: (n, in_channels, h, w) -> (n, out_channels, 2h, 2w)."""
        doubles = self.output_padding == (1, 1) and output_size is None
        # An exported graph should say what the layer is, not how it is best computed here.
        if not doubles or input.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(input, output_size)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):  # which looks at PyTorch's own layers alone
            quick = torch.get_autocast_dtype("cpu")
            input, weight = input.to(quick), weight.to(quick)  # noqa: A001
        output: Tensor = _Spread.apply(input, weight)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        return output if self.bias is None else output + self.bias.view(-1, 1, 1)


class _Spread(torch.autograd.Function):
    """The transposed convolution itself, with its gradients."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(small, weight)
        few = weight.shape[1] < _FEW_CHANNELS
        return _spread_by_product(small, weight) if few else _spread_by_convolution(small, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        small, weight = ctx.saved_tensors
        # The adjoint of spreading is the plain convolution of stride 2.
        grad_small = functional.conv2d(grad, weight, None, 2, 1) if ctx.needs_input_grad[0] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = torch.ops.aten.convolution_backward(
                small, grad, weight, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, [False, True, False]
            )[1]
        return grad_small, grad_weight


def _spread_by_convolution(small: Tensor, weight: Tensor) -> Tensor:
    """(n, S, h, w) images and an (S, L, 3, 3) kernel -> (n, L, 2h, 2w)."""
    n, _, height, width = small.shape
    channels = weight.shape[1]
    # Padded to 4x4, the kernel is 2x2 blocks of 2x2 taps: each block sends one pixel of the small image to the four
    # pixels of one cell of the large one.
    blocks = functional.pad(weight, (1, 0, 1, 0)).view(*weight.shape[:2], 2, 2, 2, 2).flip(2, 4)
    kernel = blocks.permute(3, 5, 1, 0, 2, 4).reshape(4 * channels, -1, 2, 2)
    padded = functional.pad(small, (0, 1, 0, 1)).contiguous(memory_format=torch.channels_last)
    cells = functional.conv2d(padded, kernel.contiguous(memory_format=torch.channels_last))
    cells = cells.permute(0, 2, 3, 1).reshape(n, height, width, 2, 2, channels)
    large = cells.transpose(2, 3).reshape(n, 2 * height, 2 * width, channels)
    return large.permute(0, 3, 1, 2)


def _spread_by_product(small: Tensor, weight: Tensor) -> Tensor:
    """Do as `_spread_by_convolution`, by one matrix product and the addition of what overlaps."""
    n, _, height, width = small.shape
    channels = weight.shape[1]
    columns = next(c for c in range(min(width, _MOST_COLUMNS), 0, -1) if width % c == 0)
    blocks, span = width // columns, 2 * columns
    band = torch.einsum("slyx,xkc->csykl", weight, _selection(columns).to(weight))
    patches = small.permute(0, 2, 3, 1).reshape(-1, columns * weight.shape[0])
    patches = patches @ band.reshape(patches.shape[1], -1)
    patches = patches.view(n, height, blocks, 3, span + 1, channels)
    large = patches[:, :, :, 1:, 1:].transpose(2, 3).contiguous()
    # The first row and column of a patch belong to the patches above and to the left; at the edge they are padding.
    large[:, :-1, 1] += patches[:, 1:, :, 0, 1:]
    large[:, :, :, :-1, -1] += patches[:, :, 1:, 1:, 0].transpose(2, 3)
    large[:, :-1, 1, :-1, -1] += patches[:, 1:, 1:, 0, 0]
    return large.view(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=64)
def _selection(columns: int) -> Tensor:
    """Mark which large column (of 2 columns + 1) each tap of each small column meets: (3, 2 columns + 1, columns)."""
    marks = torch.zeros(3, 2 * columns + 1, columns, dtype=torch.float32, device="cpu")
    for column in range(columns):
        for tap in range(3):
            marks[tap, 2 * column + tap, column] = 1
    return marks
