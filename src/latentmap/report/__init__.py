"""How what was learned is shown: figures, one function per picture, and the page that tells the story.

What belongs here: everything that is looked at. What is measured is the business of ``analysis``; the figure
functions take its results, and work in a notebook as they do in a report.
"""

from latentmap.report.build import ReportResult, build_report
from latentmap.report.figures import (
    CodeMap,
    Features,
    embedding,
    feature_maps,
    generated,
    interpolation,
    latent_grid,
    reconstructions,
    sample_sheet,
    side_by_side,
    sweep,
    thumbnail_map,
    training,
    tsne,
    vector_reconstructions,
    vector_table,
    vector_walks,
)
from latentmap.report.models import ModelSpec, default_specs
from latentmap.report.output import write_figure, write_images

__all__ = [
    "CodeMap",
    "Features",
    "ModelSpec",
    "ReportResult",
    "build_report",
    "default_specs",
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
    "write_figure",
    "write_images",
]
