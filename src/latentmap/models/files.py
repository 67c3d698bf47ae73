"""Model files: a folder with the weights, what they are, and how they were learned. No pickle, no training data.

``model.safetensors`` holds the weights, the preprocessing's numbers and those of the codes' mixture,
``config.json`` everything needed to build the network around them, ``history.jsonl`` one line an epoch. Loading trusts
nothing: the network that the config describes is laid out without memory first, and only a file whose header states
tensors of exactly its names, shapes and types is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from latentmap.checks import check_share
from latentmap.data.preprocessing import Preprocessing
from latentmap.data.source import Reading
from latentmap.errors import DatasetError, ModelFileError, warn, words_of
from latentmap.files import flush, holds_only, new_folder, read_folder
from latentmap.models import MODELS
from latentmap.models.base import AutoencoderModule
from latentmap.models.mixture import CodeMixture
from latentmap.models.own import OWN, OwnAutoencoder, Pair, is_pair

if TYPE_CHECKING:
    from latentmap.models.fitted import FittedModel

FORMAT_VERSION = 3  # 1 had no mixture, 2 no linear path
_WEIGHTS, _CONFIG, _HISTORY = "model.safetensors", "config.json", "history.jsonl"
_DTYPES = {name: name for name in ("uint8", "float32", "float64")}  # what `fit` may have seen
_OFFSET, _SCALE = "preprocessing.offset", "preprocessing.scale"
_MIXTURE = "mixture."
_MOST_TEXT = 2**26  # bytes of config.json and of history.jsonl: a million names of columns, 400,000 epochs
_MOST_COMPONENTS = 1000  # of a mixture


def is_model_folder(path: Path) -> bool:
    """Whether a folder is one that `save_model` wrote, and nothing else: replacing it loses nothing else."""
    if not ((path / _WEIGHTS).is_file() and holds_only(path, (_WEIGHTS, _CONFIG, _HISTORY))):
        return False
    try:
        config = json.loads(_read_text(path / _CONFIG))
    except (ModelFileError, OSError, ValueError, RecursionError):
        return False
    # Others have files of these names: what they say tells them apart.
    ours = {"format_version": int, "model": str, "architecture": dict, "preprocessing": dict}
    return isinstance(config, dict) and all(isinstance(config.get(name), kind) for name, kind in ours.items())


def save_model(path: str | os.PathLike[str], model: FittedModel, metadata: Mapping[str, Any]) -> None:
    """Write a model folder; one that is there already stays whole until the new one is."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.module.state_dict().items()}
    tensors[_OFFSET] = torch.tensor(model.preprocessing.offset, dtype=torch.float64)
    tensors[_SCALE] = torch.tensor(model.preprocessing.scale, dtype=torch.float64)
    if model.mixture is not None:
        fields = vars(model.mixture).items()
        tensors |= {_MIXTURE + name: torch.tensor(value, dtype=torch.float32) for name, value in fields}
    architecture = dict(model.module.config)
    config = {
        "format_version": FORMAT_VERSION,
        "model": model.name,
        "architecture": {"image_shape": architecture.pop("sample_shape"), **architecture},
        "preprocessing": model.preprocessing.to_config(),
        **model.info,
        "twicing_gain": model.twicing_gain,
        "feature_names": model.feature_names,
        "metadata": _fitting_metadata(metadata, model.preprocessing.sample_shape),
    }
    texts = {
        _CONFIG: json.dumps(config, indent=2) + "\n",
        _HISTORY: "".join(json.dumps(row) + "\n" for row in model.history),
    }
    if max(map(len, texts.values())) > _MOST_TEXT:
        raise ValueError(
            f"metadata must be less than {_MOST_TEXT:,} characters of JSON. Keep it in a file of its own."
        )
    with new_folder(path, is_ours=is_model_folder) as folder:
        (folder / _WEIGHTS).write_bytes(safetensors.torch.save({name: one.clone() for name, one in tensors.items()}))
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        for file in folder.iterdir():
            flush(file)


def _fitting_metadata(metadata: Mapping[str, Any], sample_shape: tuple[int, ...]) -> dict[str, Any]:
    """What the user wants to be remembered, without a record of reading of other samples, which none could load."""
    kept = dict(metadata)
    if kept.get("reading") is not None:
        try:
            Reading.from_config(kept["reading"], sample_shape)
        except DatasetError as error:
            warn(f"metadata['reading'] is left out: {error}")
            del kept["reading"]
    return kept


def read_model(path: str | os.PathLike[str], own: Pair | None = None) -> dict[str, Any]:
    """The fields of the `FittedModel` in a folder; `ModelFileError` if anything there is not as it was written."""
    try:
        return read_folder(path, lambda folder: _read(folder, path, own))
    except OSError as error:
        raise ModelFileError(f"{error.filename or path} cannot be read: {error.strerror or error}.") from error


