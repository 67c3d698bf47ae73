"""The machine under training: its devices, the arithmetic that is quick on them, and signals that ask to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch

PRECISIONS = ("auto", "float32", "bfloat16")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Note the first SIGINT or SIGTERM instead of acting on it; a second one acts as always.

    Gives what says whether one came; outside the main thread, where signals cannot be handled, it never does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
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
