"""How it is learned: one loop, and its parts."""

from latentmap.training.batches import Batches
from latentmap.training.callbacks import Callback, CodeFilm, PrintEpochs, TensorBoard
from latentmap.training.loop import train
from latentmap.training.objectives import OBJECTIVES
from latentmap.training.plan import EpochRecord, TrainingPlan, TrainingResult
from latentmap.training.runtime import TrainingInterrupted

__all__ = [
    "OBJECTIVES",
    "Batches",
    "Callback",
    "CodeFilm",
    "EpochRecord",
    "PrintEpochs",
    "TensorBoard",
    "TrainingInterrupted",
    "TrainingPlan",
    "TrainingResult",
    "train",
]
