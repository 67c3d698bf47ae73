"""Model files: a folder with the weights, what they are, and how they were learned. No pickle, no training data.

``model.safetensors`` holds the weights, the preprocessing's numbers and those of the codes' mixture,
``config.json`` everything needed to build the network around them, ``history.jsonl`` one line an epoch. Loading trusts
nothing: the network that the config describes is laid out without memory first, and only a file whose tensors have
exactly its names, shapes and types is taken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import ModelFileError
from latentmap.files import new_folder, recover_folder
from latentmap.models.base import AutoencoderModule
from latentmap.models.mixture import CodeMixture
from latentmap.models.registry import MODELS

FORMAT_VERSION = 2  # 1 had no mixture
_WEIGHTS, _CONFIG, _HISTORY = "model.safetensors", "config.json", "history.jsonl"
_DTYPES = {name: name for name in ("uint8", "float32", "float64")}  # what `fit` may have seen
_OFFSET, _SCALE = "preprocessing.offset", "preprocessing.scale"
_MIXTURE = "mixture."


@dataclass(frozen=True, eq=False)
class StoredModel:
    """What a model folder holds.

    Parameters
    ----------
    model : str
        A name in `MODELS`.
    module : AutoencoderModule
        With its weights.
    preprocessing : Preprocessing
        From samples to network input and back.
    info : mapping
        What else is recorded: estimator parameters, training summary, library versions.
    history : sequence of mapping
        One row an epoch.
    mixture : CodeMixture, optional
        How codes are distributed.
    """

    model: str
    module: AutoencoderModule
    preprocessing: Preprocessing
    info: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    mixture: CodeMixture | None = None


def is_model_folder(path: Path) -> bool:
    """Return whether a folder looks like one that `save_model` wrote."""
    return (path / _WEIGHTS).is_file() and (path / _CONFIG).is_file()


def save_model(path: str | os.PathLike[str], stored: StoredModel) -> None:
    """Write a model folder; one that is there already stays whole until the new one is.

    Parameters
    ----------
    path : path
        The folder to make or, where it is a model folder, to replace.
    stored : StoredModel
        What to write.

    Raises
    ------
    OutputError
        If the folder holds something else, or cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in stored.module.state_dict().items()}
    tensors[_OFFSET] = torch.tensor(stored.preprocessing.offset, dtype=torch.float64)
    tensors[_SCALE] = torch.tensor(stored.preprocessing.scale, dtype=torch.float64)
    if stored.mixture is not None:
        arrays = stored.mixture.to_arrays()
        tensors |= {_MIXTURE + name: torch.tensor(value, dtype=torch.float32) for name, value in arrays.items()}
    config = {
        "format_version": FORMAT_VERSION,
        "model": stored.model,
        "architecture": stored.module.config,
        "preprocessing": stored.preprocessing.to_config(),
        **stored.info,
    }
    with new_folder(path, is_ours=is_model_folder) as folder:
        (folder / _WEIGHTS).write_bytes(safetensors.torch.save(tensors))
        (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (folder / _HISTORY).write_text("".join(json.dumps(row) + "\n" for row in stored.history), encoding="utf-8")


def load_model(path: str | os.PathLike[str]) -> StoredModel:
    """Read a model folder back.

    Parameters
    ----------
    path : path
        A folder that `save_model` wrote.

    Returns
    -------
    StoredModel
        With weights bit-equal to those saved, the module in evaluation mode.

    Raises
    ------
    ModelFileError
        If it is no model folder, is of a newer format, or anything in it is not as it was written; by name.
    """
    folder = Path(path).absolute()
    recover_folder(folder)
    if not is_model_folder(folder):
        raise ModelFileError(f"{path} is not a model folder: it must hold {_CONFIG} and {_WEIGHTS}.")
    config = _read_config(folder / _CONFIG)
    tensors = _read_tensors(folder / _WEIGHTS)
    preprocessing = _build_preprocessing(config, tensors, folder)
    module = _build_module(config, preprocessing, folder)
    kept = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_MIXTURE)}
    _check_tensors(tensors, dict(module.state_dict()), folder / _WEIGHTS)
    mixture = _build_mixture(kept, module.latent_dim, folder / _WEIGHTS)
    module.load_state_dict(tensors, assign=True)
    module.eval()
    known = ("format_version", "model", "architecture", "preprocessing")
    info = {name: value for name, value in config.items() if name not in known}
    return StoredModel(config["model"], module, preprocessing, info, _read_history(folder / _HISTORY), mixture)


