"""What training makes small: one class per objective, and their registry."""

import inspect
from collections.abc import Mapping
from typing import Any

from latentmap.checks import check_choice
from latentmap.training.objectives.base import Batch, Objective
from latentmap.training.objectives.denoising import Denoising
from latentmap.training.objectives.neighbors import Neighbors
from latentmap.training.objectives.reconstruction import Reconstruction
from latentmap.training.objectives.variational import Variational

__all__ = [
    "OBJECTIVES",
    "Batch",
    "Denoising",
    "Neighbors",
    "Objective",
    "Reconstruction",
    "Variational",
    "make_objective",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "denoising": Denoising,
    "neighbors": Neighbors,
    "reconstruction": Reconstruction,
    "variational": Variational,
}
"""Every objective by the name that `Autoencoder(objective=...)` takes; made with ``objective_params``."""


def make_objective(name: str, params: Mapping[str, Any] | None = None) -> Objective:
    """An objective by its name in `OBJECTIVES`, with the settings given; unknown ones of either are refused."""
    check_choice("objective", name, OBJECTIVES)
    if not isinstance(params, (Mapping, type(None))):
        raise TypeError(f"objective_params must be a dict or None, got {params!r}.")
    known = list(inspect.signature(OBJECTIVES[name].__init__).parameters)[1:] if params else []
    for given in params or {}:
        if not set(known) - {"args", "kwargs"}:
            raise ValueError(f"objective_params must be empty for objective={name!r}, got {given!r}.")
        check_choice(f"a key of objective_params for objective={name!r}", given, known)
    return OBJECTIVES[name](**(params or {}))
