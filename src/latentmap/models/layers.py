"""The layers of a fitted model as data, for those who compute them without PyTorch: ONNX graphs, the explorer's page.

What belongs here: what the layers that architectures are made of are called, and their numbers. Nothing is computed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import LayerError
from latentmap.models.base import AutoencoderModule

Layer = dict[str, Any]
Weights = list[NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Description:
    """A fitted model as data.

    Parameters
    ----------
    facts : dict
        What JSON can hold: ``sample_shape``, as `fit` saw samples; ``tensor_shape``, as the network takes them;
        ``latent_dim``; ``offset`` and ``scale``, numbers or lists of one for each value, with which network input is
        ``(X - offset) / scale``; ``encoder`` and ``decoder``, lists of layers; ``twicing``, whether the encoder's
        codes are then corrected by their drawings, as `models.refine` does. A layer is a dict with its ``kind``, its
        sizes, and where its ``weight`` and its ``bias`` stand among the weights. A layer of kind ``add`` has
        ``branches``, lists of layers that all take its input, and whose outputs are added; an empty one gives the
        input.
    weights : list of ndarray of float32
        Laid out as PyTorch has them.
    """

    facts: dict[str, Any]
    weights: Weights = field(repr=False)


def describe(model: Any) -> Description:
    """The layers of a fitted model, if it has `describe_layers`; `LayerError` if not, or if one is not known here."""
    if not callable(getattr(model, "describe_layers", None)):
        raise LayerError(
            f"the layers of {type(model).__name__} are not known. Use an Autoencoder or PCA of Latentmap's."
        )
    return model.describe_layers()


def describe_network(module: AutoencoderModule, preprocessing: Preprocessing, twicing: bool) -> Description:
    """The layers of a network and the preprocessing around it."""
    kind = type(module)
    if kind.encode is not AutoencoderModule.encode or kind.decode is not AutoencoderModule.decode:
        raise LayerError(f"the layers of {kind.__name__} are not known: it has an encode or a decode of its own.")
    weights: Weights = []
    encoder, decoder = (_layers([part], weights) for part in (module.encoder, module.decoder))
    if module.linear is not None:
        back = [module.linear.out, nn.Unflatten(1, module.sample_shape)]
        encoder = [_sum(encoder, _layers([nn.Flatten(), module.linear.into], weights))]
        decoder = [_sum(decoder, _layers(back, weights))]
        if preprocessing.is_images:
            decoder.append({"kind": "clamp", "low": 0.0, "high": 1.0})
    facts = _facts(preprocessing.sample_shape, preprocessing.offset, preprocessing.scale)
    facts |= {"latent_dim": module.latent_dim, "encoder": encoder, "decoder": decoder, "twicing": twicing}
    return Description(facts, weights)


def describe_linear(mean: NDArray[Any], scale: NDArray[Any], components: NDArray[Any]) -> Description:
    """Orthonormal components of samples ``(X - mean) / scale``, all in the order of samples, as layers."""
    facts, k = _facts(mean.shape, mean, scale), len(components)
    matrix = np.moveaxis(components, -1, 1) if components.ndim == 4 else components  # as tensors have their values
    matrix = np.ascontiguousarray(matrix, np.float32).reshape(k, -1)
    n = matrix.shape[1]
    into = {"kind": "linear", "inputs": n, "outputs": k, "weight": 0, "bias": 1}
    out = {"kind": "linear", "inputs": k, "outputs": n, "weight": 2, "bias": 3}
    encoder, decoder = [{"kind": "flatten"}, into], [out, {"kind": "unflatten", "shape": facts["tensor_shape"]}]
    weights = [matrix, np.zeros(k, np.float32), np.ascontiguousarray(matrix.T), np.zeros(n, np.float32)]
    facts |= {"latent_dim": k, "encoder": encoder, "decoder": decoder, "twicing": False}
    return Description(facts, weights)


def _facts(sample_shape: Sequence[int], offset: NDArray[Any], scale: NDArray[Any]) -> dict[str, Any]:
    """The shapes and the units of samples."""
    height, width, channels = (*sample_shape, 1)[:3] if len(sample_shape) > 1 else (0, 0, 0)
    return {
        "sample_shape": list(sample_shape),
        "tensor_shape": [channels, height, width] if channels else list(sample_shape),
        "offset": np.ravel(offset).tolist() if np.ndim(offset) else float(offset),
        "scale": np.ravel(scale).tolist() if np.ndim(scale) else float(scale),
    }


def _layers(modules: Iterable[nn.Module], weights: Weights) -> list[Layer]:
    """What modules compute one after another; their numbers are appended to `weights`."""
    layers: list[Layer] = []
    for module in modules:
        kind = type(module)
        if kind is nn.Sequential:
            layers += _layers(module.children(), weights)
        elif callable(branches := getattr(module, "branches", None)):
            layers.append(_sum(*(_layers(branch, weights) for branch in branches())))
        elif kind in _KNOWN:
            layers.append({name: _kept(value, weights) for name, value in _KNOWN[kind](module).items()})
        elif kind not in _NOTHING:
            raise _unknown(module, "not known outside of PyTorch")
    return layers


def _sum(*branches: list[Layer]) -> Layer:
    """Several paths from one input, and the sum of where they lead; an empty one is the input itself."""
    return {"kind": "add", "branches": list(branches)}


def _kept(value: Any, weights: Weights) -> Any:
    """Where a tensor stands among the weights, once it is appended; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    weights.append(np.ascontiguousarray(value.detach().cpu().numpy(), np.float32))
    return len(weights) - 1


