"""How it is learned: one loop, and its parts."""

from latentmap.training.callbacks import Callback, CodeFilm, PrintEpochs, TensorBoard
from latentmap.training.objectives import OBJECTIVES
from latentmap.training.plan import EpochRecord, TrainingPlan
from latentmap.training.runtime import TrainingInterrupted

__all__ = [
    "OBJECTIVES",
    "Callback",
    "CodeFilm",
    "EpochRecord",
    "PrintEpochs",
    "TensorBoard",
    "TrainingInterrupted",
    "TrainingPlan",
]