def _read(folder: Path, path: str | os.PathLike[str], own: Pair | None) -> dict[str, Any]:
    """Read a folder, which stands at `path` or waits beside it."""
    if not ((folder / _WEIGHTS).is_file() and (folder / _CONFIG).is_file()):
        raise ModelFileError(f"{path} is not a model folder: it must hold {_CONFIG} and {_WEIGHTS}.")
    config = _read_config(folder / _CONFIG)
    _check_own(config["model"], own, path)
    preprocessing = _build_preprocessing(config, folder)
    module = _build_module(config, preprocessing, folder, own)
    tensors = _read_tensors(folder / _WEIGHTS, module, preprocessing)
    preprocessing = _with_numbers(preprocessing, tensors, folder)
    _check_reading(config, preprocessing, folder)
    kept = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_MIXTURE)}
    mixture = _build_mixture(kept, module.latent_dim, folder / _WEIGHTS)
    module.load_state_dict(tensors, assign=True)
    module.eval()
    if not _is_unit(config.get("error_unit"), preprocessing.n_values):
        raise ModelFileError(f"{path} has a damaged entry 'error_unit' in its config. Save the model again.")
    fields = {"name": config["model"], "module": module, "preprocessing": preprocessing, "mixture": mixture}
    fields |= {"history": _read_history(folder / _HISTORY), "feature_names": config.pop("feature_names", None) or None}
    fields["metadata"] = config.pop("metadata", None) or {}
    try:
        gain = config.pop("twicing_gain", 0.0)  # files of before have none
        fields["twicing_gain"] = check_share("twicing_gain", gain)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{path} has a damaged entry in its config: {error}") from error
    known = ("format_version", "model", "architecture", "preprocessing")
    return {**fields, "info": {name: value for name, value in config.items() if name not in known}}


def _is_unit(value: object, n_features: int) -> bool:
    """Whether an entry is what errors can be counted in."""
    try:
        unit = np.asarray(1.0 if value is None else value, np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return unit.shape in ((), (n_features,)) and bool(np.isfinite(unit).all() and (unit > 0).all())


def _read_text(path: Path) -> str:
    """A text file of no more than a sensible size."""
    with path.open("rb") as file:
        content = file.read(_MOST_TEXT + 1)
    if len(content) > _MOST_TEXT:
        raise ModelFileError(f"{path} is damaged: it is larger than {_MOST_TEXT:,} bytes. Save the model again.")
    return content.decode("utf-8")


def _listed(names: Sequence[str]) -> str:
    """Some of the names that a file states, so that neither their number nor what is in them makes a page of it."""
    shown = [name if name.isprintable() and len(name) <= 80 else f"{name!r:.80}" for name in names[:5]]
    return ", ".join(shown) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _read_config(path: Path) -> dict[str, Any]:
    """The config of a format that this version knows."""
    try:
        config = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is not JSON: {words_of(error)}. Save the model again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("format_version"), int):
        raise ModelFileError(f"{path} states no format_version; it is not the config of a latentmap model.")
    if not 1 <= config["format_version"] <= FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format_version {config['format_version']}, this version of latentmap reads up to "
            f"{FORMAT_VERSION}. Upgrade latentmap."
        )
    if not isinstance(config.get("model"), str) or config["model"] not in (*MODELS, OWN):
        raise ModelFileError(
            f"{path} names an unknown architecture {config.get('model')!r:.60}; known are {', '.join(sorted(MODELS))}."
        )
    for name in ("parameters", "training", "versions", "metadata", "objective_params"):
        if not isinstance(config.get(name, {}), (dict, type(None))):
            raise ModelFileError(f"{path} has a damaged entry {name!r}. Save the model again.")
    names = config.get("feature_names") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{path} has a damaged entry 'feature_names'. Save the model again.")
    return config


def _check_own(name: str, own: Pair | None, path: str | os.PathLike[str]) -> None:
    """Refuse modules where they are not wanted, and the want of them."""
    if (name == OWN) == is_pair(own):
        return
    if name == OWN:
        raise ModelFileError(
            f"{path} holds the weights of a network of your own, whose layers no file has. Give them: "
            "Autoencoder.load(path, model=(encoder, decoder))."
        )
    if own is not None:
        raise ModelFileError(f"{path} holds a {name} network, which needs no modules. Leave model out.")


