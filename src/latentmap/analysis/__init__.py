"""What a model learned: arrays in, frozen results out.

What belongs here: measures and examples that ``report`` draws and anyone can use from a notebook. Everything takes
any object with ``transform`` and ``inverse_transform``; nothing here knows matplotlib, files or training.
"""

from latentmap.analysis.baselines import PcaBaseline, linear_rank
from latentmap.analysis.evaluation import Evaluation, active_units, evaluate
from latentmap.analysis.grid import LatentGrid, latent_grid
from latentmap.analysis.interpolation import (
    Interpolation,
    choose_pairs,
    interpolate,
)
from latentmap.analysis.medians import Clarity, CodeMedians, Generated, clarity, class_medians, generate
from latentmap.analysis.neighbours import (
    OriginalRanks,
    knn_accuracy,
    knn_accuracy_within,
    nearest_samples,
    small_classes,
    trustworthiness,
)
from latentmap.analysis.reconstruction import (
    Comparison,
    Reconstructions,
    best_median_worst,
    compare_reconstructions,
    reconstruction_errors,
    some_of_each_class,
)
from latentmap.analysis.sweep import SizeScores, Sweep, recommend, sweep
from latentmap.analysis.transformers import Transformer, decode, encode
from latentmap.analysis.tsne import TsneResult, embed_tsne
from latentmap.data.preprocessing import Unit, measuring_unit

__all__ = [
    "Clarity",
    "CodeMedians",
    "Comparison",
    "Evaluation",
    "Generated",
    "Interpolation",
    "LatentGrid",
    "OriginalRanks",
    "PcaBaseline",
    "Reconstructions",
    "SizeScores",
    "Sweep",
    "Transformer",
    "TsneResult",
    "Unit",
    "active_units",
    "best_median_worst",
    "choose_pairs",
    "clarity",
    "class_medians",
    "compare_reconstructions",
    "decode",
    "embed_tsne",
    "encode",
    "evaluate",
    "generate",
    "interpolate",
    "knn_accuracy",
    "knn_accuracy_within",
    "latent_grid",
    "linear_rank",
    "measuring_unit",
    "nearest_samples",
    "recommend",
    "reconstruction_errors",
    "small_classes",
    "some_of_each_class",
    "sweep",
    "trustworthiness",
]
