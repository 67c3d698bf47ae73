"""From checked samples to a fitted model: what `Autoencoder.fit` and `partial_fit` do before and after the loop.

Parameters come by name, as `Autoencoder` takes them; the loop knows only the plan that is made of them.
"""

import copy
import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import latentmap
from latentmap.checks import check_choice, check_number, check_params, check_refine, check_share, draw_seed
from latentmap.data.cache import FileRegion
from latentmap.data.preprocessing import SCALINGS, Preprocessing, measuring_unit, range_in_words
from latentmap.data.windows import n_overlapping
from latentmap.errors import TrainingError, warn
from latentmap.models import MODELS, choose_model
from latentmap.models.base import AutoencoderModule, build, path_config
from latentmap.models.fitted import FittedModel, pieces
from latentmap.models.own import OWN, OwnAutoencoder, digest, is_pair
from latentmap.models.refine import twiced
from latentmap.training.augmentation import AUGMENTATIONS, can_be_moved
from latentmap.training.batches import Batches
from latentmap.training.callbacks import Callback, PrintEpochs
from latentmap.training.checkpoints import Checkpoints
from latentmap.training.loop import train
from latentmap.training.objectives import Objective, make_objective
from latentmap.training.plan import TrainingPlan, resolve
from latentmap.training.ranks import Ranks
from latentmap.training.runtime import PRECISIONS, choose_device
from latentmap.training.streamed import StreamedBatches

_MEASURED = 4096  # moves of samples along numbers of their codes that say how far each goes; of few samples, fewer
_FEWEST_MEASURED = 4  # samples
_JUDGED = 256  # samples learned from that tell whether codes gain by being corrected, where none are kept
_LEAST_GAIN = 0.002  # of the error: encoding takes three to eight times as long by it
_FEW_VECTORS = 5000  # samples
_OF_PIECES, _AFTER_FIT = 1 / 3, 1 / 10
"""Of the highest rate, for steps of the architecture's number of samples; with fewer it falls with their square root.
What `fit` has brought to the end of its schedule would else be shaken up again."""
_SHORTEST = 1e-3  # over the longest: numbers that draw nothing; the mixture of codes would drown shorter ones

Parameters = Mapping[str, Any]


def check_parameters(parameters: Parameters) -> Objective:
    """Refuse parameters out of range, each by name; the objective."""
    model, models = parameters["model"], ("auto", *MODELS)
    if isinstance(model, (int, np.integer)) and not isinstance(model, bool):
        named = ", ".join(map(repr, sorted(models)))
        raise ValueError(f"model must be one of {named}, got {model}. Did you mean latent_dim={model}?")
    if isinstance(model, (nn.Module, tuple, list)) and not is_pair(model):
        raise ValueError(
            "model must be the name of an architecture, or a pair (encoder, decoder) of torch.nn.Module, got "
            f"{type(model).__name__}."
        )
    if not is_pair(model):
        check_choice("model", model, models)
    _check_model_params(model, parameters["model_params"])
    objective = make_objective(parameters["objective"], parameters["objective_params"])
    check_choice("scaling", parameters["scaling"], SCALINGS)
    check_choice("precision", parameters["precision"], PRECISIONS)
    check_choice("augmentation", parameters["augmentation"], ("auto", *AUGMENTATIONS))
    whole = {"latent_dim": None, "epochs": "auto", "batch_size": "auto", "patience": "auto"}
    for name, unset in {**whole, "learning_rate": "auto", "weight_decay": "auto"}.items():
        value = parameters[name]
        if (isinstance(value, str) and value == unset) or (value is None and name in ("latent_dim", "patience")):
            continue
        if name == "weight_decay":
            check_share(name, value, most=None)
        else:
            check_number(name, value, whole=name in whole)
    check_refine(parameters["refine"])
    verbose = parameters["verbose"]
    check_number("verbose", int(verbose) if isinstance(verbose, (bool, np.bool_)) else verbose, whole=True, least=0)
    fraction, callbacks = parameters["validation_fraction"], parameters["callbacks"]
    if not isinstance(fraction, (int, float, np.number)) or not 0 <= fraction < 1:
        raise ValueError(f"validation_fraction must be at least 0 and less than 1, got {fraction!r}.")
    rule = "callbacks must be a sequence of Callback instances"
    if isinstance(callbacks, (str, Callback)) or not isinstance(callbacks, Iterable):
        hint = " Put it in a list." if isinstance(callbacks, Callback) else ""
        raise TypeError(f"{rule}, got {callbacks!r}.{hint}")
    if wrong := [each for each in callbacks if not isinstance(each, Callback)]:
        raise TypeError(f"{rule}, got {wrong[0]!r} in it.")
    return objective


