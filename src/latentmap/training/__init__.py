"""How it is learned: one loop, and its parts."""

from latentmap.training.batches import Batches
from latentmap.training.callbacks import Callback, PrintEpochs, TrainingPlan
from latentmap.training.history import EpochRecord
from latentmap.training.loop import TrainingResult, train
from latentmap.training.objectives import OBJECTIVES

__all__ = [
    "OBJECTIVES",
    "Batches",
    "Callback",
    "EpochRecord",
    "PrintEpochs",
    "TrainingPlan",
    "TrainingResult",
    "train",
]
