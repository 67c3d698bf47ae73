"""Autoencoders as easy as PCA: encode images or vectors into a few numbers, decode them, and see what was learned."""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

__all__ = ["Autoencoder", "Dataset", "LatentmapError", "__version__", "distributed", "explore", "load_dataset", "plot"]

_HOMES = {
    "Autoencoder": "latentmap.estimator",
    "Dataset": "latentmap.data",
    "LatentmapError": "latentmap.errors",
    "distributed": "latentmap.distributed",
    "explore": "latentmap.report.explorer",
    "load_dataset": "latentmap.data",
    "plot": "latentmap.plot",
}

if TYPE_CHECKING:
    from latentmap import distributed, plot
    from latentmap.data import Dataset, load_dataset
    from latentmap.errors import LatentmapError
    from latentmap.estimator import Autoencoder
    from latentmap.report.explorer import explore


# PyTorch's threads spin while they wait for each other; beside a busy process that makes training many times slower.
# Before PyTorch is loaded, its OpenMP can be told to give up soon, as it does by itself with more threads than cores.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: ``import latentmap`` and ``latentmap --help`` stay quick."""
    if name in _HOMES:
        home = importlib.import_module(_HOMES[name])
        return home if _HOMES[name] == f"{__name__}.{name}" else getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