def _check_model_params(model: Any, params: Any) -> None:
    """Refuse settings that an architecture does not have."""
    if params is not None and (is_pair(model) or model == "auto"):
        what = "is to be chosen" if model == "auto" else "is given as modules"
        raise ValueError(f"model_params must be left out where model {what}. Name an architecture.")
    if params is not None:
        ours = ("sample_shape", "latent_dim", "linear_path")
        check_params("model_params", params, f"model={model!r}", MODELS[model], leave=ours)


def check_network_stays(model: FittedModel, parameters: Parameters) -> None:
    """Refuse parameters by which another network would be built than the one that is to learn more."""
    recorded, pair = model.info.get("parameters") or {}, "(encoder, decoder)"
    built: dict[str, Any] = {"model": pair if model.name == OWN else model.name, "latent_dim": model.latent_dim}
    built["model_params"] = recorded.get("model_params", parameters["model_params"])
    for name, there in built.items():
        value = pair if is_pair(parameters[name]) else parameters[name]
        same = {json.dumps(one or None, default=int) for one in (there, recorded.get(name))}  # tuples are lists there
        if json.dumps(value or None, default=int) not in same:
            raise ValueError(
                f"{name} must stay {there!r} while a network learns from more, got {value!r}. Set it back, or "
                "fit anew."
            )


def settings_of(parameters: Parameters, samples: NDArray[Any]) -> dict[str, Any]:
    """All that decides what is learned from samples, as JSON can hold it."""
    ignored, seed = ("callbacks", "verbose", "random_state", "device", "refine"), parameters["random_state"]
    deciding = ((name, value) for name, value in parameters.items() if name not in ignored)
    return {
        **{name: _as_setting(value) for name, value in deciding},
        "seed": int(seed) if isinstance(seed, (int, np.integer)) else None,
        "shape of the data": [*samples.shape, str(samples.dtype)],
        "digest of the data": _digest(np.ascontiguousarray(samples)),
    }


def learned_from(model: FittedModel, samples: NDArray[Any]) -> bool | None:
    """Whether a model was fitted to just these samples; None where its record does not say."""
    settings = model.info.get("settings") or {}
    if "digest of the data" not in settings or model.n_samples != len(samples):
        return False if settings else None
    return bool(settings["digest of the data"] == _digest(np.ascontiguousarray(samples)))


