"""One model trained by the workers of a Ray cluster: `Autoencoder.fit` in a process group that Ray Train starts.

Whatever a worker has to say, its progress and in the end the model, it leaves in a mailbox, an actor beside the
program that asked for it. Where a worker is lost, Ray Train starts the group again, which goes on from the checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from latentmap.checks import check_number
from latentmap.data import Dataset, load_dataset
from latentmap.data.builtin import BUILTIN_NAMES
from latentmap.data.source import memory_budget
from latentmap.data.storage import Storage, absolute, is_address, is_pattern
from latentmap.distributed.cluster import Mailbox, cluster
from latentmap.errors import LatentmapError, TrainingError, words_of
from latentmap.estimator import Autoencoder
from latentmap.training.callbacks import Callback
from latentmap.training.checkpoints import has_checkpoint, remove_checkpoint

_MOST_FAILURES = 100  # of workers, before something else must be wrong
_PATIENCE = 86_400  # seconds that one waits for another, who may decode a source; who is lost Ray sees at once
_GLANCE = 0.2  # seconds between two looks into the mailbox


def fit(
    autoencoder: Autoencoder,
    source: str | os.PathLike[str] | Dataset | ArrayLike,
    *,
    num_workers: int,
    address: str | None = None,
    storage: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: float = 30.0,
    **options: Any,
) -> Autoencoder:
    """Fit an estimator by several workers of a Ray cluster: the model that as many processes of torchrun would give.

    Parameters
    ----------
    autoencoder : Autoencoder
        The estimator, with its parameters; it is fitted when this returns.
    source : str, path, Dataset or array
        What to learn from: the training split of what `load_dataset` makes of a name, path, pattern or address that
        every worker can read; of a dataset; or an array, which is sent to them.
    num_workers : int
        How many processes share each batch, with a processor each, or a GPU where the cluster has so many.
    address : str, optional
        ``"auto"`` or ``"host:port"`` of a cluster. By default one on this machine is started, and stopped in the end.
    storage : path, optional
        A folder that all workers can write to, or the address of one (``"s3://bucket/run"``), for the checkpoint. By
        default a temporary one on this machine.
    resume : bool, default False
        Whether to go on from a checkpoint that `storage` holds.
    checkpoint_every : float, default 30
        Seconds between two checkpoints: what the loss of a worker costs at most, beside starting again.
    **options
        How to read a source, as `load_dataset` takes it.

    Returns
    -------
    Autoencoder
        The estimator.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of range.
    LatentmapError
        If the data cannot be read, training cannot go on, or the cluster cannot be reached.
    MissingExtraError
        If Ray is not installed.

    Examples
    --------
    >>> from latentmap import Autoencoder, distributed, load_dataset
    >>> digits = load_dataset("digits", size=8)
    >>> ae = Autoencoder(epochs=2, random_state=0)
    >>> ae = distributed.fit(ae, digits, num_workers=2)  # doctest: +SKIP
    """
    fitted, _ = fit_and_tell(
        autoencoder, source, num_workers=num_workers, address=address, storage=storage, resume=resume,
        checkpoint_every=checkpoint_every, **options,
    )  # fmt: skip
    if storage is not None:
        remove_checkpoint(storage)
    return fitted


def fit_and_tell(
    autoencoder: Autoencoder,
    source: Any,
    *,
    num_workers: int,
    address: str | None,
    storage: str | os.PathLike[str] | None,
    resume: bool,
    checkpoint_every: float,
    tell: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> tuple[Autoencoder, dict[str, Any]]:
    """`fit`; also what is known of the data. `tell` is told what the user should know of it."""
    check_number("num_workers", num_workers, whole=True)
    callbacks = list(autoencoder.callbacks)
    if any(type(one).on_weights is not Callback.on_weights for one in callbacks):
        raise ValueError(
            "callbacks must not ask for codes meanwhile (on_weights) where workers learn. Leave them out."
        )
    with contextlib.ExitStack() as stack:
        if storage is None:
            storage = stack.enter_context(tempfile.TemporaryDirectory())
        place = str(storage) if is_address(storage) else str(Path(storage).resolve())
        if not resume and has_checkpoint(place):
            raise LatentmapError(f"{place} holds an interrupted run. Resume it, or name another storage.")
        ray = stack.enter_context(cluster(num_workers, address))
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
        if options.get("data_dir") is not None:
            options["data_dir"] = absolute(os.fspath(options["data_dir"]))
        parameters = {**autoencoder.get_params(deep=False), "callbacks": (), "verbose": 0}
        if isinstance(source, (str, os.PathLike)):  # each worker reads it by itself
            name, array = _absolute(source), None
        else:
            X = np.ascontiguousarray(source.train.X) if isinstance(source, Dataset) else source
            name, array = "", ray.put(X)
        work = _Work(parameters, name, options, array, place, checkpoint_every, mailbox)
        result = _run(ray, work, num_workers, callbacks, tell)
    if "model" not in result:
        raise TrainingError("the workers ended without a model. See Ray's logs (/tmp/ray/session_latest/logs).")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in result["model"].items():
            (Path(folder) / name).write_bytes(content)
        pair = None if isinstance(autoencoder.model, str) else autoencoder.model
        fitted = Autoencoder.load(folder, model=pair)
    return autoencoder._become(fitted, None), result["facts"]


def _absolute(source: str | os.PathLike[str]) -> str:
    """A path or pattern as workers find it, who start elsewhere; a name or an address as it is."""
    name = os.fspath(source)
    is_path = is_pattern(name) or (name not in BUILTIN_NAMES and Path(name).exists())
    return absolute(name) if is_path else name


def _run(
    ray: Any, work: _Work, num_workers: int, callbacks: list[Callback], tell: Callable[[str], None]
) -> dict[str, Any]:
    """Have the workers do it, and pass on what they say; the last of it."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    for name, value in {"ENABLE_PRINT_PATCH": "0", "WORKER_GROUP_START_TIMEOUT_S": "600"}.items():
        os.environ.setdefault(f"RAY_TRAIN_{name}", value)
    if (there := ray.cluster_resources().get("CPU", 0)) < num_workers:
        tell(f"the cluster has {there:g} processors for {num_workers} workers: they wait until there are more.")
    use_gpu = ray.cluster_resources().get("GPU", 0) >= num_workers
    storage, own = Storage(work.storage), f".ray-{uuid.uuid4().hex}"
    runs, filesystem = storage.path, storage.filesystem
    trainer = TorchTrainer(
        _learn,
        train_loop_config={"work": work},
        # Samples and decisions travel over gloo, gradients on GPUs over nccl.
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo", timeout_s=_PATIENCE),
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=use_gpu),
        run_config=RunConfig(
            name=own,
            storage_path=runs,
            storage_filesystem=filesystem,
            failure_config=FailureConfig(max_failures=_MOST_FAILURES),
        ),
    )
    ended, failures = threading.Event(), []

    def train() -> None:
        try:
            trainer.fit()
        except Exception as error:
            failures.append(error)
        finally:
            ended.set()

    result: dict[str, Any] = {}
    try:
        # In a thread of its own: in the main one Ray would keep Ctrl-C for itself, for ever.
        threading.Thread(target=train, daemon=True).start()
        while not ended.wait(_GLANCE):
            _take(ray, work.mailbox, callbacks, tell, result)
        with contextlib.suppress(ray.exceptions.RayError):  # what is there of the cluster
            _take(ray, work.mailbox, callbacks, tell, result)
    except BaseException:
        ray.get(work.mailbox.put.remote("error", pickle.dumps(TrainingError("training was broken off."))))
        raise
    finally:
        with contextlib.suppress(OSError):
            filesystem.delete_dir(f"{runs}/{own}")
    if "error" in result:
        raise result["error"]
    if failures and "model" not in result:
        raise TrainingError(f"the workers could not train: {words_of(failures[0], 300)}.") from failures[0]
    return result


