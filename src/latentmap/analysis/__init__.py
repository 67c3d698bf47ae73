"""What a model learned: measures and examples, as frozen results that ``report`` draws and notebooks can use.

Everything takes any object with ``transform`` and ``inverse_transform``; nothing here knows matplotlib or training.
"""

from latentmap.analysis.baselines import PcaBaseline
from latentmap.analysis.evaluation import Evaluation, active_units, evaluate
from latentmap.analysis.medians import CodeMedians, Generated, class_medians, generate
from latentmap.analysis.neighbours import (
    OriginalRanks,
    cluster_accuracy,
    continuity,
    knn_accuracy,
    knn_r2,
    nearest_samples,
    trustworthiness,
)
from latentmap.analysis.reconstruction import Comparison, compare_reconstructions, reconstruction_errors
from latentmap.analysis.sweep import SizeScores, Sweep, sweep
from latentmap.analysis.tsne import TsneResult, embed_tsne
from latentmap.analysis.walks_and_grids import Interpolation, LatentGrid, interpolate, latent_grid
from latentmap.data.preprocessing import measuring_unit

__all__ = [
    "CodeMedians",
    "Comparison",
    "Evaluation",
    "Generated",
    "Interpolation",
    "LatentGrid",
    "OriginalRanks",
    "PcaBaseline",
    "SizeScores",
    "Sweep",
    "TsneResult",
    "active_units",
    "class_medians",
    "cluster_accuracy",
    "compare_reconstructions",
    "continuity",
    "embed_tsne",
    "evaluate",
    "generate",
    "interpolate",
    "knn_accuracy",
    "knn_r2",
    "latent_grid",
    "measuring_unit",
    "nearest_samples",
    "reconstruction_errors",
    "sweep",
    "trustworthiness",
]
