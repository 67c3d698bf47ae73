"""Ray: a cluster to work on, and parts of a job mapped over it."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.errors import LatentmapError, MissingExtraError, words_of


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
        from latentmap.models.fitted import CHUNK, chunks  # not at the top: the mailbox's process needs no PyTorch

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
    except ray.exceptions.RayError as error:
        raise _own_error(error) from None


def _own_error(error: Any) -> Exception:
    """What went wrong in a task, without Ray's account of where."""
    cause = error
    while isinstance(getattr(cause, "cause", None), Exception):
        cause = cause.cause
    return (
        cause if isinstance(cause, (LatentmapError, ValueError, TypeError)) else LatentmapError(f"{words_of(cause)}.")
    )


def map_over(num_workers: int, address: str | None, do: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Do something with each item by so many workers; what they give, as it comes. Ray begins what it lost again."""
    todo, running = list(items), list[Any]()
    if not todo:
        return
    waiting = iter(todo)
    with cluster(num_workers, address) as ray:
        task, held = ray.remote(_call), ray.put(do)

        def begin(n: int) -> list[Any]:
            return [task.remote(held, "__call__", item) for item in islice(waiting, n)]

        try:
            running += begin(num_workers)
            while running:
                (done,), running = ray.wait(running)
                running += begin(1)
                yield _got(ray, done)
        finally:  # also where one failed, or nobody asks for more
            for one in running:
                ray.cancel(one)


class Mailbox:
    """An actor in which workers leave what the program that waits is to know, and whether one failed.

    It comes pickled, as Ray would send it, so that the actor's process need not import what it is of: PyTorch.
    """

    def __init__(self) -> None:
        self._held: list[tuple[str, bytes]] = []
        self._fault = False

    def put(self, kind: str, pickled: bytes) -> bool:
        """Leave something; whether it is of no use to go on."""
        if not self._fault:
            self._held.append((kind, pickled))
        self._fault |= kind == "error"
        return self._fault

    def take(self) -> list[tuple[str, bytes]]:
        """All that was left since."""
        held, self._held = self._held, []
        return held

    def has_fault(self) -> bool:
        """Whether one found a fault that trying again won't mend."""
        return self._fault
