"""ONNX graphs of the layers that `describe` gives: what each is called there.

Needs the extra ``onnx``, which is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from latentmap.models.layers import Description, Layer

_OPSET, _IR_VERSION = 18, 8  # the format that came with the operators
_MOST_INSIDE = 2**30  # bytes; a graph of more than twice that can't be read


class Graph:
    """A graph as it grows: adding a node or numbers returns the name of what they give."""

    def __init__(self, description: Description) -> None:
        self.weights = description.weights
        self._facts = description.facts
        # Where each value has units of its own, their numbers may be so large that float32 rounds differences away.
        self._units = np.float64 if isinstance(self._facts["offset"], list) else np.float32
        self._nodes: list[Any] = []
        self._numbers: list[Any] = []

    def encoder(self, *, raw: bool) -> Any:
        """From samples in the user's units, bytes if they are `raw`: (n, *sample_shape) -> (n, latent_dim)."""
        x = self.node("Sub", self._cast("samples", self._units), self._in_units("offset"))
        x = self._cast(self.node("Div", x, self._in_units("scale")), np.float32)
        if len(self._facts["sample_shape"]) == 3:
            x = self.node("Transpose", x, perm=[0, 3, 1, 2])
        codes = self.layers(self.reshape(x, *self._facts["tensor_shape"]), self._facts["encoder"])
        return self._model({"samples": np.uint8 if raw else np.float32}, codes, "codes")

    def decoder(self) -> Any:
        """From codes to samples in the user's units: (n, latent_dim) -> (n, *sample_shape)."""
        x = self.layers("codes", self._facts["decoder"])
        if len(self._facts["sample_shape"]) == 3:
            x = self.node("Transpose", x, perm=[0, 2, 3, 1])
        x = self._cast(self.reshape(x, *self._facts["sample_shape"]), self._units)
        x = self.node("Add", self.node("Mul", x, self._in_units("scale")), self._in_units("offset"))
        return self._model({"codes": np.float32}, self._cast(x, np.float32), "samples")

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Compute something from what has these names."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def numbers(self, values: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """Hold an array."""
        from onnx import numpy_helper

        name = f"numbers_{len(self._numbers)}"
        self._numbers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def reshape(self, x: str, *sizes: int) -> str:
        """Give samples, of which there may be any number, another shape."""
        return self.node("Reshape", x, self.numbers([-1, *sizes], np.int64))

    def parameters(self, layer: Layer) -> tuple[str, str]:
        """A layer's weight and bias."""
        return self.numbers(self.weights[layer["weight"]]), self.numbers(self.weights[layer["bias"]])

    def layers(self, x: str, layers: list[Layer]) -> str:
        """Compute layers one after another."""
        for layer in layers:
            x = _NODES[layer["kind"]](self, x, layer)
        return x

    def _cast(self, x: str, dtype: type[np.generic]) -> str:
        return self.node("Cast", x, to=_element_type(dtype))

    def _in_units(self, name: str) -> str:
        """The offset or the scale of samples."""
        values = np.asarray(self._facts[name])
        return self.numbers(values.reshape(self._facts["sample_shape"]) if values.ndim else values, self._units)

    def _model(self, given: dict[str, type[np.generic]], x: str, output: str) -> Any:
        """The graph as a whole, with its input and its output."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [x], [output]))
        sizes = {"samples": self._facts["sample_shape"], "codes": [self._facts["latent_dim"]]}
        ends = [
            helper.make_tensor_value_info(name, _element_type(dtype), ["n", *sizes[name]])
            for name, dtype in {**given, output: np.float32}.items()
        ]
        graph = helper.make_graph(self._nodes, "latentmap", ends[:1], ends[1:], self._numbers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


def write_graph(path: Path, model: Any, metadata: dict[str, str]) -> None:
    """Write a graph with its metadata; what is too large for one file has its numbers in another beside it."""
    import onnx

    onnx.helper.set_model_props(model, metadata)
    large = model.ByteSize() > _MOST_INSIDE
    onnx.save(model, path, save_as_external_data=large, location=f"{path.name}.data")


def _element_type(dtype: type[np.generic]) -> int:
    from onnx import helper

    number: int = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return number


def _linear(graph: Graph, x: str, layer: Layer) -> str:
    return graph.node("Gemm", x, *graph.parameters(layer), transB=1)


def _convolution(operator: str) -> Callable[[Graph, str, Layer], str]:
    def convolution(graph: Graph, x: str, layer: Layer) -> str:
        padding = layer["padding"] * 2  # before and after
        more = {"output_padding": layer["output_padding"]} if "output_padding" in layer else {}
        return graph.node(operator, x, *graph.parameters(layer), strides=layer["stride"], pads=padding, **more)

    return convolution


def _batch_norm(graph: Graph, x: str, layer: Layer) -> str:
    channels = layer["channels"]
    mean, variance = graph.numbers(np.zeros(channels)), graph.numbers(np.ones(channels))
    return graph.node("BatchNormalization", x, *graph.parameters(layer), mean, variance, epsilon=0.0)


def _gelu(graph: Graph, x: str, layer: Layer) -> str:  # noqa: ARG001
    more = graph.node("Erf", graph.node("Mul", x, graph.numbers(0.5**0.5)))
    half = graph.node("Mul", x, graph.numbers(0.5))
    return graph.node("Mul", half, graph.node("Add", more, graph.numbers(1)))


def _add(graph: Graph, x: str, layer: Layer) -> str:
    return graph.node("Sum", *(graph.layers(x, branch) for branch in layer["branches"]))


_NODES: dict[str, Callable[[Graph, str, Layer], str]] = {
    "linear": _linear,
    "conv2d": _convolution("Conv"),
    "conv_transpose2d": _convolution("ConvTranspose"),
    "batch_norm": _batch_norm,
    "relu": lambda graph, x, _: graph.node("Relu", x),
    "leaky_relu": lambda graph, x, layer: graph.node("LeakyRelu", x, alpha=layer["slope"]),
    "silu": lambda graph, x, _: graph.node("Mul", x, graph.node("Sigmoid", x)),
    "gelu": _gelu,
    "sigmoid": lambda graph, x, _: graph.node("Sigmoid", x),
    "tanh": lambda graph, x, _: graph.node("Tanh", x),
    "clamp": lambda graph, x, layer: graph.node("Clip", x, *map(graph.numbers, (layer["low"], layer["high"]))),
    "flatten": lambda graph, x, _: graph.node("Flatten", x),
    "unflatten": lambda graph, x, layer: graph.reshape(x, *layer["shape"]),
    "add": _add,
}
"""The nodes of every kind of layer."""
