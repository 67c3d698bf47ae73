"""Ray: a cluster to work on, and parts of a job mapped over it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.errors import LatentmapError, MissingExtraError, words_of
from latentmap.models.fitted import CHUNK, chunks


@contextmanager
def cluster(num_workers: int, address: str | None = None) -> Iterator[Any]:
    """Ray, connected to the cluster at an address, or to one on this machine that is stopped in the end.

    Where the program is connected already, that cluster is used, and left as it is.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError.of("several workers", "Ray", "ray") from error
    if ray.is_initialized():
        yield ray
        return
    # Its workers may not wait for each other with a processor each, nor speak into the command's output.
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}.items():
        os.environ.setdefault(name, value)
    try:
        if address is None:
            # "local": a cluster that happens to run here is taken only when it is asked for.
            ray.init(address="local", num_cpus=num_workers, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # it has many ways to say that there is none
        where = "a cluster on this machine" if address is None else f"the cluster at {address}"
        raise LatentmapError(
            f"{where} cannot be reached: {words_of(error)}. Is it started (ray start --head), with this RAY_AUTH_MODE?"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def fit_each(num_workers: int, address: str | None, models: Sequence[Any], X: NDArray[Any]) -> Iterator[Any]:
    """Fit several estimators to the same samples, so many at a time, and give them back in their order."""
    with cluster(num_workers, address) as ray:
        task, samples = ray.remote(_call), ray.put(np.asarray(X))
        for ref in [task.remote(model, "fit", samples) for model in models]:
            yield _got(ray, ref)


class Spread:
    """A fitted model whose codes and reconstructions the workers of a cluster compute; else it is the model."""

    def __init__(self, ray: Any, model: Any, num_workers: int) -> None:
        self._ray, self._task, self._held = ray, ray.remote(_call), ray.put(model)
        self._model, self._n = model, num_workers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Codes, (n, latent_dim)."""
        return self._over("transform", X)

    def inverse_transform(self, Z: NDArray[Any]) -> NDArray[Any]:
        """Samples, (n, *sample_shape)."""
        return self._over("inverse_transform", Z)

    def _over(self, method: str, rows: NDArray[Any]) -> NDArray[Any]:
        """A method of the model, over pieces of the rows: of a size by which nothing is rounded otherwise."""
        size = CHUNK * max(1, -(-len(rows) // (CHUNK * self._n)))
        pieces = [rows[part] for part in chunks(len(rows), size)]
        refs = [self._task.remote(self._held, method, np.ascontiguousarray(piece)) for piece in pieces]
        return np.concatenate([_got(self._ray, ref) for ref in refs])


def _call(model: Any, method: str, rows: NDArray[Any]) -> Any:
    """What a method of a model makes of rows."""
    return getattr(model, method)(rows)


def _got(ray: Any, ref: Any) -> Any:
    """What a task gave, or its own error."""
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        raise _own_error(error) from None


def _own_error(error: Any) -> Exception:
    """What went wrong in a task, without Ray's account of where."""
    cause = error
    while isinstance(getattr(cause, "cause", None), Exception):
        cause = cause.cause
    return cause if isinstance(cause, (LatentmapError, ValueError, TypeError)) else LatentmapError(str(cause)[:300])


class _Worker:
    """An actor of Ray Data: it is given what to do once, and does the items of one batch after another."""

    def __init__(self, do: Callable[[Any], Any]) -> None:
        self._do = do

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        return {"item": [self._do(item) for item in batch["item"]]}


def map_over(num_workers: int, address: str | None, do: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Do something with each item by so many workers; it is done again by another where its worker is lost."""
    todo = list(items)
    if not todo:
        return
    with cluster(num_workers, address) as ray:
        from ray import data

        context = data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        dataset = data.from_items([{"item": item} for item in todo], override_num_blocks=len(todo))
        done = dataset.map_batches(
            _Worker,
            fn_constructor_args=(do,),
            batch_size=1,
            num_cpus=1,
            compute=data.ActorPoolStrategy(size=min(num_workers, len(todo)), max_tasks_in_flight_per_actor=2),
        )
        try:
            for row in done.iter_rows():
                yield row["item"]
        except ray.exceptions.RayTaskError as error:
            raise _own_error(error) from error
