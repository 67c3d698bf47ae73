"""The machine under training: its devices, quick arithmetic, trainings side by side, and signals that ask to stop."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from latentmap.models.modes import threads

PRECISIONS = ("auto", "float32", "bfloat16")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TOLD_TO_STOP: ContextVar[Callable[[], bool]] = ContextVar("told to stop", default=lambda: False)


def choose_device(name: str) -> torch.device:
    """The device of that name, or the fastest there is."""
    if name != "auto":
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'mps', got {name!r}.") from error
        here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not here.get(device.type, False):
            raise ValueError(f"device must be one that is here, got {name!r}. Use 'auto' or 'cpu'.")
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_precision(name: str, device: torch.device, *, pays: bool) -> str:
    """The precision of that name, or the quickest for the device."""
    if name != "auto":
        return name
    return "bfloat16" if pays and _has_bfloat16(device) else "float32"


def _has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    features = getattr(torch.backends.cpu, "get_cpu_capability", str)()
    supports = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return "AVX512" in features and any(support() for support in supports if support is not None)


class TrainingInterrupted(KeyboardInterrupt):  # it is no error, as KeyboardInterrupt is none
    """Training was asked to stop, and has left a checkpoint to go on from.

    Parameters
    ----------
    epoch : int
        The epoch it was in, from 1.
    epochs : int
        How many there are to be.

    Examples
    --------
    >>> from latentmap.training import TrainingInterrupted
    >>> try:
    ...     raise TrainingInterrupted(epoch=3, epochs=10)  # as fit(X, checkpoint=...) does after Ctrl-C
    ... except TrainingInterrupted as stop:
    ...     print(stop.epoch, "of", stop.epochs)
    3 of 10
    """

    def __init__(self, epoch: int, epochs: int) -> None:
        super().__init__(f"training was interrupted in epoch {epoch} of {epochs}, and a checkpoint saved")
        self.epoch = epoch
        self.epochs = epochs


def handles_signals() -> bool:
    """Whether Ctrl-C comes to this thread."""
    return threading.current_thread() is threading.main_thread()


def side_by_side(tasks: Sequence[Callable[[], Any]], *, at_a_time: int = 2) -> list[Any]:
    """What tasks return, in their order; two are done at a time, each with half of the threads, or one.

    Small networks leave cores idle, so that two trainings take less time together than one after the other. With one
    thread or an accelerator there is nothing to gain. Where one fails, or Ctrl-C comes, trainings stop after their
    step, and others at their next `stop_if_told`; a second Ctrl-C waits for none.
    """
    n_threads, failed = torch.get_num_threads(), threading.Event()
    if min(n_threads, len(tasks), at_a_time) < 2 or choose_device("auto").type != "cpu":
        return [task() for task in tasks]
    waiting: SimpleQueue[tuple[int, Callable[[], Any]]] = SimpleQueue()
    for numbered in enumerate(tasks):
        waiting.put(numbered)
    done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        with suppress(Empty), threads(n_threads // 2):
            while True:
                i, task = waiting.get_nowait()
                try:
                    stop_if_told()
                    done.put((i, task(), None))
                except BaseException as error:
                    failed.set()
                    done.put((i, None, error))

    # NumPy's threads too: where two tasks have as many as there are cores, they wait for each other without end.
    with deferred_interrupts() as came, threadpool_limits(n_threads // 2, "blas"):
        former = _TOLD_TO_STOP.set(lambda: came() or failed.is_set())
        workers = [threading.Thread(target=copy_context().run, args=(work,), daemon=True) for _ in range(2)]
        _TOLD_TO_STOP.reset(former)
        try:
            for worker in workers:
                worker.start()
            found = [_next(done) for _ in tasks]
            for worker in workers:
                worker.join()
        except KeyboardInterrupt:  # a second one
            failed.set()
            raise
    error = next((error for *_, error in found if error is not None), KeyboardInterrupt() if came() else None)
    if error is not None:
        raise error
    results = {i: result for i, result, _ in found}
    return [results[i] for i in range(len(tasks))]


def _next(queue: SimpleQueue[Any]) -> Any:
    """Its next item; between looks, signals that came to other threads are acted on."""
    while True:
        with suppress(Empty):
            return queue.get(timeout=0.2)


def stop_if_told() -> None:
    """Raise KeyboardInterrupt where a task of `side_by_side` is to stop."""
    if _TOLD_TO_STOP.get()():
        raise KeyboardInterrupt


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Note the first SIGINT or SIGTERM instead of acting on it; a second one acts as always.

    Gives what says whether one came; outside the main thread, where signals cannot be handled, whether
    `side_by_side` was told to stop.
    """
    if not handles_signals():
        yield _TOLD_TO_STOP.get()
        return
    came: list[int] = []
    # A handler that C code installed is None here, and could not be put back.
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    former = {number: handler for number, handler in found.items() if handler is not None}

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        for each, handler in former.items():
            signal.signal(each, handler)

    for number in former:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
