"""ONNX export: encoder and decoder with their preprocessing, for running without PyTorch.

Needs the extra ``onnx``; everything optional is imported inside the functions.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import MissingExtraError, ModelFileError
from latentmap.files import holds_only, new_folder, read_folder
from latentmap.models.base import AutoencoderModule

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
TOLERANCE = 1e-4
"""The largest difference from PyTorch that is still rounding, of codes by their size, of pixels in [0, 1]."""

_OPSET = 18
_CHECKED_SAMPLES = 16
_MARK = "latentmap_version"  # the metadata by which a graph is known as ours


class _Graph(nn.Module):
    """A network with its preprocessing: what one exported file computes."""

    offset: Tensor
    scale: Tensor

    def __init__(self, module: AutoencoderModule, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.module = module
        self.channels_last = len(preprocessing.sample_shape) == 3
        self.sample_shape = preprocessing.sample_shape
        self.tensor_shape = preprocessing.tensor_shape
        self.register_buffer("offset", torch.tensor(preprocessing.offset, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(preprocessing.scale, dtype=torch.float32))


class _Encoder(_Graph):
    """From samples in the user's units to codes: (n, *sample_shape) -> (n, latent_dim)."""

    def forward(self, samples: Tensor) -> Tensor:
        x = (samples.float() - self.offset) / self.scale
        x = x.permute(0, 3, 1, 2) if self.channels_last else x.reshape(-1, *self.tensor_shape)
        return self.module.encode(x)


class _Decoder(_Graph):
    """From codes to samples in the user's units: (n, latent_dim) -> (n, *sample_shape)."""

    def forward(self, codes: Tensor) -> Tensor:
        x_hat = self.module.decode(codes)
        x_hat = x_hat.permute(0, 2, 3, 1) if self.channels_last else x_hat.reshape(-1, *self.sample_shape)
        return x_hat * self.scale + self.offset


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


def export_onnx(
    path: str | os.PathLike[str],
    module: AutoencoderModule,
    preprocessing: Preprocessing,
    metadata: Mapping[str, Any],
) -> float:
    """Write ``encoder.onnx`` and ``decoder.onnx``, checked against PyTorch before they are put in place.

    The encoder takes samples as `fit` saw them (uint8 for uint8 images, else float32), the decoder codes as float32;
    both take any number of them at once. Returns the largest difference from PyTorch, of codes by their size; above
    `TOLERANCE`, `ModelFileError` is raised and nothing written.
    """
    runtime = _require_onnx()
    dtype = torch.uint8 if preprocessing.is_raw else torch.float32
    samples = torch.zeros(2, *preprocessing.sample_shape, dtype=dtype)
    codes = torch.zeros(2, module.latent_dim, dtype=torch.float32)
    encoder, decoder = _Encoder(module, preprocessing).eval(), _Decoder(module, preprocessing).eval()
    metadata = {_MARK: "", **metadata}
    with new_folder(path, is_ours=is_export_folder) as folder:
        _export(folder / ENCODER, encoder, samples, ("samples", "codes"), metadata)
        _export(folder / DECODER, decoder, codes, ("codes", "samples"), metadata)
        difference = _largest_difference(runtime, folder, encoder, decoder, preprocessing, dtype)
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
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError.of("exporting", f"the package {error.name}", "onnx") from error
    return onnxruntime


def _export(
    path: Path, graph: nn.Module, example: Tensor, names: tuple[str, str], metadata: Mapping[str, Any]
) -> None:
    """Write one graph with a dynamic first axis."""
    # The exporter's own deprecations, and its remarks on packages it does without, are of no use to the user.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                (example,),
                input_names=[names[0]],
                output_names=[names[1]],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise ModelFileError("PyTorch could not export the model to ONNX. Try another version of torch.")
    for name, value in metadata.items():
        program.model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value)
    program.save(path)


def _largest_difference(
    runtime: Any,
    folder: Path,
    encoder: nn.Module,
    decoder: nn.Module,
    preprocessing: Preprocessing,
    dtype: torch.dtype,
) -> float:
    """How far onnxruntime is from PyTorch on random samples and on their codes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(_CHECKED_SAMPLES, *preprocessing.sample_shape, generator=generator, dtype=torch.float64)
    units = x * torch.from_numpy(np.asarray(preprocessing.scale)) + torch.from_numpy(np.asarray(preprocessing.offset))
    samples = units.to(dtype)
    with torch.inference_mode():
        codes = encoder(samples)
        decoded = decoder(codes)
    onnx_codes = _session(runtime, folder / ENCODER).run(None, {"samples": samples.numpy()})[0]
    onnx_decoded = _session(runtime, folder / DECODER).run(None, {"codes": codes.numpy()})[0]
    in_codes = np.abs(onnx_codes - codes.numpy()).max() / max(1.0, float(codes.abs().max()))
    in_samples = (np.abs(onnx_decoded - decoded.numpy()) / preprocessing.scale).max()
    return float(max(in_codes, in_samples))


def _session(runtime: Any, path: Path) -> Any:
    """An onnxruntime session on the processor."""
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