def _unknown(layer: nn.Module, why: str) -> LayerError:
    """The refusal of a layer."""
    known = ", ".join(one.__name__ for one in _KNOWN if one.__module__.startswith("torch."))
    return LayerError(f"the layer {layer} is {why}. Use other layers: {known}.")


def _weight_and_bias(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, outputs: int) -> Layer:
    bias = torch.zeros(outputs) if layer.bias is None else layer.bias
    return {"outputs": outputs, "weight": layer.weight, "bias": bias}


def _linear(layer: nn.Linear) -> Layer:
    return {"kind": "linear", "inputs": layer.in_features, **_weight_and_bias(layer, layer.out_features)}


def _conv(layer: nn.Conv2d | nn.ConvTranspose2d) -> Layer:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    if not plain or isinstance(layer.padding, str):
        raise _unknown(layer, "only known without groups and dilation, and with zeros for padding, a number of them")
    sizes = {name: list(getattr(layer, name)) for name in ("kernel_size", "stride", "padding")}
    return {
        "kind": "conv2d",
        "inputs": layer.in_channels,
        **sizes,
        **_weight_and_bias(layer, layer.out_channels),
    }


def _conv_transpose(layer: nn.ConvTranspose2d) -> Layer:
    return {**_conv(layer), "kind": "conv_transpose2d", "output_padding": list(layer.output_padding)}


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> Layer:
    mean, variance = layer.running_mean, layer.running_var
    if mean is None or variance is None:
        raise _unknown(layer, "only known with statistics of its own")
    # Once learned, it multiplies each channel and adds to it.
    weight = torch.rsqrt(variance.double() + layer.eps) * (1 if layer.weight is None else layer.weight)
    bias = (0 if layer.bias is None else layer.bias) - mean * weight
    return {"kind": "batch_norm", "channels": layer.num_features, "weight": weight, "bias": bias}


def _gelu(layer: nn.GELU) -> Layer:
    if layer.approximate != "none":
        raise _unknown(layer, "only known without approximation")
    return {"kind": "gelu"}


def _flatten(layer: nn.Flatten) -> Layer:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise _unknown(layer, "only known for whole samples")
    return {"kind": "flatten"}


_KNOWN: dict[type[nn.Module], Callable[[Any], Layer]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _conv_transpose,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: lambda _: {"kind": "relu"},
    nn.LeakyReLU: lambda layer: {"kind": "leaky_relu", "slope": layer.negative_slope},
    nn.SiLU: lambda _: {"kind": "silu"},
    nn.GELU: _gelu,
    nn.Sigmoid: lambda _: {"kind": "sigmoid"},
    nn.Tanh: lambda _: {"kind": "tanh"},
    nn.Flatten: _flatten,
    nn.Unflatten: lambda layer: {"kind": "unflatten", "shape": list(layer.unflattened_size)},
}
"""What a layer is, by its exact type: a subclass may compute something else."""

_NOTHING = (nn.Identity, nn.Dropout, nn.Dropout2d)
"""What leaves samples as they are, once learned."""
