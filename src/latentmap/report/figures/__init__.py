"""The figures of a report, one a module: what it computes, how it is drawn, its caption.

No model is asked for anything but `transform` and `inverse_transform`, no file is written, and matplotlib's global
state is neither read nor changed, so every drawing function works in a notebook as it does in a report.
"""

from latentmap.report.figures import (
    embedding,
    generated,
    interpolation,
    latent_grid,
    map,  # noqa: A004  # the name of its file in figures/
    pca,
    reconstructions,
    training,
    tsne,
)
from latentmap.report.figures.base import ReportFigure

FIGURES: list[ReportFigure] = [
    training.FIGURE,
    reconstructions.FIGURE,
    embedding.FIGURE,
    pca.FIGURE,
    tsne.FIGURE,
    generated.FIGURE,
    interpolation.FIGURE,
    latent_grid.FIGURE,
    map.FIGURE,
]
"""All figures, in the order of the page."""

__all__ = ["FIGURES", "ReportFigure"]
