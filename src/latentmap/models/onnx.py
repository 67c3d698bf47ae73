"""ONNX export: encoder and decoder with their preprocessing, for running without PyTorch.

Needs the extra ``onnx``; everything optional is imported inside the functions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import latentmap
from latentmap.checks import Refining
from latentmap.errors import MissingExtraError, ModelFileError
from latentmap.files import holds_only, new_folder, read_folder
from latentmap.models.layers import Description, Layer
from latentmap.models.modes import own_modes
from latentmap.models.refine import FURTHEST, LEAST_GONE

if TYPE_CHECKING:
    from latentmap.models.fitted import FittedModel

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
TOLERANCE = 1e-4
"""The largest difference from PyTorch that is still rounding, of codes by their size, of pixels in [0, 1]."""

_MOST_ROUNDED = 0.05  # of a unit, by float32
_CHECKED_SAMPLES = 16
_MARK = "latentmap_version"  # the metadata by which a graph is known as ours
_OPSET, _IR_VERSION = 18, 8  # the format that came with the operators
_MOST_INSIDE = 2**30  # bytes; a graph of more than twice that can't be read


def is_export_folder(path: Path) -> bool:
    """Return whether a folder is one that `export_onnx` wrote, and nothing else: replacing it loses nothing else."""
    if not holds_only(path, (ENCODER, DECODER, f"{ENCODER}.data", f"{DECODER}.data")):
        return False
    graphs = [path / name for name in (ENCODER, DECODER)]  # others give their files the same names
    return all(graph.is_file() and _MARK.encode() in graph.read_bytes() for graph in graphs)


@own_modes()
def export_onnx(path: str | os.PathLike[str], model: FittedModel, refine: Refining = "auto") -> float:
    """Write ``encoder.onnx`` and ``decoder.onnx`` if they agree with PyTorch; the largest difference seen."""
    offset, scale = model.preprocessing.offset, model.preprocessing.scale
    if not model.preprocessing.is_images and (_MOST_ROUNDED * scale < np.finfo(np.float32).eps * np.abs(offset)).any():
        raise ModelFileError(
            "samples lie so far from zero that float32, which the exported encoder would take, rounds away what tells "
            "them apart. Fit the model on X minus its mean."
        )
    runtime, description = _require_onnx(), model.describe_layers(refine)
    classes = json.dumps(model.metadata.get("class_names") or [])
    texts = {_MARK: latentmap.__version__, "model": model.name, "classes": classes}
    with new_folder(path, is_ours=is_export_folder) as folder:
        write_graph(folder / ENCODER, Graph(description).encoder(raw=model.preprocessing.is_raw), texts)
        write_graph(folder / DECODER, Graph(description).decoder(), texts)
        difference = _largest_difference(runtime, folder, model, refine)
        if not difference <= TOLERANCE:
            raise ModelFileError(
                f"the exported model differs from PyTorch by {difference:.2g}, more than {TOLERANCE:g}. Nothing was "
                "written; try other versions of onnx and onnxruntime."
            )
    return difference


class OnnxAutoencoder:
    """An exported model run by onnxruntime, with the methods of a transformer."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        def read(folder: Path) -> tuple[Any, Any]:
            if not all((folder / name).is_file() for name in (ENCODER, DECODER)):
                raise ModelFileError(f"{path} is not an exported model: it must hold {ENCODER} and {DECODER}.")
            runtime = _require_onnx()
            return _session(runtime, folder / ENCODER), _session(runtime, folder / DECODER)

        self._encoder, self._decoder = read_folder(path, read)

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Return the codes of samples: (n, *sample_shape) -> (n, latent_dim)."""
        return self._run(self._encoder, "samples", X)

    def inverse_transform(self, Z: NDArray[Any]) -> NDArray[np.float32]:
        """Return the samples that codes stand for: (n, latent_dim) -> (n, *sample_shape)."""
        return self._run(self._decoder, "codes", Z)

    @staticmethod
    def _run(session: Any, name: str, array: NDArray[Any]) -> NDArray[np.float32]:
        """Run a graph over an array, in pieces."""
        dtype = np.uint8 if session.get_inputs()[0].type == "tensor(uint8)" else np.float32
        if dtype is np.uint8 and array.dtype != np.uint8:
            raise ValueError(
                f"X must be uint8 images, as fit saw them, got {array.dtype}. Bring it to whole numbers from 0 to 255."
            )
        pieces = [
            session.run(None, {name: np.ascontiguousarray(array[start : start + 1024], dtype)})[0]
            for start in range(0, len(array), 1024)
        ]
        return np.concatenate(pieces)


def _require_onnx() -> Any:
    """The onnxruntime module, once everything the export needs is there."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError.of("exporting", f"the package {error.name}", "onnx") from error
    return onnxruntime


