"""Everything a report shows, gathered before anything is drawn.

What belongs here: which model plays which part, and the calls of ``analysis`` that give each figure its results.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from latentmap.analysis import (
    CodeMedians,
    Comparison,
    Generated,
    Interpolation,
    LatentGrid,
    TsneResult,
    choose_pairs,
    class_medians,
    compare_reconstructions,
    generate,
    interpolate,
    latent_grid,
    name_nearest,
)
from latentmap.analysis.transformers import IntArray
from latentmap.data.dataset import Dataset
from latentmap.report import figures
from latentmap.report.figures.canvas import PALETTE
from latentmap.report.models import Measured

LARGE_IMAGE = 64 * 64
"""Pixels from which the latent grid has fewer cells: they could not be told apart, and cost memory."""


@dataclass(frozen=True, eq=False)
class Story:
    """The results behind every figure of a report.

    Parameters
    ----------
    dataset : Dataset
        What was learned.
    models : tuple of Measured
        The autoencoders, then the baselines.
    linear_rank : int
        How many linear directions hold 99.9% of the variance of the training samples.
    comparison, generated, interpolation : results of ``analysis``
        Of the models that are pictured.
    flat : tuple of Measured
        The autoencoders with 2-D codes, which are drawn as maps.
    flat_medians : tuple of CodeMedians
        Medians of the training codes of each.
    flat_baseline : Measured or None
        PCA with as many numbers.
    grids : tuple of LatentGrid
        What the decoder of each draws all over the plane.
    tsne : TsneResult or None
        The t-SNE of the model with the longest codes.
    features : Features or None
        What is known of the features of vectors; None for images.
    """

    dataset: Dataset
    models: tuple[Measured, ...]
    linear_rank: int
    comparison: Comparison
    generated: tuple[Generated, ...]
    interpolation: Interpolation
    flat: tuple[Measured, ...]
    flat_medians: tuple[CodeMedians, ...]
    flat_baseline: Measured | None
    grids: tuple[LatentGrid, ...]
    tsne: TsneResult | None
    features: figures.Features | None = None

    @property
    def map(self) -> Measured | None:
        """The best map: the last of the 2-D autoencoders."""
        return self.flat[-1] if self.flat else None

    @property
    def thing(self) -> str:
        """What a sample is called."""
        return "image" if self.dataset.is_images else "sample"


def gather(
    dataset: Dataset, models: tuple[Measured, ...], *, linear_rank: int, tsne: TsneResult | None, seed: int
) -> Story:
    """Ask the models for everything that will be shown.

    Parameters
    ----------
    dataset : Dataset
        What was learned.
    models : tuple of Measured
        The autoencoders, then the baselines.
    linear_rank : int
        From `latentmap.analysis.linear_rank`.
    tsne : TsneResult or None
        The t-SNE to show.
    seed : int
        Seeds the choice of pairs, and k-means.

    Returns
    -------
    Story
        The results behind every figure.
    """
    train, test, class_names = dataset.train, dataset.test, dataset.class_names
    pictured = [model for model in models if model.pictured]
    drawn = [model for model in pictured if not model.is_baseline]
    medians = {
        model.name: class_medians(model.evaluation.Z_train, train.labels, class_names=class_names, seed=seed)
        for model in drawn
    }
    flat = tuple(model for model in drawn if model.latent_dim == 2)
    large = train.X[0].size > LARGE_IMAGE
    is_images = dataset.is_images
    n_cells = 12 if large else 20 if len(flat) == 1 or not is_images else 14  # legible side by side
    unit = dataset.unit
    # Of a photograph 2 numbers leave a grey smear: rows that show nothing.
    longer = (
        [model for model in drawn if model.latent_dim > 2] if dataset.sample_shape[-1:] >= (3,) and is_images else []
    )
    walks = interpolate(
        {model.title: model.model for model in longer or drawn},
        test.X,
        choose_pairs(test.labels, len(test), seed=seed),
        labels=test.labels,
        class_names=class_names,
    )
    return Story(
        dataset=dataset,
        models=models,
        linear_rank=linear_rank,
        comparison=compare_reconstructions(
            {model.title: model.model for model in pictured},
            test.X,
            errors={model.title: model.evaluation.errors for model in pictured},
            labels=test.labels,
            class_names=class_names,
            unit=unit,
        ),
        generated=tuple(
            generate(
                model.title,
                model.model,
                medians[model.name],
                train.X,
                train.labels,
                class_names,
                unit=unit,
            )
            for model in drawn
        ),
        interpolation=walks if is_images else name_nearest(walks, train.X, train.labels, class_names, unit),
        flat=flat,
        flat_medians=tuple(medians[model.name] for model in flat),
        flat_baseline=next((model for model in models if model.is_baseline and model.latent_dim == 2), None),
        grids=tuple(latent_grid(model.model, model.evaluation.Z_train, n_cells=n_cells, unit=unit) for model in flat),
        tsne=tsne,
        features=None
        if is_images
        else figures.Features.of(train.X, dataset.reading.columns if dataset.reading else None),
    )


def code_map(model: Measured, story: Story) -> figures.CodeMap:
    """The codes of a model, to be drawn."""
    scores, dataset = model.evaluation, story.dataset
    return figures.CodeMap(
        model.title, scores.Z_test, dataset.test.labels, dataset.class_names, scores.knn_accuracy,
        scores.trustworthiness,
    )  # fmt: skip


def draw(story: Story) -> dict[str, Figure]:
    """Draw every figure the story has results for.

    Parameters
    ----------
    story : Story
        The results.

    Returns
    -------
    dict of str to Figure
        By name, in the order of the page.
    """
    test, class_names = story.dataset.test, story.dataset.class_names
    learned = [model for model in story.models if model.history]
    histories = {model.title: model.history for model in learned if model.loss_is_error}
    others = {f"{model.title}, {model.objective}": model.history for model in learned if not model.loss_is_error}
    colours = dict(zip([model.title for model in story.models], PALETTE * 9, strict=False))
    colours |= {f"{model.title}, {model.objective}": colours[model.title] for model in learned}

    features = story.features
    drawn = {
        "training": figures.training(
            histories, per="pixel" if features is None else "scaled feature", others=others, colours=colours
        ),
        "reconstructions": figures.reconstructions(story.comparison)
        if features is None
        else figures.vector_reconstructions(story.comparison, features, colours=colours),
    }
    maps = [code_map(model, story) for model in story.flat]
    if len(maps) == 1:
        drawn["embedding"] = figures.embedding(maps[0], medians=story.flat_medians[0])
    elif maps:
        drawn["embedding"] = figures.side_by_side(maps, medians=story.flat_medians)
    if maps and story.flat_baseline:
        drawn["pca"] = figures.side_by_side([*maps, code_map(story.flat_baseline, story)])
    if story.tsne:
        beside = some_samples(maps[-1], story.tsne.rows) if maps else None
        drawn["tsne"] = figures.tsne(story.tsne, class_names=class_names, beside=beside)
    if features is None:
        drawn["generated"] = figures.generated(story.generated)
        drawn["interpolation"] = figures.interpolation(story.interpolation)
    else:
        drawn["generated"] = figures.vector_table(story.generated, features)
        drawn["interpolation"] = figures.vector_walks(story.interpolation, features)
    named = tuple(model.title for model in story.flat)
    if story.grids and features is None:
        drawn["latent_grid"] = figures.latent_grid(story.grids, names=named)
    elif story.grids and features is not None:
        drawn["latent_grid"] = figures.feature_maps(story.grids[-1], features, name=named[-1])
    if maps:
        brightness = 1.0 if isinstance(story.dataset.unit, np.ndarray) else story.dataset.unit
        drawn["map"] = figures.thumbnail_map(
            maps[-1], test.X if features is None else None, medians=story.flat_medians[-1], unit=brightness
        )
    return drawn


def some_samples(codes: figures.CodeMap, rows: IntArray) -> figures.CodeMap:
    """The map of some of the samples; scores of all of them would not be those of the picture."""
    if len(rows) == len(codes.Z):
        return codes
    return replace(
        codes,
        title=f"{codes.title}, the same {len(rows):,} samples",
        Z=codes.Z[rows],
        labels=None if codes.labels is None else codes.labels[rows],
        knn_accuracy=None,
        trustworthiness=None,
    )
