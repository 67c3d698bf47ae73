"""``interpolation``: the straight walk from the code of one sample to that of another, decoded."""

import numpy as np
from matplotlib.figure import Figure

from latentmap.analysis import Interpolation, interpolate
from latentmap.analysis.walks_and_grids import choose_pairs
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import Panel, new_figure, tile_sheet, to_rgb
from latentmap.report.figures.features import MOST_SHOWN, Features, beside_row, finish_tables, heat
from latentmap.report.figures.letters import plain, short_names
from latentmap.report.figures.style import FAINT, INK, SMALL, TEXT

_LETTERS = 100  # of titles beside each other


def interpolation(walks: Interpolation, features: Features | None = None) -> Figure:
    """Draw walks from one sample to another: through each model's codes, and as a plain blend.

    Parameters
    ----------
    walks : Interpolation
        The pairs and what lies between them.
    features : Features, optional
        Of the training samples, where these are vectors.

    Returns
    -------
    Figure
        For each pair of images a row per model and the pixel blend below them, the two ends boxed; of vectors a table
        per model and one of the blend, a row a step, with the class of the nearest training sample.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, interpolate
    >>> from latentmap.report import interpolation
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> figure = interpolation(interpolate({"PCA": pca}, digits, np.array([[0, 1]])))
    >>> figure.texts[0].get_text()
    'From one sample to another'
    """
    return _of_images(walks) if features is None else _of_vectors(walks, features)


def _of_images(walks: Interpolation) -> Figure:
    """Rows of images, the ends boxed."""
    steps = [*walks.walks.items(), ("pixel blend", walks.blend)]
    rows = np.stack([to_rgb(images, walks.unit) for _, images in steps], axis=1)  # a stack of them for each pair
    detail = "decoded points of the straight line between two codes; last row: the pixels themselves, blended"
    panels = [Panel(of_pair, head=0.24) for of_pair in rows]
    figure, tiles = tile_sheet(panels, left=1.15, heading=("From one sample to another", detail))
    for panel, ends in zip(tiles, walks.names, strict=True):
        for row, (name, _) in enumerate(steps):
            panel.name_row(row, name)
            panel.box(row, 0)
            panel.box(row, panel.columns - 1)
        half = 5 * panel.columns  # characters that fit above half of a row
        panel.write(0, 0, plain(ends[0], half), above=True, side="left", fontsize=TEXT)
        panel.write(0, panel.columns - 1, plain(ends[1], half), above=True, side="right", fontsize=TEXT)
    return figure


def _of_vectors(walks: Interpolation, features: Features) -> Figure:
    """Tables beside each other, a row a step."""
    steps = [*walks.walks.items(), ("plain blend", walks.blend)]
    shown = features.most_varied(walks.blend, MOST_SHOWN)
    nearest = [text for of_model in (walks.nearest or {}).values() for some in of_model for text in some]
    named = list(dict.fromkeys([*(end for ends in walks.names for end in ends), *nearest]))
    short = dict(zip(named, short_names(named, max(13, 40 // len(steps))), strict=True))
    figure = new_figure(len(walks.pairs) * (0.17 * walks.blend.shape[1] + 0.45) + 0.9 + features.below(shown)[-1])
    axes = figure.subplots(len(walks.pairs), len(steps), squeeze=False)
    for pair, row in enumerate(axes):
        for column, (ax, (name, values)) in enumerate(zip(row, steps, strict=True)):
            heat(ax, features, values[pair], shown)
            start, end = (short[end] for end in walks.names[pair])
            heading = f"{plain(name, 24)}: {start} to {end}" if column == 0 else plain(name, 24)
            if len(heading) > _LETTERS // len(steps):
                heading = heading.replace(": ", "\n", 1)
            ax.set_title(heading, loc="left", fontsize=SMALL, color=INK)
            ax.set_yticks([])
            for step, text in enumerate(walks.nearest[name][pair] if walks.nearest else ()):
                beside_row(ax, step, short[text], fontsize=SMALL - 1, color=FAINT)
    called = "number" if all(text.startswith(("no. ", "row ")) for text in nearest) else "class"
    detail = (
        f"a row a step; beside it the {called} of the training sample nearest to it" if nearest else "a row a step"
    )
    return finish_tables(figure, axes, "From one sample to another", features, shown, detail)


def _compute(experiment: Experiment) -> Interpolation:
    """Walks of each model between pairs of test samples; of vectors, with the nearest training samples."""
    dataset, models = experiment.dataset, experiment.drawn
    if dataset.is_images and dataset.sample_shape[-1] >= 3:  # of a photograph 2 numbers leave a grey smear
        models = [model for model in models if model.latent_dim > 2] or models
    pairs = choose_pairs(dataset.known_labels(dataset.test), len(dataset.test), seed=experiment.seed)
    return interpolate({model.title: model.model for model in models}, dataset, pairs)


def _caption(walks: Interpolation, experiment: Experiment) -> Caption:
    """Its words."""
    chosen = "of different classes" if experiment.labelled else "chosen at random"
    pairs = f"Pairs of test {experiment.thing}s {chosen}: the straight walk between their codes, decoded"
    titles = " and ".join(walks.walks)
    if experiment.dataset.is_images:
        return Caption(
            "From one image to another",
            f"{pairs}, and below it the plain blend of their pixels. A good walk passes through images that could be "
            "real; a blend shows two at once. The boxed ends of a walk are reconstructions, those of a blend the "
            "images themselves.",
            f"Rows of images changing from one test image into another, for {titles} and as a pixel blend.",
        )
    return Caption(
        "From one sample to another",
        f"{pairs}, from the top row to the bottom row, and on the right the plain blend of their features. Beside "
        f"each step stands the {'class' if experiment.labelled else 'number'} of the training sample nearest to it.",
        f"Tables of samples changing from one test sample into another, for {titles} and as a plain blend.",
    )


FIGURE = ReportFigure(
    "interpolation", _compute, lambda walks, experiment: interpolation(walks, experiment.features), _caption
)