def _read_config(path: Path) -> dict[str, Any]:
    """The config of a format that this version knows."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is not JSON: {str(error).splitlines()[0]}. Save the model again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("format_version"), int):
        raise ModelFileError(f"{path} states no format_version; it is not the config of a latentmap model.")
    if not 1 <= config["format_version"] <= FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format_version {config['format_version']}, this version of latentmap reads up to "
            f"{FORMAT_VERSION}. Upgrade latentmap."
        )
    if not isinstance(config.get("model"), str) or config["model"] not in MODELS:
        raise ModelFileError(
            f"{path} names an unknown architecture {config.get('model')!r}; known are {', '.join(sorted(MODELS))}."
        )
    for name in ("parameters", "training", "versions", "metadata", "objective_params"):
        if not isinstance(config.get(name, {}), (dict, type(None))):
            raise ModelFileError(f"{path} has a damaged entry {name!r}. Save the model again.")
    names = config.get("feature_names") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{path} has a damaged entry 'feature_names'. Save the model again.")
    return config


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file."""
    try:
        return safetensors.torch.load(path.read_bytes())
    except (OSError, safetensors.SafetensorError, ValueError, KeyError) as error:
        detail = str(error).splitlines()[0]
        raise ModelFileError(f"{path} is truncated or damaged ({detail}). Save the model again.") from error


def _build_preprocessing(config: dict[str, Any], tensors: dict[str, torch.Tensor], folder: Path) -> Preprocessing:
    """The preprocessing, its numbers taken out of `tensors`."""
    numbers = []
    for name in (_OFFSET, _SCALE):
        if name not in tensors:
            raise ModelFileError(f"{folder / _WEIGHTS} lacks the tensor {name}. Save the model again.")
        numbers.append(tensors.pop(name).double().numpy())
    stated = config.get("preprocessing")
    try:
        shape = tuple(int(size) for size in stated["sample_shape"])  # type: ignore[index]
        dtype = _DTYPES[stated["dtype"]]  # type: ignore[index]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise ModelFileError(
            f"{folder / _CONFIG} has a damaged entry 'preprocessing'. Save the model again."
        ) from error
    for name, array in zip((_OFFSET, _SCALE), numbers, strict=True):
        if array.shape not in ((), shape) or not np.isfinite(array).all():
            raise ModelFileError(f"{folder / _WEIGHTS} has a wrong tensor {name} for samples of shape {shape}.")
    if len(shape) not in (1, 2, 3) or min(shape) < 1 or (numbers[1] == 0).any():
        raise ModelFileError(f"{folder / _CONFIG} has an impossible sample_shape {shape} or a scale of 0.")
    return Preprocessing(shape, dtype, *numbers)


def _build_module(config: dict[str, Any], preprocessing: Preprocessing, folder: Path) -> AutoencoderModule:
    """The network that the config describes, laid out without memory (on PyTorch's "meta" device)."""
    try:
        arguments = dict(config["architecture"])
        arguments["image_shape"] = tuple(arguments["image_shape"])
        with torch.device("meta"):
            module = MODELS[config["model"]](**arguments).float()  # whatever the default dtype is
    except (TypeError, KeyError, ValueError, RuntimeError, OverflowError) as error:
        detail = str(error).splitlines()[0]
        raise ModelFileError(f"{folder / _CONFIG} has a damaged entry 'architecture' ({detail}).") from error
    if module.image_shape != preprocessing.tensor_shape:
        raise ModelFileError(
            f"{folder / _CONFIG} contradicts itself: image_shape {module.image_shape} does not fit samples of shape "
            f"{preprocessing.sample_shape}."
        )
    return module


def _build_mixture(tensors: dict[str, torch.Tensor], latent_dim: int, path: Path) -> CodeMixture | None:
    """The mixture of codes; None where there are no numbers of one."""
    if not tensors:
        return None
    arrays = {name.removeprefix(_MIXTURE): value.double().numpy() for name, value in tensors.items()}
    try:
        return CodeMixture.from_arrays(arrays, latent_dim)
    except ValueError as error:
        raise ModelFileError(f"{path} has a wrong or no tensor {_MIXTURE}{error}. Save the model again.") from error


def _check_tensors(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], path: Path) -> None:
    """Refuse tensors that are not exactly those wanted, by name."""
    if missing := sorted(wanted.keys() - found.keys()):
        raise ModelFileError(f"{path} lacks the tensor(s) {', '.join(missing)}. Save the model again.")
    if extra := sorted(found.keys() - wanted.keys()):
        raise ModelFileError(f"{path} has the unexpected tensor(s) {', '.join(extra)}. Is it of another model?")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise ModelFileError(
                f"{path} has a wrong tensor {name}: it must be {tuple(wanted[name].shape)} {wanted[name].dtype}, "
                f"got {tuple(tensor.shape)} {tensor.dtype}."
            )


def _read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a history file; none where it is missing (nothing depends on it)."""
    if not path.is_file():
        return []
    try:
        return [dict(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: a line is not a JSON object. Remove the file or save again."
        ) from error
