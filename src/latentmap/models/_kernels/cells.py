"""The small convolutional network learning on a processor: forward and backward as few, long operations.

Between the plain layers, PyTorch spends more time on the way from operation to operation than in them, and its
convolutions reach a small part of a processor's speed where channels are few. Here a batch lies as a matrix: images
are cut into square cells, a row stands for one pixel of a cell and one channel, a column for one cell of one sample,
samples innermost. A 3x3 convolution of stride 2 is then one matrix product with the cells and what they need of their
neighbours to the left and above (three long copies); a transposed convolution is the same backwards. Buffers are kept
from step to step. Parameters, function and gradients are those of the plain layers, which tests hold it to.

What belongs here: arithmetic. When it is used is decided in ``conv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_aten = torch.ops.aten


def _empty(*shape: int) -> Tensor:
    """Room for numbers of float32, whatever the default dtype is."""
    return torch.empty(shape, dtype=torch.float32)


def cut(x: Tensor) -> Tensor:
    """Cut images into cells of 4x4 pixels: (n, channels, h, w) -> (16 channels, h / 4, w / 4, n)."""
    n, channels, height, width = x.shape
    pixels = x.reshape(n, channels, height // 4, 4, width // 4, 4).permute(3, 5, 1, 2, 4, 0)
    return pixels.reshape(16 * channels, height // 4, width // 4, n)


def join(cells: Tensor) -> Tensor:
    """Put images together again: the reverse of `cut`."""
    rows, down, across, n = cells.shape
    pixels = cells.reshape(4, 4, rows // 16, down, across, n).permute(5, 2, 3, 0, 4, 1)
    return pixels.reshape(n, rows // 16, 4 * down, 4 * across)


class _Window:
    """A matrix of k x k cells, and below them what lies left of, above and at the corner of each cell."""

    def __init__(self, k: int, channels: int, down: int, across: int, n: int) -> None:
        own, side = k * k * channels, k * channels
        self.all = _empty(
            (k + 1) ** 2 * channels, down * across * n
        ).zero_()  # beyond the edge there are zeros, always
        maps = self.all.view(-1, down, across, n)
        self.own, self.maps = self.all[:own], maps[:own]
        self.cells = self.maps.view(k, k, channels, down, across, n)
        left = maps[own : own + side].view(k, channels, down, across, n)
        above = maps[own + side : own + 2 * side].view(k, channels, down, across, n)
        self._pairs = (
            (left[:, :, :, 1:], self.cells[:, -1, :, :, :-1]),
            (above[:, :, 1:], self.cells[-1, :, :, :-1]),
            (maps[own + 2 * side :, 1:, 1:], self.cells[-1, -1, :, :-1, :-1]),
        )

    def gather(self) -> Tensor:
        """Copy to each cell's surroundings what the cells there hold."""
        for around, cells in self._pairs:
            around.copy_(cells)
        return self.all

    def spread(self) -> None:
        """Add each cell's surroundings to the cells there: the adjoint of `gather`."""
        for around, cells in self._pairs:
            cells.add_(around)


