"""The pictures: one function each, results in, a matplotlib ``Figure`` out.

What belongs here: drawing. No model is asked anything here, no file is written, and matplotlib's global state is
neither read nor changed, so every function works in a notebook as it does in a report.
"""

from latentmap.report.figures.atlas import thumbnail_map
from latentmap.report.figures.curves import sweep, training
from latentmap.report.figures.decoded import generated, interpolation, latent_grid, sample_sheet
from latentmap.report.figures.maps import CodeMap, embedding, side_by_side, tsne
from latentmap.report.figures.samples import reconstructions
from latentmap.report.figures.vectors import (
    Features,
    feature_maps,
    vector_reconstructions,
    vector_table,
    vector_walks,
)

__all__ = [
    "CodeMap",
    "Features",
    "embedding",
    "feature_maps",
    "generated",
    "interpolation",
    "latent_grid",
    "reconstructions",
    "sample_sheet",
    "side_by_side",
    "sweep",
    "thumbnail_map",
    "training",
    "tsne",
    "vector_reconstructions",
    "vector_table",
    "vector_walks",
]
