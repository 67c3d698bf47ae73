"""Everything a report shows, gathered before anything is drawn.

What belongs here: which model plays which part, and the calls of ``analysis`` that give each figure its results.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    measuring_unit,
    name_nearest,
    unit_scale,
)
from latentmap.data.dataset import Dataset
from latentmap.report import figures
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
    flat : Measured or None
        The autoencoder whose 2-D codes are mapped, if there is one.
    flat_medians : CodeMedians or None
        Medians of its training codes.
    flat_baseline : Measured or None
        PCA with as many numbers.
    grid : LatentGrid or None
        What its decoder draws all over the plane.
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
    flat: Measured | None
    flat_medians: CodeMedians | None
    flat_baseline: Measured | None
    grid: LatentGrid | None
    tsne: TsneResult | None
    features: figures.Features | None = None

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
    flat = next((model for model in drawn if model.latent_dim == 2), None)
    large = train.X[0].size > LARGE_IMAGE
    is_images = dataset.is_images
    unit = measuring_unit(train.X)
    walks = interpolate(
        {model.title: model.model for model in drawn},
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
        ),
        generated=tuple(
            generate(
                model.title,
                model.model,
                medians[model.name],
                train.X,
                train.labels,
                class_names,
                distances_in=None if is_images else unit,
            )
            for model in drawn
        ),
        interpolation=walks if is_images else name_nearest(walks, train.X, train.labels, class_names, unit),
        flat=flat,
        flat_medians=medians[flat.name] if flat else None,
        flat_baseline=next((model for model in models if model.is_baseline and model.latent_dim == 2), None),
        grid=latent_grid(flat.model, flat.evaluation.Z_train, n_cells=12 if large else 20, unit=unit_scale(train.X))
        if flat
        else None,
        tsne=tsne,
        features=None
        if is_images
        else figures.Features.of(train.X, dataset.reading.columns if dataset.reading else None),
    )


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
    histories = {model.title: model.history for model in story.models if model.history}

    def code_map(model: Measured) -> figures.CodeMap:
        scores = model.evaluation
        return figures.CodeMap(
            model.title, scores.Z_test, test.labels, class_names, scores.knn_accuracy, scores.trustworthiness
        )

    features = story.features
    drawn = {
        "training": figures.training(histories, per="pixel" if features is None else "scaled feature"),
        "reconstructions": figures.reconstructions(story.comparison)
        if features is None
        else figures.vector_reconstructions(story.comparison, features),
    }
    if story.flat:
        drawn["embedding"] = figures.embedding(code_map(story.flat), medians=story.flat_medians)
    if story.flat and story.flat_baseline:
        drawn["pca"] = figures.pca(code_map(story.flat), code_map(story.flat_baseline))
    if story.tsne:
        drawn["tsne"] = figures.tsne(story.tsne, class_names=class_names)
    if features is None:
        drawn["generated"] = figures.generated(story.generated)
        drawn["interpolation"] = figures.interpolation(story.interpolation)
    else:
        drawn["generated"] = figures.vector_table(story.generated, features)
        drawn["interpolation"] = figures.vector_walks(story.interpolation, features)
    if story.grid and story.flat:
        title = story.flat.title
        drawn["latent_grid"] = (
            figures.latent_grid(story.grid, name=title)
            if features is None
            else figures.feature_maps(story.grid, features, name=title)
        )
    return drawn
