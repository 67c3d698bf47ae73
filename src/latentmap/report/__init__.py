"""How what was learned is shown: functions that draw pictures, and the page that tells the story.

The drawing functions take what those of `latentmap.analysis` return, in a notebook as in a report.
"""

from latentmap.report.build import ReportResult, build_report
from latentmap.report.figures.embedding import embedding
from latentmap.report.figures.features import Features
from latentmap.report.figures.generated import generated, sample_sheet
from latentmap.report.figures.interpolation import interpolation
from latentmap.report.figures.latent_grid import latent_grid
from latentmap.report.figures.map import thumbnail_map
from latentmap.report.figures.points import CodeMap, side_by_side
from latentmap.report.figures.reconstructions import reconstructions
from latentmap.report.figures.sweep import sweep
from latentmap.report.figures.training import training
from latentmap.report.figures.tsne import tsne
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
    "write_figure",
    "write_images",
]
