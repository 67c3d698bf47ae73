"""Ctrl-C and the polite kill while training: noted first, acted on between two steps, so that nothing is torn."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(KeyboardInterrupt):  # it is no error, as KeyboardInterrupt is none
    """Training was asked to stop, and has left a checkpoint to go on from.

    Parameters
    ----------
    epoch : int
        The epoch it was in, from 1.
    epochs : int
        How many there are to be.
    """

    def __init__(self, epoch: int, epochs: int) -> None:
        super().__init__(f"training was interrupted in epoch {epoch} of {epochs}, and a checkpoint saved")
        self.epoch = epoch
        self.epochs = epochs


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Note the first SIGINT or SIGTERM instead of acting on it; a second one acts as always.

    Yields
    ------
    callable
        Returns whether one came. Outside the main thread, where signals cannot be handled, it never does.
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
