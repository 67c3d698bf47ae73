"""One command in several processes, as torchrun starts them: who speaks, and how they find each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from latentmap.cli import bar
from latentmap.errors import LatentmapError

if TYPE_CHECKING:
    from latentmap.training.ranks import Ranks


def several() -> bool:
    """Whether torchrun started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def let_one_speak() -> None:
    """Be silent, but for errors, unless this is the first process."""
    if several() and os.environ.get("RANK") != "0":
        bar.be_silent()


@contextmanager
def join() -> Iterator[Ranks]:
    """The processes that torchrun started, as a group of PyTorch's; one alone is none."""
    from latentmap.training.ranks import Ranks

    if not several():
        yield Ranks()
        return
    import torch
    from torch import distributed

    has_gpus = torch.cuda.is_available()
    if has_gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Samples and decisions travel over gloo, gradients on GPUs over nccl.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if has_gpus else "gloo")
    try:
        yield Ranks.here()
    except RuntimeError as error:
        if any(word in str(error) for word in ("gloo", "NCCL", "Connection")):
            raise LatentmapError("another process of the group has ended: see what it, or torchrun, says.") from error
        raise
    finally:
        distributed.destroy_process_group()