def _as_setting(value: Any) -> Any:
    """A parameter's value as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    return digest(value) if is_pair(value) else value


def untrained(
    samples: NDArray[Any],
    parameters: Parameters,
    objective: Objective,
    feature_names: Sequence[object] | None,
    seed: int | None = None,
    *,
    piecewise: bool = False,
) -> FittedModel:
    """A model for such samples, before the first step; without a seed, one is drawn, for all processes."""
    seed = Ranks.here().same(draw_seed(parameters["random_state"]) if seed is None else seed)
    preprocessing = Preprocessing.fit(samples, parameters["scaling"])
    if parameters["verbose"] and preprocessing.is_images and not preprocessing.is_raw:
        black_to_white = range_in_words(preprocessing.pixel_range)
        sys.stderr.write(f"pixels from {black_to_white} are taken as black to white\n")
    model, shape, latent_dim = parameters["model"], preprocessing.tensor_shape, parameters["latent_dim"]
    module: AutoencoderModule
    if is_pair(model):
        name, module = OWN, OwnAutoencoder.of(model, shape, latent_dim)
    else:
        name = model
        if name == "auto":
            latent_dim = min(2, preprocessing.n_values) if latent_dim is None else int(latent_dim)
            name = choose_model(shape, len(samples), latent_dim)
            config = path_config(shape, latent_dim)
        else:
            config = MODELS[name].config_for(shape, latent_dim)
            if len(shape) == 1 and len(samples) <= _FEW_VECTORS and not piecewise:
                config |= MODELS[name].config_of_few_vectors
        config |= MODELS[name].config_of_maps if objective.keeps_neighbors else {}
        config |= parameters["model_params"] or {}
        chosen = {} if latent_dim is None else {"latent_dim": int(latent_dim)}
        module = build(MODELS[name], seed, sample_shape=shape, **chosen, **config)
    if latent_dim is not None and module.latent_dim > preprocessing.n_values:
        warn(
            f"latent_dim is {module.latent_dim}, more than the {preprocessing.n_values} numbers of a sample: "
            "the code compresses nothing."
        )
    own_unit = samples.ndim == 2 and parameters["scaling"] != "auto"
    info = {"seed": seed, "error_unit": np.asarray(measuring_unit(samples)).tolist() if own_unit else None}
    names = None if feature_names is None else [str(name) for name in feature_names]
    return FittedModel(name, module, preprocessing, info, feature_names=names)


def learn(
    model: FittedModel,
    samples: NDArray[Any],
    parameters: Parameters,
    objective: Objective,
    *,
    piecewise: bool = False,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
) -> str | None:
    """Train a model on these samples and record what happened; what went wrong after a good epoch."""
    device, start = choose_device(parameters["device"]), time.perf_counter()
    model.twicing_gain = 0.0  # codes are looked at meanwhile as the encoder gives them
    learned = model.with_former(samples) if piecewise else samples
    plan = _plan(model, learned, parameters, objective, device, piecewise=piecewise)
    described = {name: parameters[name] for name in ("objective", "objective_params")}
    goes_on = all(model.info.get(name) == value for name, value in described.items())
    batches = _batches(model, learned, plan, 0.0 if piecewise else parameters["validation_fraction"], device)
    speaks = parameters["verbose"] and batches.ranks.is_first
    result = train(
        model.module,
        batches,
        objective,
        plan,
        callbacks=[*parameters["callbacks"], *([PrintEpochs()] if speaks else [])],
        untrained=model.n_iter == 0,
        optimizer_state=model.optimizer_state if goes_on else None,
        checkpoints=checkpoints,
        resume=resume,
        encode=model.encode_meanwhile,
    )
    if result.best_epoch == 0 and result.start is None:
        raise TrainingError(result.problem)
    if objective.loss_is_error and model.module.can_scale_codes and not piecewise:
        _measure_codes(model.module, batches)
    if objective.corrects_codes:
        model.twicing_gain = _twicing_gain(model.module, batches)
    training = {
        **result.facts(n_before=model.n_iter),
        "samples": len(samples) + (model.n_samples if piecewise else 0),
        "annealed": model.is_annealed or not piecewise,
        "seconds": round(time.perf_counter() - start, 3),
        "device": str(device),
    }
    model.prior_is_normal = objective.prior_is_normal
    model.take_in(samples, piecewise=piecewise)
    model.history += [{**record.as_dict(), "epoch": model.n_iter + record.epoch} for record in result.records]
    model.optimizer_state = result.optimizer_state if piecewise else None
    recorded = (model.info.get("parameters") or {}) if piecewise else {}  # as it was built, a network stays
    built = {name: recorded[name] for name in ("model", "latent_dim", "model_params") if name in recorded}
    model.info = {
        **copy.deepcopy(described),
        "error_unit": model.info.get("error_unit"),
        "parameters": {name: copy.deepcopy(value) for name, value in parameters.items() if _is_json(value)} | built,
        "seed": model.seed,
        "settings": None if checkpoints is None else checkpoints.settings,
        "training": training,
        "versions": _versions(),
    }
    return result.problem


def _plan(
    model: FittedModel,
    samples: NDArray[Any],
    parameters: Parameters,
    objective: Objective,
    device: torch.device,
    *,
    piecewise: bool,
) -> TrainingPlan:
    """What training is about to do; of a piece one epoch, at a steady rate."""
    recipe, is_images = objective.adapt(model.module.recipe), model.preprocessing.is_images
    plan = resolve(
        parameters, recipe, model.name, len(samples), device,
        latent_dim=model.latent_dim, is_images=is_images, can_be_moved=is_images and can_be_moved(samples),
        loss_is_error=objective.loss_is_error,
    )  # fmt: skip
    if not piecewise:
        return plan
    # Lower for a model that `fit` has brought to rest, and for small batches.
    share = _AFTER_FIT if model.is_annealed else _OF_PIECES
    rate = share * min(1.0, plan.batch_size / recipe.batch_size) ** 0.5 * plan.learning_rate
    return replace(plan, epochs=1, learning_rate=rate, decay=False, patience=None)


def _batches(
    model: FittedModel,
    samples: NDArray[Any],
    plan: TrainingPlan,
    validation_fraction: float,
    device: torch.device,
) -> Batches:
    """What a model learns from, in memory or read as it goes."""
    data = model.for_training(samples)
    kind = StreamedBatches if isinstance(data, FileRegion) else Batches
    return kind(
        data,
        model.preprocessing,
        batch_size=plan.batch_size,
        seed=model.seed + model.n_iter,  # each piece in an order of its own
        validation_fraction=validation_fraction,
        device=device,
        augmentation=AUGMENTATIONS[plan.augmentation],
        epochs=plan.epochs,
        overlapping=n_overlapping(samples) if validation_fraction else 0,
    )


def _versions() -> dict[str, str]:
    """Of everything that decides what comes out."""
    return {module.__name__: module.__version__ for module in (latentmap, torch, np)} | {
        "python": platform.python_version()
    }


@torch.no_grad()
def _measure_codes(module: AutoencoderModule, batches: Batches) -> None:
    """Let numbers of a code count as much as what they draw, as PCA's do: near codes are then of alike samples."""
    n = max(_FEWEST_MEASURED, min(_MEASURED, 4 * batches.n_train) // module.latent_dim)
    x = batches.take(batches.train_rows[:: -(-batches.n_train // n)]).cpu()
    lengths = module.code_lengths(module.encode(x))
    if (longest := float(lengths.max())) > 0:
        module.scale_codes(lengths.clamp(min=_SHORTEST * longest))


@torch.no_grad()
def _twicing_gain(module: AutoencoderModule, batches: Batches) -> float:
    """The share of the error that correcting codes saves, 0 where that is too little for what it costs.

    All validation samples judge: the first, in the order of the data, may be of one kind. Where none are kept, some of
    those that were learned from do.
    """

    def judging() -> Iterator[Tensor]:
        yield from (batch.x for batch in batches.validation())
        if not batches.n_validation:
            some = batches.some()
            numbers = torch.Generator().manual_seed(batches.seed % 2**63)
            yield some[torch.randperm(len(some), generator=numbers)[:_JUDGED]]

    errors = torch.zeros(2, dtype=torch.float64)  # of the encoder's codes, of corrected ones
    for x in judging():
        here = x.cpu()
        codes = module.encode(here), twiced(module, here)
        errors += torch.stack([(here - module.decode(z)).square().double().sum() for z in codes])
    gain = float(1 - errors[1] / errors[0])
    return batches.ranks.same(round(gain, 4) if gain >= _LEAST_GAIN else 0.0)


def _digest(samples: NDArray[Any]) -> str:
    """What tells samples from others."""
    digest = hashlib.blake2b(digest_size=16)
    for _, piece in pieces(samples):
        digest.update(piece.data)
    return digest.hexdigest()


def _is_json(value: object) -> bool:
    """Whether JSON can hold a parameter's value."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(part) for name, part in value.items())
    if isinstance(value, (list, tuple)) and value:
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, int, float, bool))
