"""How it is learned: one loop, and its parts."""

from latentmap.training.batches import Batches
from latentmap.training.callbacks import Callback, PrintEpochs, TensorBoard
from latentmap.training.history import EpochRecord
from latentmap.training.interrupts import TrainingInterrupted
from latentmap.training.loop import TrainingResult, train
from latentmap.training.objectives import OBJECTIVES
from latentmap.training.plan import TrainingPlan

__all__ = [
    "OBJECTIVES",
    "Batches",
    "Callback",
    "EpochRecord",
    "PrintEpochs",
    "TensorBoard",
    "TrainingInterrupted",
    "TrainingPlan",
    "TrainingResult",
    "train",
]
