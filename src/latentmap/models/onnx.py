"""ONNX export: encoder and decoder with their preprocessing, for running without PyTorch.

Needs the extra ``onnx``; everything optional is imported inside the functions.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentmap.errors import MissingExtraError, ModelFileError
from latentmap.files import holds_only, new_folder, read_folder
from latentmap.models.onnx_graph import Graph, write_graph

if TYPE_CHECKING:
    from latentmap.models.fitted import FittedModel

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
TOLERANCE = 1e-4
"""The largest difference from PyTorch that is still rounding, of codes by their size, of pixels in [0, 1]."""

_CHECKED_SAMPLES = 16
_MARK = "latentmap_version"  # the metadata by which a graph is known as ours


def is_export_folder(path: Path) -> bool:
    """Return whether a folder is one that `export_onnx` wrote, and nothing else: replacing it loses nothing else."""
    if not holds_only(path, (ENCODER, DECODER, f"{ENCODER}.data", f"{DECODER}.data")):
        return False
    return all((path / name).is_file() and _is_marked(path / name) for name in (ENCODER, DECODER))


def _is_marked(path: Path) -> bool:
    """Whether a graph says that it is ours; others give their files the same names."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_MARK.encode()) >= 0


def export_onnx(path: str | os.PathLike[str], model: FittedModel, metadata: Mapping[str, Any]) -> float:
    """Write ``encoder.onnx`` and ``decoder.onnx``, checked against PyTorch before they are put in place.

    The encoder takes samples as `fit` saw them (uint8 for uint8 images, else float32), the decoder codes as float32;
    both take any number of them at once. Returns the largest difference from PyTorch, of codes by their size; above
    `TOLERANCE`, `ModelFileError` is raised and nothing written.
    """
    runtime, description = _require_onnx(), model.describe_layers()
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    texts = {_MARK: "", **texts}
    with new_folder(path, is_ours=is_export_folder) as folder:
        write_graph(folder / ENCODER, Graph(description).encoder(raw=model.preprocessing.is_raw), texts)
        write_graph(folder / DECODER, Graph(description).decoder(), texts)
        difference = _largest_difference(runtime, folder, model)
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


def _largest_difference(runtime: Any, folder: Path, model: FittedModel) -> float:
    """How far onnxruntime is from PyTorch on random samples and on their codes, beyond float32's rounding of units."""
    preprocessing = model.preprocessing
    x = np.random.default_rng(0).random((_CHECKED_SAMPLES, *preprocessing.sample_shape))
    samples = (x * preprocessing.scale + preprocessing.offset).astype(np.uint8 if preprocessing.is_raw else np.float32)
    codes = model.encode(samples)
    decoded = model.decode(codes).astype(np.float32)
    onnx_codes = _session(runtime, folder / ENCODER).run(None, {"samples": samples})[0]
    onnx_decoded = _session(runtime, folder / DECODER).run(None, {"codes": codes})[0]
    in_codes = np.abs(onnx_codes - codes).max() / max(1.0, float(np.abs(codes).max()))
    beyond = np.maximum(np.abs(onnx_decoded - decoded) - np.spacing(np.abs(decoded)), 0)
    return float(max(in_codes, (beyond / preprocessing.scale).max()))


def _session(runtime: Any, path: Path) -> Any:
    """An onnxruntime session on the processor."""
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