class _Kernels:
    """Kernels (small channels, large channels, 3, 3) as matrices (k k / 4 small, (k + 1)^2 large), and back."""

    def __init__(self, shapes: Sequence[tuple[int, int]], cells: Sequence[int]) -> None:
        self.matrices, self.gradients, self._taps = [], [], []
        places, start = [], 0
        for (small, large), k in zip(shapes, cells, strict=True):
            places.append(_places(small, large, k))
            places[-1][places[-1] >= 0] += start
            start += small * large * 9
        index = np.concatenate([each.reshape(-1) for each in places])
        self._index = torch.from_numpy(np.where(index < 0, start, index))
        self._values = _empty(start + 1).zero_()  # the last stays zero, for places where no tap is
        entries, gradients = _empty(len(index)), _empty(len(index))
        self._entries, self._gradients = entries, gradients.numpy()
        first = 0
        for (small, large), k, each in zip(shapes, cells, places, strict=True):
            self.matrices.append(entries[first : first + each.size].view(each.shape))
            self.gradients.append(gradients[first : first + each.size].view(each.shape))
            # Where each tap stands: once for each pixel of the small map's cell.
            order = np.argsort(each.reshape(-1), kind="stable")[(each < 0).sum() :].reshape(-1, k * k // 4)
            self._taps.append((first + order.T.copy(), (small, large, 3, 3)))
            first += each.size
        self.transposed = [matrix.T for matrix in self.matrices]

    def load(self, kernels: Sequence[Tensor]) -> None:
        """Write the matrices anew."""
        torch.cat([kernel.flatten() for kernel in kernels], out=self._values[:-1])
        torch.index_select(self._values, 0, self._index, out=self._entries)

    def kernel_gradients(self) -> list[Tensor]:
        """Return the kernels' gradients from those of the matrices."""
        return [torch.from_numpy(self._gradients[taps].sum(0).reshape(shape)) for taps, shape in self._taps]


def _places(small: int, large: int, k: int) -> NDArray[np.int64]:
    """Which tap of a kernel stands where in its matrix; -1 for none."""
    taps = np.arange(small * large * 9).reshape(small, large, 3, 3)
    own, side = k * k * large, k * large
    rows = np.empty((k + 1, k + 1, large), int)  # of a window: by pixel, from the one above and left, and channel
    rows[1:, 1:] = np.arange(own).reshape(k, k, large)
    rows[1:, 0] = own + np.arange(side).reshape(k, large)
    rows[0, 1:] = own + side + np.arange(side).reshape(k, large)
    rows[0, 0] = own + 2 * side + np.arange(large)
    places = np.full((k // 2, k // 2, small, (k + 1) ** 2 * large), -1)
    for down, across, y, x in np.ndindex(k // 2, k // 2, 3, 3):
        places[down, across][:, rows[2 * down + y, 2 * across + x]] = taps[:, :, y, x]
    return places.reshape(-1, places.shape[-1])


class _Norm:
    """Batch norm over the rows of a matrix; a row is one pixel of a cell and one channel.

    Numbers of channels are NumPy's business here: its small operations take a fraction of PyTorch's time.
    """

    def __init__(self, channels: int, both: Tensor) -> None:
        _, n_rows, length = both.shape
        groups = n_rows // channels
        self._both, self._square, self._count = both, both[1], groups * length
        self.rows, self.out = both[0], _empty(n_rows, length)
        self._back = _empty(2, n_rows, length)
        self.grad, self._product = self._back
        self._sums, self._moments, scales = _empty(2, n_rows), _empty(2, channels), _empty(3, n_rows, 1)
        self._np_sums = self._sums.numpy().reshape(2, groups, channels)
        self._np_moments, self._np_scales = self._moments.numpy(), scales.numpy().reshape(3, groups, channels)
        self._mean, self._variance = self._moments
        self._scale, self._slope, self._shift = scales
        self._views = self.rows.view(groups, channels, length), self.out.view(groups, channels, length)
        self._none = _empty(0)

    def forward(self, layer: nn.BatchNorm2d) -> None:
        """Normalize `rows` into `out`, and move the layer's running statistics."""
        torch.mul(self.rows, self.rows, out=self._square)
        torch.sum(self._both, 2, out=self._sums)
        mean, variance = np.sum(self._np_sums, 1, out=self._np_moments)
        self._np_moments /= self._count
        variance -= mean * mean
        np.maximum(variance, 0, out=variance)
        self._weight, self._root = layer.weight.numpy().copy(), 1 / np.sqrt(variance + np.float32(layer.eps))
        running_mean, running_variance = _statistics(layer)
        running_mean += layer.momentum * (mean - running_mean)
        running_variance += layer.momentum * (variance * (self._count / (self._count - 1)) - running_variance)
        rows, out = self._views
        _aten.native_batch_norm.out(
            rows, layer.weight, layer.bias, self._mean, self._variance, False, 0.0, layer.eps,
            out=out, save_mean=self._none, save_invstd=self._none,
        )  # fmt: skip

    def backward(self, grad: Tensor, active: Tensor, masked: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """From the gradient after the ReLU to that of `rows`, in `out`; the parameters' gradients.

        `masked` is `self.grad`, in the order in which `grad` and `active`, the ReLU's output, have their pixels.
        """
        _aten.threshold_backward.grad_input(grad, active, 0, grad_input=masked)
        torch.mul(self.grad, self.rows, out=self._product)
        torch.sum(self._back, 2, out=self._sums)
        total, product = np.sum(self._np_sums, 1)
        mean = self._np_moments[0]
        weight_grad = (product - mean * total) * self._root
        scale = self._weight * self._root
        slope = scale * self._root * weight_grad / -self._count
        self._np_scales[0], self._np_scales[1] = scale, slope
        self._np_scales[2] = -mean * slope - scale * total / self._count
        torch.mul(self.grad, self._scale, out=out).addcmul_(self.rows, self._slope).add_(self._shift)
        return torch.from_numpy(weight_grad), torch.from_numpy(total)


def _statistics(layer: nn.BatchNorm2d) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The running mean and variance of a layer, to be changed in place."""
    if layer.num_batches_tracked is None or layer.running_mean is None or layer.running_var is None:
        raise TypeError("batch norm must track its statistics")
    layer.num_batches_tracked += 1
    return layer.running_mean.numpy(), layer.running_var.numpy()


class CellNetwork:
    """Forward and backward of `ConvAutoencoder` without `latent_dim`, for n images of one size."""

    def __init__(self, sample_shape: tuple[int, int, int], widths: tuple[int, int, int], n: int) -> None:
        channels, height, width = sample_shape
        first, second, third = widths
        h, w = height // 4, width // 4
        length, empty = h * w * n, _empty
        image, fine, coarse = (4, channels, h, w, n), (2, first, h, w, n), (2, second, h // 2, w // 2, n)
        shapes = [(first, channels), (second, first), (third, second)]
        self._kernels = _Kernels([*shapes, *shapes[::-1]], (4, 2, 2, 2, 2, 4))
        self._in1, self._in2, self._in3 = _Window(*image), _Window(*fine), _Window(*coarse)
        self._out1, self._out2, self._out3 = _Window(*coarse), _Window(*fine), _Window(*image)
        self._norms = (
            _Norm(first, empty(2, 4 * first, length)),
            _Norm(second, empty(2, second, length)),
            _Norm(second, empty(2, second, length)),
            # What is added to the cells of the window is free again for their square.
            _Norm(first, self._out2.all[: 8 * first].view(2, 4 * first, length)),
        )
        self._code = empty(third, length // 4)
        self._active1, self._active2 = empty(second, length), empty(4 * first, length)
        # Gradients: of what goes into a layer, and of the map that comes out of it.
        self._din2, self._din3 = _Window(*fine), _Window(*coarse)
        self._dout1, self._dout2, self._dout3 = _Window(*coarse), _Window(*fine), _Window(*image)
        self._dactive1, self._dactive2, self._drows1 = (empty(second, length), empty(4 * first, length),
                                                        empty(second, length))  # fmt: skip
        self._dcode, self._drows2, self._drows3 = (empty(third, length // 4), empty(second, length),
                                                   empty(4 * first, length))  # fmt: skip

        def as_coarse(rows: Tensor) -> Tensor:
            """The map of one-pixel cells in the order of the coarser grid's cells."""
            return rows.view(second, h // 2, 2, w // 2, 2, n).permute(2, 4, 0, 1, 3, 5)

        self._normed2, self._dnormed2 = as_coarse(self._norms[1].out), as_coarse(self._norms[1].grad)
        self._rows3, self._drows1_coarse = as_coarse(self._norms[2].rows), as_coarse(self._drows1)

    def forward(self, x: Tensor, kernels: Sequence[Tensor], biases: Sequence[Tensor],
                layers: Sequence[nn.BatchNorm2d]) -> Tensor:  # fmt: skip
        """Reconstruct (n, channels, height, width), move the norms' statistics, and keep what `backward` needs."""
        mm = torch.mm
        self._kernels.load(kernels)
        k1, k2, k3, *_ = self._kernels.matrices
        *_, t4, t5, t6 = self._kernels.transposed
        norm1, norm2, norm3, norm4 = self._norms
        self._in1.maps.copy_(cut(x))
        mm(k1, self._in1.gather(), out=norm1.rows)
        norm1.forward(layers[0])
        torch.clamp_min(norm1.out, 0, out=self._in2.own)
        mm(k2, self._in2.gather(), out=norm2.rows)
        norm2.forward(layers[1])
        torch.clamp_min(self._normed2, 0, out=self._in3.cells)
        torch.addmm(biases[0][:, None], k3, self._in3.gather(), out=self._code)

        mm(t4, self._code, out=self._out1.all)
        self._out1.spread()
        self._rows3.copy_(self._out1.cells)
        norm3.forward(layers[2])
        torch.clamp_min(norm3.out, 0, out=self._active1)
        mm(t5, self._active1, out=self._out2.all)
        self._out2.spread()
        norm4.forward(layers[3])
        torch.clamp_min(norm4.out, 0, out=self._active2)
        mm(t6, self._active2, out=self._out3.all)
        self._out3.spread()
        self._out3.cells.add_(biases[1].view(-1, 1, 1, 1)).sigmoid_()
        return join(self._out3.maps)

    def backward(self, grad: Tensor) -> list[Tensor]:
        """Return the gradients of all parameters, in the order of ``ConvAutoencoder.parameters()``."""
        mm = torch.mm
        *_, k4, k5, k6 = self._kernels.matrices
        _, t2, t3, *_ = self._kernels.transposed
        g1, g2, g3, g4, g5, g6 = self._kernels.gradients
        norm1, norm2, norm3, norm4 = self._norms
        _aten.sigmoid_backward.grad_input(cut(grad), self._out3.maps, grad_input=self._dout3.maps)
        image_bias = self._dout3.cells.sum((0, 1, 3, 4, 5))
        mm(self._active2, self._dout3.gather().T, out=g6)
        mm(k6, self._dout3.all, out=self._dactive2)
        affine4 = norm4.backward(self._dactive2, self._active2, norm4.grad, self._dout2.own)
        mm(self._active1, self._dout2.gather().T, out=g5)
        mm(k5, self._dout2.all, out=self._dactive1)
        affine3 = norm3.backward(self._dactive1, self._active1, norm3.grad, self._drows1)
        self._dout1.cells.copy_(self._drows1_coarse)
        mm(self._code, self._dout1.gather().T, out=g4)
        mm(k4, self._dout1.all, out=self._dcode)

        mm(self._dcode, self._in3.all.T, out=g3)
        mm(t3, self._dcode, out=self._din3.all)
        self._din3.spread()
        affine2 = norm2.backward(self._din3.cells, self._in3.cells, self._dnormed2, self._drows2)
        mm(self._drows2, self._in2.all.T, out=g2)
        mm(t2, self._drows2, out=self._din2.all)
        self._din2.spread()
        affine1 = norm1.backward(self._din2.own, self._in2.own, norm1.grad, self._drows3)
        mm(self._drows3, self._in1.all.T, out=g1)
        d1, d2, d3, d4, d5, d6 = self._kernels.kernel_gradients()
        return [d1, *affine1, d2, *affine2, d3, self._dcode.sum(1), d4, *affine3, d5, *affine4, d6, image_bias]


class _Reconstruct(torch.autograd.Function):
    """The network as one operation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layers: Sequence[nn.BatchNorm2d], widths: tuple[int, int, int],
                *parameters: Tensor) -> Tensor:  # fmt: skip
        ctx.lent = lent = _Lent((tuple(x.shape[1:]), widths, len(x)))
        kernels = [parameter for parameter in parameters if parameter.ndim == 4]
        return lent.network.forward(x, kernels, (parameters[7], parameters[15]), layers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *ctx.lent.network.backward(grad)


class _Lent:
    """A network and its buffers, for as long as one pass's graph lives: nobody else writes over them meanwhile."""

    def __init__(self, key: tuple[Any, ...]) -> None:
        self._key = key
        try:
            self.network = _FREE[key].pop()
        except (KeyError, IndexError):  # none is free
            self.network = CellNetwork(*key)

    def __del__(self) -> None:
        if hasattr(self, "network"):  # there was memory for it
            if len(_FREE) > _MOST_FREE:
                _FREE.clear()
            _FREE.setdefault(self._key, []).append(self.network)


_FREE: dict[tuple[Any, ...], list[CellNetwork]] = {}
_MOST_FREE = 4


def reconstruct(
    x: Tensor, widths: tuple[int, int, int], parameters: Sequence[Tensor], norms: Sequence[nn.BatchNorm2d]
) -> Tensor:
    """What a `ConvAutoencoder` without `latent_dim` makes of images (n, channels, height, width) while it learns.

    Height and width are multiples of 8. There are gradients for the module's sixteen parameters, not for `x`; the
    statistics of its four norms are moved.
    """
    out: Tensor = _Reconstruct.apply(x, norms, widths, *parameters)  # type: ignore[no-untyped-call]
    return out
