"""The figures of a report, one a module: what it computes, how it is drawn, its caption.

No model is asked for anything but `transform` and `inverse_transform`, no file is written, and matplotlib's global
state is neither read nor changed, so every drawing function works in a notebook as it does in a report.
"""

from latentmap.report.figures import (
    embedding,
    generated,
    growth,
    interpolation,
    latent_grid,
    map,  # noqa: A004  # the name of its file in figures/
    network,
    pca,
    reconstructions,
    strangest,
    training,
    tsne,
)
from latentmap.report.figures.base import ReportFigure

FIGURES: list[ReportFigure] = [
    network.FIGURE,
    training.FIGURE,
    reconstructions.FIGURE,
    growth.FIGURE,
    strangest.FIGURE,
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
