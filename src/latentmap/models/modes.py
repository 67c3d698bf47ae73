"""PyTorch as it is by default, whatever the caller's code has set, and on how many threads."""

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import torch

_LOCK = threading.Lock()  # held while the number of threads that new threads begin with is not the user's
_NO_MEMORY = ("allocate memory", "out of memory", "not enough memory", "size calculation overflowed")
_process: int | None = None  # the one whose threads PyTorch was first used with


@contextmanager
def own_modes(*, computing: bool = True) -> Iterator[None]:
    """Take PyTorch as it is by default, whatever modes the caller's code has set for this thread."""
    if computing:
        _notice_fork()
    with ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                modes.enter_context(torch.autocast(device, enabled=False))
        if torch.empty(0).device.type != "cpu":  # not always: each operation would take longer
            modes.enter_context(torch.device("cpu"))
        try:
            yield
        except RuntimeError as error:  # PyTorch's only error, also where there is no memory
            if not any(words in str(error) for words in _NO_MEMORY):
                raise
            asked = re.search(r"allocate (\d+) bytes", str(error))
            size = f" of {int(asked[1]) / 2**30:.3g} GiB" if asked else ""
            raise MemoryError(
                f"a tensor{size} does not fit into memory. Lower latent_dim or batch_size, or take smaller samples."
            ) from error


def _notice_fork() -> None:
    """Do without PyTorch's threads in a process forked after they were used: they are not there, and it would wait."""
    global _LOCK, _process  # noqa: PLW0603  # they are the process's
    if _process not in (None, os.getpid()):
        _LOCK = threading.Lock()
        torch.set_num_threads(1)
    _process = os.getpid()
    with _LOCK:
        torch.get_num_threads()  # a new thread settles its number here


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let PyTorch share operations of this thread among so many inside."""
    former = torch.get_num_threads()
    try:
        _set_own_threads(n)
        yield
    finally:
        _set_own_threads(former)


def _set_own_threads(n: int) -> None:
    """Set the number of threads for the calling thread, and not for those that are yet to start."""
    with _LOCK, ThreadPoolExecutor(1) as other:
        general = other.submit(torch.get_num_threads).result()
        try:
            torch.set_num_threads(n)
        finally:
            other.submit(torch.set_num_threads, general).result()
