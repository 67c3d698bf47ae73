"""What comes in: sources of samples, brought to one shape (`Dataset`)."""

from latentmap.data.builtin import BUILTIN_NAMES
from latentmap.data.dataset import Dataset, Split
from latentmap.data.loading import load_dataset

__all__ = ["BUILTIN_NAMES", "Dataset", "Split", "load_dataset"]