def _read_tensors(path: Path, module: AutoencoderModule, preprocessing: Preprocessing) -> dict[str, torch.Tensor]:
    """The tensors of a file: mapped, and read once their shapes have been found to be what they must be."""
    try:
        mapped = safetensors.torch.load_file(path)
        _check_stated(dict(mapped), module, preprocessing, path)
        return {name: tensor.clone() for name, tensor in mapped.items()}  # the file may change
    except (safetensors.SafetensorError, LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise ModelFileError(f"{path} is truncated or damaged ({words_of(error)}). Save the model again.") from error


def _check_stated(
    stated: dict[str, torch.Tensor], module: AutoencoderModule, preprocessing: Preprocessing, path: Path
) -> None:
    """Refuse tensors that are not exactly those of a model, by name."""
    shape = preprocessing.sample_shape
    for name in (_OFFSET, _SCALE):
        if name not in stated:
            raise ModelFileError(f"{path} lacks the tensor {name}. Save the model again.")
        if tuple(stated.pop(name).shape) not in ((), shape):
            raise ModelFileError(f"{path} has a wrong tensor {name} for samples of shape {shape}.")
    for name in [name for name in stated if name.startswith(_MIXTURE)]:
        size = tuple(stated.pop(name).shape)
        if not size or size[0] > _MOST_COMPONENTS or any(n != module.latent_dim for n in size[1:]) or len(size) > 3:
            raise ModelFileError(f"{path} has a wrong tensor {_listed([name])}. Save the model again.")
    _check_tensors(stated, dict(module.state_dict()), path)


def _build_preprocessing(config: dict[str, Any], folder: Path) -> Preprocessing:
    """The preprocessing that the config states, without its numbers."""
    try:
        stated = config["preprocessing"]
        shape = tuple(int(size) for size in stated["sample_shape"])
        dtype = _DTYPES[stated["dtype"]]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise ModelFileError(
            f"{folder / _CONFIG} has a damaged entry 'preprocessing'. Save the model again."
        ) from error
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise ModelFileError(f"{folder / _CONFIG} has an impossible sample_shape {shape}.")
    return Preprocessing(shape, dtype, np.zeros(()), np.ones(()))


def _with_numbers(preprocessing: Preprocessing, tensors: dict[str, torch.Tensor], folder: Path) -> Preprocessing:
    """The preprocessing with its numbers, which are taken out of `tensors`."""
    numbers = {name: tensors.pop(name).double().numpy() for name in (_OFFSET, _SCALE)}
    for name, array in numbers.items():
        if not np.isfinite(array).all():
            raise ModelFileError(
                f"{folder / _WEIGHTS} has a wrong tensor {name} for samples of shape {preprocessing.sample_shape}: it "
                "must be finite."
            )
    if (numbers[_SCALE] == 0).any():
        raise ModelFileError(f"{folder / _WEIGHTS} has a scale of 0 in {_SCALE}.")
    return replace(preprocessing, offset=numbers[_OFFSET], scale=numbers[_SCALE])


def _check_reading(config: dict[str, Any], preprocessing: Preprocessing, folder: Path) -> None:
    """Refuse a record of how data is read that does not lead to the samples that the network takes."""
    reading = (config.get("metadata") or {}).get("reading")
    if reading is not None:
        try:
            Reading.from_config(reading, preprocessing.sample_shape)
        except DatasetError as error:
            raise ModelFileError(f"{folder / _CONFIG} has a damaged entry 'metadata.reading': {error}") from error


def _build_module(
    config: dict[str, Any], preprocessing: Preprocessing, folder: Path, own: Pair | None
) -> AutoencoderModule:
    """The network that the config describes, laid out without memory (on PyTorch's "meta" device)."""
    try:
        arguments = dict(config["architecture"])
        arguments["sample_shape"] = tuple(arguments.pop("image_shape"))  # the file's name for it
        module: AutoencoderModule
        if own is not None:
            module = OwnAutoencoder.of(own, **arguments)
        else:
            with torch.device("meta"):
                module = MODELS[config["model"]](**arguments).float()  # whatever the default dtype is
    except (TypeError, KeyError, ValueError, RuntimeError, OverflowError) as error:
        said = words_of(error)
        if own is not None:
            raise ModelFileError(f"{folder} is of another network than the one given: {said}.") from error
        raise ModelFileError(f"{folder / _CONFIG} has a damaged entry 'architecture' ({said}).") from error
    if module.sample_shape != preprocessing.tensor_shape:
        raise ModelFileError(
            f"{folder / _CONFIG} contradicts itself: image_shape {module.sample_shape} does not fit samples of shape "
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
        raise ModelFileError(f"{path} lacks the tensor(s) {_listed(missing)}. Is it of another model than {_CONFIG}?")
    if extra := sorted(found.keys() - wanted.keys()):
        raise ModelFileError(
            f"{path} has the unexpected tensor(s) {_listed(extra)}. Is it of another model than {_CONFIG}?"
        )
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
        return [dict(json.loads(line)) for line in _read_text(path).splitlines()]
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: a line is not a JSON object. Remove the file or save again."
        ) from error
