"""What training makes small: one class per objective, and their registry."""

from collections.abc import Mapping
from typing import Any

from latentmap.checks import check_choice, check_params
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
    check_params("objective_params", params, f"objective={name!r}", OBJECTIVES[name])
    return OBJECTIVES[name](**(params or {}))
