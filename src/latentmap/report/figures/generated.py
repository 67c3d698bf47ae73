"""``generated``: what each model decodes from the median code of each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import CodeMedians, Generated, generate
from latentmap.analysis.neighbours import KNN_NEIGHBOURS
from latentmap.errors import count
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import (
    COLUMNS,
    Panel,
    column_names,
    letters_in,
    new_figure,
    tile_sheet,
    to_rgb,
)
from latentmap.report.figures.features import LONGEST_NAME, MOST_SHOWN, Features, beside_row, finish_tables, heat
from latentmap.report.figures.letters import plain, short_names
from latentmap.report.figures.style import FAINT, INK, MOST_CLASSES, SMALL, TEXT, WARNING, largest

_LEFT = 1.15  # inches, for the names of models
_NO_LABELS = "no labels: the groups are k-means clusters of each model's own codes, the largest first"
_SHORT = 3  # letters of a class whose verdict has one line


def generated(results: Sequence[Generated], features: Features | None = None) -> Figure:
    """Draw what each model decodes from the median code of each class, and say how clear it is.

    Parameters
    ----------
    results : sequence of Generated
        One per model; all labelled or none.
    features : Features, optional
        Of the training samples, where these are vectors.

    Returns
    -------
    Figure
        A row of pictures per model, in bands of ten classes, of more than 20 classes 20; under each what it looks like
        to its 10 nearest training samples, or for k-means groups how many codes the group has. Of vectors a table per
        model, blue below the mean and red above, the same beside each row, with the training sample nearest to it.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, class_medians, generate
    >>> from latentmap.report import generated
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> medians = class_medians(pca.transform(digits.train.images), digits.train.labels)
    >>> figure = generated([generate("PCA", pca, medians, digits)])
    >>> figure.texts[0].get_text()
    'The median code of each class, decoded'
    """
    return _of_images(results) if features is None else _of_vectors(results, features)


def _of_images(results: Sequence[Generated]) -> Figure:
    """Rows of pictures."""
    by_class = results[0].medians.by_class
    medians = max((result.medians for result in results), key=lambda one: len(one.names))
    shown = largest(medians.counts, MOST_CLASSES)
    letters = letters_in(min(len(shown), COLUMNS), _LEFT)
    names, long = column_names([medians.names[group] for group in shown], letters)
    long = long and by_class
    classes = short_names(results[0].class_names or (), letters - 1, lines=2)  # behind a cross
    bands = [shown[start : start + COLUMNS] for start in range(0, len(shown), COLUMNS)]
    panels = []
    for band in bands:
        rows = [to_rgb(result.pictures[band[band < len(result.pictures)]], result.unit) for result in results]
        cells = np.full((len(rows), len(band), *rows[0].shape[1:]), np.nan, dtype=np.float32)
        for row, pictures in enumerate(rows):
            cells[row, : len(pictures)] = pictures
        panels.append(Panel(cells, lines=_lines(results, band, classes), head=0.34 if long else 0.22))
    detail = f"below: {_asked(results[0])}, and how many have it" if by_class else _NO_LABELS
    figure, tiles = tile_sheet(panels, left=_LEFT, heading=(f"The median code of {_each(medians)}, decoded", detail))
    for number, (band, panel) in enumerate(zip(bands, tiles, strict=True)):
        for row, result in enumerate(results):
            panel.name_row(row, result.title)
            for column, group in enumerate(band[band < len(result.pictures)]):
                text, colour = _verdict(result, int(group), classes)
                panel.write(row, column, text, color=colour)
        panel.name_columns(names[number * COLUMNS : (number + 1) * COLUMNS], small=long)
    return figure


def _lines(results: Sequence[Generated], band: NDArray[np.int64], classes: Sequence[str]) -> int:
    """How many lines the longest verdict below a row of pictures takes."""
    lines = 1
    for result in results:
        if result.clarity is not None:
            own = band[band < len(result.pictures)]
            wrong = result.clarity.looks_like[own][~result.clarity.right[own]]
            names = [classes[label] if classes else str(label) for label in wrong]
            lines = max([lines, *(2 + name.count("\n") for name in names if len(name) > _SHORT)])
    return lines


def _verdict(result: Generated, group: int, classes: Sequence[str]) -> tuple[str, str]:
    """What a decoded median looks like, on two lines where that is long, or how large its group is; and a colour."""
    if result.clarity is None:
        return f"n = {result.medians.counts[group]:,}", FAINT
    n, looks_like = _neighbours(result), int(result.clarity.looks_like[group])
    votes = f"{n * result.clarity.share[group]:.0f}/{n}"
    if result.clarity.right[group]:
        return f"✓ {votes}", INK
    name = classes[looks_like] if classes else str(looks_like)
    return f"✗ {name}: {votes}" if len(name) <= _SHORT else f"✗ {name}\n{votes}", WARNING


def _of_vectors(results: Sequence[Generated], features: Features) -> Figure:
    """Tables, one below the other."""
    groups = [largest(result.medians.counts, MOST_CLASSES) for result in results]
    heights = [len(rows) for rows in groups]
    shown = features.most_varied(np.concatenate([result.pictures for result in results]), MOST_SHOWN)
    figure = new_figure(0.24 * sum(heights) + 0.6 * len(results) + 1.2 + features.below(shown)[-1])
    axes = figure.subplots(len(results), 1, height_ratios=heights, squeeze=False)
    for ax, result, rows in zip(axes[:, 0], results, groups, strict=True):
        heat(ax, features, result.pictures[rows], shown)
        ax.set_title(plain(result.title, 60), loc="left", fontsize=TEXT, color=INK)
        names = short_names([result.medians.names[group] for group in rows], LONGEST_NAME)
        ax.set_yticks(range(len(rows)), names, fontsize=SMALL)
        classes = short_names(result.class_names or (), 12)
        for row, group in enumerate(rows):
            text, colour = _verdict(result, int(group), classes)
            near = "" if result.nearest is None else f", nearest {result.nearest[group]}"
            beside_row(ax, row, text.replace("\n", ": ") + near, fontsize=SMALL, color=colour)
    heading = f"The median code of {_each(results[0].medians)}, decoded"
    detail = "groups: k-means clusters of the codes, the largest first; beside: the nearest training sample"
    if results[0].medians.by_class:
        detail = f"beside: {_asked(results[0])}, its share, and the nearest one"
    return finish_tables(figure, axes, heading, features, shown, detail)


def _asked(result: Generated) -> str:
    """Who says what a picture looks like."""
    return f"the commonest class among the {_neighbours(result)} nearest training samples"


def _neighbours(result: Generated) -> int:
    """How many training samples were asked what a picture looks like: of fewer than ten all."""
    return int(min(KNN_NEIGHBOURS, result.medians.counts.sum()))


def sample_sheet(images: NDArray[Any], unit: float, *, detail: str = "") -> Figure:
    """Draw new samples in rows.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, channels)
        The samples.
    unit : float
        Full brightness.
    detail : str, default=""
        Where they come from, for the second line of the title.

    Returns
    -------
    Figure
        A near-square sheet.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.report import sample_sheet
    >>> images = np.random.default_rng(0).integers(0, 256, size=(9, 8, 8, 1), dtype=np.uint8)
    >>> figure = sample_sheet(images, unit=255, detail="noise")
    >>> figure.texts[0].get_text()
    '9 new samples'
    """
    colours = to_rgb(images, unit)
    columns = int(np.ceil(np.sqrt(len(colours))))
    rows = -(-len(colours) // columns)
    cells = np.full((rows * columns, *colours.shape[1:]), np.nan, np.float32)
    cells[: len(colours)] = colours
    panel = Panel(cells.reshape(rows, columns, *colours.shape[1:]))
    heading = count(len(colours), "new sample"), plain(detail, 110) if detail else ""
    return tile_sheet([panel], left=0.1, heading=heading)[0]


def _compute(experiment: Experiment) -> list[Generated]:
    """The decoded medians of each model."""
    medians, dataset = experiment.medians, experiment.dataset
    return [generate(model.title, model.model, medians[model.name], dataset) for model in experiment.drawn]


def _caption(results: Sequence[Generated], experiment: Experiment) -> Caption:
    """Its words."""
    n, titles = len(experiment.dataset.train), " and ".join(result.title for result in results)
    medians = f"The median of the {n:,} training codes, number by number, for {_each(results[0].medians)}, decoded"
    group, asked = "class" if experiment.labelled else "group", _neighbours(results[0])
    if experiment.dataset.is_images:
        measure = (
            f"A tick means that its class is the commonest among the {asked} training images nearest to the picture; "
            f"the number says how many of the {asked} have the class named."
            if experiment.labelled
            else "There are no labels, so each model's codes are grouped by k-means; n is how many codes a group has."
        )
        text = f"{medians}. No such image is in the data. {measure}"
        return Caption(f"A picture of each {group}", text, f"Rows of pictures decoded from median codes by {titles}.")
    judged = (
        f"A tick means that its class is the commonest among the {asked} training samples nearest to it; then comes "
        f"how many of the {asked} have the class, and which sample is the nearest."
        if experiment.labelled
        else "Beside it, the nearest training sample; n is how many codes the group has."
    )
    text = f"{medians}: a row of features, blue below the mean and red above. No such sample is in the data. {judged}"
    return Caption(f"A sample of each {group}", text, f"Tables of samples decoded from median codes by {titles}.")


def _each(medians: CodeMedians) -> str:
    """How many of the groups are shown."""
    n, group = len(medians.names), "class" if medians.by_class else "k-means group"
    return f"each {group}" if n <= MOST_CLASSES else f"{MOST_CLASSES} of {count(n, group)}"


FIGURE = ReportFigure(
    "generated", _compute, lambda results, experiment: generated(results, experiment.features), _caption
)
