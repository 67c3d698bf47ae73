"""Work shared by several machines, on PyTorch's and Ray's engines: see docs/scale.md."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentmap.distributed.training import fit

__all__ = ["fit"]


def __getattr__(name: str) -> Any:
    """Import `fit` when it is asked for: the mailbox's process, which imports `cluster`, needs no PyTorch."""
    if name == "fit":
        from latentmap.distributed.training import fit

        return fit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