def _take(
    ray: Any, mailbox: Any, callbacks: list[Callback], tell: Callable[[str], None], result: dict[str, Any]
) -> None:
    """Take what came into the mailbox: callbacks are called, the rest goes into `result`."""
    for kind, pickled in ray.get(mailbox.take.remote()):
        value = pickle.loads(pickled)  # noqa: S301  # our own
        if kind == "note":
            tell(value)
        elif hasattr(Callback, kind):
            for callback in callbacks:
                getattr(callback, kind)(*value)
        else:
            result[kind] = value


# ---- where the workers are ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    """What each worker needs to know."""

    parameters: Mapping[str, Any]
    source: str
    options: Mapping[str, Any]
    array: Any  # in Ray's store, in place of a source
    storage: str
    every: float
    mailbox: Any


def _posting(put: Callable[[str, Any], None]) -> Callback:
    """A callback that leaves what happens in the mailbox."""
    callback = Callback()
    for hook in ("on_train_begin", "on_step_end", "on_epoch_end", "on_train_end"):
        setattr(callback, hook, lambda *values, hook=hook: put(hook, values))
    return callback


def _learn(config: Mapping[str, Any]) -> None:
    """What each worker does: read, learn with the others, and, if it is the first, send the model."""
    import ray
    from ray import train
    from torch import distributed

    work: _Work = config["work"]
    context = train.get_context()
    is_first = context.get_world_rank() == 0

    def put(kind: str, value: Any) -> None:
        if ray.get(work.mailbox.put.remote(kind, pickle.dumps(value))) and kind != "error":
            raise TrainingError("training was broken off.")

    if ray.get(work.mailbox.has_fault.remote()):
        return
    try:
        facts: dict[str, Any] = {}
        if work.array is not None:
            X = ray.get(work.array)
        else:
            budget = memory_budget(work.options.get("memory")) // context.get_local_world_size()
            with warnings.catch_warnings(record=True) as said:
                dataset = load_dataset(work.source, **{**work.options, "memory": budget})
            X, facts = dataset.train.X, dataset.facts
            if is_first:
                for words in [*dataset.notes, *(str(one.message) for one in said)]:
                    put("note", words)
        autoencoder = Autoencoder(**{**work.parameters, "callbacks": [_posting(put)] if is_first else []})
        autoencoder.fit(X, checkpoint=work.storage, resume=True, checkpoint_every=work.every)
        if is_first:
            with tempfile.TemporaryDirectory() as folder:
                autoencoder.save(Path(folder) / "model")
                put("facts", facts)
                put("model", {path.name: path.read_bytes() for path in (Path(folder) / "model").iterdir()})
    except (LatentmapError, ValueError, TypeError) as error:
        if distributed.is_initialized():  # else Ray has ended the group, and what fails is to go on without it
            put("error", error)
        raise  # Ray then ends the others, who may wait for this one; the next group finds the fault, and ends