def _largest_difference(runtime: Any, folder: Path, model: FittedModel, refine: Refining) -> float:
    """How far onnxruntime is from PyTorch on random samples and on their codes, beyond float32's rounding of units."""
    preprocessing = model.preprocessing
    x = np.random.default_rng(0).random((_CHECKED_SAMPLES, *preprocessing.sample_shape))
    samples = (x * preprocessing.scale + preprocessing.offset).astype(np.uint8 if preprocessing.is_raw else np.float32)
    codes = model.encode(samples, "auto" if refine else 0)
    decoded = model.decode(codes).astype(np.float32)
    onnx_codes = _session(runtime, folder / ENCODER).run(None, {"samples": samples})[0]
    onnx_decoded = _session(runtime, folder / DECODER).run(None, {"codes": codes})[0]
    in_codes = np.abs(onnx_codes - codes).max() / max(1.0, float(np.abs(codes).max()))
    beyond = np.maximum(np.abs(onnx_decoded - decoded) - np.spacing(np.abs(decoded)), 0)
    return float(max(in_codes, (beyond / preprocessing.scale).max()))


def _session(runtime: Any, path: Path) -> Any:
    """An onnxruntime session on the processor."""
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


# ---- graphs --------------------------------------------------------------------------------------------------------


class Graph:
    """A graph as it grows: adding a node or numbers returns the name of what they give."""

    def __init__(self, description: Description) -> None:
        self.weights = description.weights
        self._facts = description.facts
        # Where each value has units of its own, their numbers may be so large that float32 rounds differences away.
        self._units = np.float64 if isinstance(self._facts["offset"], list) else np.float32
        self._nodes: list[Any] = []
        self._numbers: list[Any] = []
        self._held: dict[int, str] = {}  # by where they stand among the weights

    def encoder(self, *, raw: bool) -> Any:
        """From samples in the user's units, bytes if they are `raw`: (n, *sample_shape) -> (n, latent_dim)."""
        x = self.node("Sub", self._cast("samples", self._units), self._in_units("offset"))
        x = self._cast(self.node("Div", x, self._in_units("scale")), np.float32)
        if len(self._facts["sample_shape"]) == 3:
            x = self.node("Transpose", x, perm=[0, 3, 1, 2])
        x = self.reshape(x, *self._facts["tensor_shape"])
        codes = self.layers(x, self._facts["encoder"])
        codes = self._twiced(x, codes) if self._facts["twicing"] else codes
        return self._model({"samples": np.uint8 if raw else np.float32}, codes, "codes")

    def _twiced(self, x: str, codes: str) -> str:
        """Codes as `refine.twiced` corrects them."""
        drawn = self.layers(codes, self._facts["decoder"])
        way = self.node("Sub", codes, self.layers(drawn, self._facts["encoder"]))
        further = self.layers(self.node("Add", codes, way), self._facts["decoder"])
        missed, gone = self.node("Sub", x, drawn), self.node("Sub", further, drawn)

        def along(one: str, other: str) -> str:
            products = self.reshape(self.node("Mul", one, other), prod(self._facts["tensor_shape"]))
            return self.node("ReduceSum", products, self.numbers([1], np.int64))

        least = self.node("Mul", along(missed, missed), self.numbers(LEAST_GONE))
        share = self.node("Div", along(missed, gone), self.node("Add", along(gone, gone), least))
        share = self.node("Clip", share, self.numbers(0.0), self.numbers(FURTHEST))
        corrected = self.node("Add", codes, self.node("Mul", share, way))
        return self.node("Where", self.node("Greater", share, self.numbers(0.0)), corrected, codes)

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
        """A layer's weight and bias, held once."""
        for place in (layer["weight"], layer["bias"]):
            if place not in self._held:
                self._held[place] = self.numbers(self.weights[place])
        return self._held[layer["weight"]], self._held[layer["bias"]]

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

    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


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
