"""A figure as a contributor would add it: one module, and one entry in `latentmap.report.figures.FIGURES`."""

from latentmap.report.figures.base import Caption, ReportFigure
from latentmap.report.figures.canvas import new_figure


def compute(experiment):
    """The mean pixel of each test image; vectors have none."""
    if not experiment.dataset.is_images:
        return None
    return experiment.dataset.test.X.mean(axis=(1, 2, 3))


def draw(brightness, experiment):
    """How they are distributed."""
    figure = new_figure(3.0)
    figure.add_subplot().hist(brightness)
    return figure


def caption(brightness, experiment):
    """Its words."""
    text = f"The mean pixel of each of {len(brightness)} test images."
    return Caption("How bright the images are", text, "Histogram of mean pixels.")


FIGURE = ReportFigure("brightness", compute, draw, caption)
