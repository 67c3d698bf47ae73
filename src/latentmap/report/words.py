"""What the page says: remarks that follow from the numbers, and a caption for each figure.

What belongs here: sentences, computed from a story and never from the name of its dataset. How they are laid out is
the business of ``page``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentmap.report.figures.canvas import MOST_CLASSES, count, error_text
from latentmap.report.models import Measured, apart, most_components
from latentmap.report.story import Story, code_map

ALL_VARIANCE = 0.999
"""The share of variance from which PCA is said to hold all of it."""

N_NEIGHBOURS = 10
"""How many nearest neighbours kNN accuracy asks."""
_WIDE_GAP = 0.1  # by which test error exceeds training error where more data can be expected to help
_FEWEST_WITH_OUTLIERS = 20  # of fewer samples the worst may well make half of the error


@dataclass(frozen=True)
class Caption:
    """The words around one figure.

    Parameters
    ----------
    heading : str
        What the figure answers.
    text : str
        What to see, of how many samples of which split.
    alt : str
        What the figure shows, for those who cannot see it.
    """

    heading: str
    text: str
    alt: str


def remarks(story: Story) -> list[str]:
    """Say what the numbers mean, the good and the bad.

    Parameters
    ----------
    story : Story
        The results of a report.

    Returns
    -------
    list of str
        Plain sentences.
    """
    baselines = {model.latent_dim: model for model in story.models if model.is_baseline}
    ours = [model for model in story.models if not model.is_baseline]
    said = [against_pca(model, baselines[model.latent_dim], story) for model in ours if model.latent_dim in baselines]
    said += [
        f"PCA has no more than {count(most_components(story.dataset.train.X), 'number')} here, for more would take "
        f"minutes and gigabytes: {model.short} with its {model.latent_dim:,} has no fair match."
        for model in ours
        if model.latent_dim > max(baselines, default=model.latent_dim)
    ]
    said += outlier_remarks(story)
    said += neighbour_remarks(story)
    said += small_class_remarks(story)
    said += clarity_remarks(story)
    if story.dataset.test.labels is None:
        said.append(
            "The data has no labels: nothing is coloured, no classification is scored, and the medians are those of "
            "k-means clusters of the codes."
        )
    return said


def against_pca(model: Measured, pca: Measured, story: Story) -> str:
    """Compare one model's error with that of PCA at the same size, and say why PCA wins where that can be known."""
    ours, theirs = model.evaluation.test_mse, pca.evaluation.test_mse
    size = count(model.latent_dim, "number")
    if not model.pictured:
        return (
            f"The {model.short} model's test error is {percent_apart(ours, theirs)} PCA's with {size}. No linear map "
            "can do better than PCA on the data it learned from, so the closer, the more the training can be trusted."
        )
    if 0.995 * theirs <= ours <= 1.005 * theirs:
        return (
            f"With {size}, {model.short} and PCA reconstruct equally well: {error_text(ours)} and "
            f"{error_text(theirs)}."
        )
    if not apart(model.evaluation.errors, pca.evaluation.errors):
        return (
            f"With {size}, {len(story.dataset.test):,} test {story.thing}s cannot tell {model.short} and PCA apart: "
            f"{error_text(ours)} and {error_text(theirs)} differ by less than twice the standard error."
        )
    if ours < theirs:
        return (
            f"With {size} to describe {'an image' if story.dataset.is_images else 'a sample'}, {model.short}'s test "
            f"error is {error_text(ours)} where PCA's is {error_text(theirs)}: {1 - ours / theirs:.0%} lower."
        )
    return (
        f"With {size}, PCA beats {model.short}: its test error is {error_text(theirs)} against {error_text(ours)}. "
        + why_pca_wins(model, pca, story)
    ).strip()


def why_pca_wins(model: Measured, pca: Measured, story: Story) -> str:
    """Explain PCA's victory by what was measured; nothing where that explains nothing."""
    held = getattr(pca.model, "explained_variance_ratio_", 0.0)
    if held >= ALL_VARIANCE:
        share = f"{held:.2%}" if held < 0.9999 else "more than 99.99%"
        if not story.dataset.is_images:
            held_by = holds(pca.latent_dim, "component")
            return f"There is next to nothing left to win: {held_by} {share} of the variance."
        return (
            f"There is next to nothing left to win: though an image has {story.dataset.train.X[0].size:,} values, "
            f"{holds(story.linear_rank, 'linear direction')} {ALL_VARIANCE:.1%} of the variance of the training "
            f"images, and {holds(pca.latent_dim, 'component')} {share}. That is so where images were enlarged from "
            "smaller ones, or are very smooth."
        )
    ours, theirs = model.evaluation.train_mse, pca.evaluation.train_mse
    if ours > 1.005 * theirs:
        gap = model.evaluation.test_mse / ours - 1
        more_data = ", more data will not."
        if gap > _WIDE_GAP:
            more_data = f", and so may more data: on the test {story.thing}s its own error is {gap:.0%} higher."
        return (
            f"On the training {story.thing}s it does so too, {error_text(theirs)} against {error_text(ours)}: "
            f"{model.short} underfits. More epochs or a larger network may help{more_data}"
        )
    if ours < 0.995 * theirs:
        return (
            f"On the training {story.thing}s {model.short} is ahead, {error_text(ours)} against {error_text(theirs)}: "
            f"{len(story.dataset.train):,} are too few for what it learns from them to hold for others."
        )
    return ""


def outlier_remarks(story: Story) -> list[str]:
    """Say where one test sample in a hundred makes more than half of an error."""
    n = len(story.dataset.test)
    few = -(-n // 100)
    parts, first = [], None
    for model in story.models:
        errors = np.sort(model.evaluation.errors.astype(np.float64))
        if n >= _FEWEST_WITH_OUTLIERS and errors[-few:].sum() > 0.5 * errors.sum():
            share = errors[-few:].sum() / errors.sum()
            parts.append(f"{share:.1%} under {model.name} ({error_text(errors[:-few].mean())} without)")
            first = first or model
    if first is None:
        return []
    worst = int(first.evaluation.errors.argmax())
    which = f"no. {worst:,}"
    if story.features is not None:
        x = story.dataset.test.X[worst : worst + 1]
        x_hat = first.model.inverse_transform(first.evaluation.Z_test[worst : worst + 1])
        column = int(np.abs((x - x_hat) / story.dataset.unit).argmax())
        which += f", by its feature {story.features.names[column]}"
    return [
        f"Outliers decide the test error: the worst {f'{few:,} samples make' if few > 1 else 'sample makes'} "
        f"{', '.join(parts)} of all. The very worst is {which}."
    ]


def neighbour_remarks(story: Story) -> list[str]:
    """Compare how well classes can be told from each model's 2 numbers, and from t-SNE."""
    compared = [*story.flat, *([story.flat_baseline] if story.flat_baseline else [])]
    scores = [(model.short, model.evaluation.knn_accuracy) for model in compared]
    known = [(name, accuracy) for name, accuracy in scores if accuracy is not None]
    if len(known) < 2:
        return []
    listed = [f"{accuracy:.1%} under {name}" for name, accuracy in known]
    text = (
        f"From 2 numbers, the 10 nearest neighbours tell the class of so many of the test {story.thing}s: "
        f"{', '.join(listed[:-1])} and {listed[-1]}."
    )
    if story.tsne and story.tsne.knn_accuracy is not None:
        text += (
            f" t-SNE, which starts from {count(story.tsne.latent_dim, 'number')} and can neither decode nor place new "
            f"{story.thing}s, comes to {story.tsne.knn_accuracy:.1%} by cross-validation among the "
            f"{story.thing}s it embeds."
        )
    return [text]


def small_class_remarks(story: Story) -> list[str]:
    """Say where classes are too small for the nearest neighbours that are counted."""
    labels = story.dataset.train.labels
    if labels is None or story.dataset.test.labels is None:
        return []
    sizes = np.unique(labels, return_counts=True)[1]
    small = int((sizes < N_NEIGHBOURS).sum())
    if not small:
        return []
    which = f"{small:,} of {count(len(sizes), 'class')} {'has' if small == 1 else 'have'}"
    return [
        f"{which} fewer than {N_NEIGHBOURS} training {story.thing}s, the smallest {sizes.min():,}: most of the "
        f"{N_NEIGHBOURS} nearest neighbours have to be of other classes there, so that kNN accuracy says little of "
        "such classes, and stays low however good the codes are."
    ]


def clarity_remarks(story: Story) -> list[str]:
    """Count the class medians whose picture looks like its class."""
    parts = []
    for result in story.generated:
        if result.clarity is not None and result.medians.classes is not None:
            right = int(np.sum(result.clarity.looks_like == result.medians.classes))
            parts.append(f"{right} of {len(result.medians.names)} under {result.title}")
    if not parts:
        return []
    what = "picture" if story.dataset.is_images else "sample"
    return [
        f"Of the {what}s decoded from the median code of a class, so many have that class as the commonest among the "
        f"10 training {story.thing}s nearest to them: {', '.join(parts)}."
    ]


def holds(n: int, what: str) -> str:
    """Write who holds something: "1 component holds", "2 components hold"."""
    return f"{count(n, what)} {'holds' if n == 1 else 'hold'}"


def percent_apart(ours: float, theirs: float) -> str:
    """Write how far one error is from another: "0.3% above"."""
    if theirs == 0:
        return "the same as" if ours == 0 else "above"
    share = ours / theirs - 1
    if abs(share) < 0.0005:
        return "the same as"
    return f"{abs(share):.1%} {'above' if share > 0 else 'below'}"


def captions(story: Story) -> dict[str, Caption]:
    """Write the words around each figure the story may have.

    Parameters
    ----------
    story : Story
        The results of a report.

    Returns
    -------
    dict of str to Caption
        By the name of the figure.
    """
    n_train, n_test = f"{len(story.dataset.train):,}", f"{len(story.dataset.test):,}"
    labelled = story.dataset.test.labels is not None
    named = ", ".join(model.title for model in story.comparison.models)
    curves = ", ".join(model.short for model in story.models if model.history)
    thing = story.thing
    per = "pixel" if story.dataset.is_images else "scaled feature"
    others = [model.short for model in story.models if model.history and not model.loss_is_error]
    apart_below = (
        f" What {' and '.join(others)} made small is no such error, and stands below on a scale of its own."
        if others
        else ""
    )
    return {
        "training": Caption(
            "How they learned",
            f"Mean squared error per {per} after each pass over the {n_train} training {thing}s, on a log scale; a "
            "part of them is set aside for validation. The weights of the best epoch (ring) are the ones kept. A "
            f"solid line that turns up while the dashed one falls would mean learning by heart.{apart_below}",
            f"Line chart of training and validation loss per epoch for {curves}.",
        ),
        "reconstructions": Caption(
            "What comes back",
            "Samples of the test split as grey lines over their features, in standard deviations from the mean, with "
            "what each model makes of them after squeezing them into a few numbers, and the error. Below, the best, "
            f"the median and the worst of all {n_test} test samples for each model.",
            f"Small line plots of {len(story.comparison.X)} test samples with their reconstructions by {named}.",
        )
        if story.features is not None
        else Caption(
            "What comes back",
            "Images of the test split and what each model makes of them after squeezing them into a few numbers, "
            f"with the error under each. Below, the best, the median and the worst of all {n_test} test images for "
            "each model: original on the left, reconstruction on the right.",
            f"Grid of {len(story.comparison.X)} test images above their reconstructions by {named}, then each model's "
            "best, median and worst.",
        ),
        **map_captions(story, n_test, labelled),
        **decoder_captions(story, n_train, labelled),
    }


def map_captions(story: Story, n_test: str, labelled: bool) -> dict[str, Caption]:
    """Write the words around the maps of codes."""
    found = {}
    thing = story.thing
    if story.map is not None:
        codes = code_map(story.map, story)
        colour = codes.colouring
        if not labelled:
            medians = "the median training code of each k-means group"
        elif len(story.flat_medians[-1].names) > MOST_CLASSES:
            medians = "the median training codes of " + (
                "the coloured classes" if -1 in codes.style_names else "some classes, the largest first"
            )
        else:
            medians = "the median training code of each class"
        name = " and ".join(model.short for model in story.flat)
        encode = "encodes" if len(story.flat) == 1 else "encode"
        found["map"] = Caption(
            "The map, to print",
            f"The codes of {story.map.title} as points, {colour}"
            + (", with test images at their places wherever there is room for one" if story.features is None else "")
            + f". {_schedule(story.map)}",
            f"Large map of the 2-D codes of {n_test} test {thing}s under {story.map.short}.",
        )
        found["embedding"] = Caption(
            "The map of codes",
            f"Each point is one of the {n_test} test {thing}s at the two numbers {name} {encode} it by, {colour}. The "
            f"large marks are {medians}. Points that mix are {thing}s the two "
            "numbers cannot tell apart.",
            f"Scatter plot of the 2-D codes of {n_test} test {thing}s under {name}.",
        )
        found["pca"] = Caption(
            "Beside PCA",
            f"The same {n_test} test {thing}s under {name} and under the first two principal components. PCA can only "
            "turn and flatten the cloud; an autoencoder can bend it.",
            f"Scatter plots of the same test {thing}s: {name}, and PCA on the right.",
        )
    if story.tsne is not None:
        result = story.tsne
        scored = (
            f" Its kNN accuracy is scored by 5-fold cross-validation among these {len(result.Z):,} {thing}s, and so "
            "is no fair match for the figures in the table."
            if result.knn_accuracy is not None
            else ""
        )
        found["tsne"] = Caption(
            "t-SNE of the longer codes",
            f"t-SNE lays out the {count(result.latent_dim, 'number')} of {result.title} for {len(result.Z):,} of the "
            f"test {thing}s (perplexity {result.perplexity:g}, seed {result.seed}) so that neighbours stay together. "
            f"The sizes of clusters and the distances between them mean little.{scored}"
            + (f" On the left, the same {thing}s under {story.map.short}, which can decode." if story.map else ""),
            f"Scatter plot of a t-SNE embedding of {len(result.Z):,} test {thing}s.",
        )
    return found


def _schedule(model: Measured) -> str:
    """What is to be known of how the map was learned."""
    if model.objective != "neighbors":
        return ""
    return (
        f"It learned to keep neighbours together, in {count(len(model.history), 'epoch')}: a third of the schedule "
        'that ``Autoencoder(model="residual", objective="neighbors")`` has on its own, which gives a better map.'
    ).replace("``", "")


def decoder_captions(story: Story, n_train: str, labelled: bool) -> dict[str, Caption]:
    """Write the words around the pictures that decoders draw."""
    if story.features is not None:
        return vector_captions(story, n_train, labelled)
    measure = (
        "A tick means that its class is the commonest among the 10 training images nearest to the picture; the number "
        "says how many of the 10 have the class named."
        if labelled
        else "There are no labels, so each model's codes are grouped by k-means; n is how many codes a group has."
    )
    who = " and ".join(result.title for result in story.generated)
    found = {
        "generated": Caption(
            f"A picture of each {'class' if labelled else 'group'}",
            f"The median of the {n_train} training codes, number by number, for each "
            f"{'class' if labelled else 'k-means group'}, decoded. No such image is in the data. {measure}",
            f"Rows of pictures decoded from median codes by {who}.",
        ),
        "interpolation": Caption(
            "From one image to another",
            "Pairs of test images "
            + ("of different classes" if labelled else "chosen at random")
            + ": the straight walk between their codes, decoded, and below it the plain blend of their pixels. A good "
            "walk passes through images that could be real; a blend shows two at once. The boxed ends of a walk are "
            "reconstructions, those of a blend the images themselves.",
            f"Rows of images changing from one test image into another, for {who} and as a pixel blend.",
        ),
    }
    if story.flat:
        names = " and ".join(model.short for model in story.flat)
        found["latent_grid"] = Caption(
            "All over the latent space",
            f"What {names} {'decodes' if len(story.flat) == 1 else 'decode'} from a grid of codes, z1 to the right "
            f"and z2 upward. The grid is laid "
            f"over the quantiles of the {n_train} training codes, so that it is finest where they crowd. Where a cell "
            "is faded no training image was encoded nearby, and the picture is a guess.",
            f"Grids of images decoded by {names} from regularly spaced codes.",
        )
    return found


def vector_captions(story: Story, n_train: str, labelled: bool) -> dict[str, Caption]:
    """Write the words around the tables that stand for such pictures where samples are vectors."""
    who = " and ".join(result.title for result in story.generated)
    group = "class" if labelled else "k-means group"
    judged = (
        "A tick means that its class is the commonest among the 10 training samples nearest to it; then comes how "
        "many of the 10 have the class, and the number of the nearest."
        if labelled
        else "Beside it, the number of the nearest training sample; n is how many codes the group has."
    )
    found = {
        "generated": Caption(
            f"A sample of each {'class' if labelled else 'group'}",
            f"The median of the {n_train} training codes, number by number, for each {group}, decoded: a row of "
            f"features, blue below the mean and red above. No such sample is in the data. {judged}",
            f"Tables of samples decoded from median codes by {who}.",
        ),
        "interpolation": Caption(
            "From one sample to another",
            "Pairs of test samples "
            + ("of different classes" if labelled else "chosen at random")
            + ": the straight walk between their codes, decoded, from the top row to the bottom row, and on the right "
            f"the plain blend of their features. Beside each step stands the {'class' if labelled else 'number'} of "
            "the training sample nearest to it.",
            f"Tables of samples changing from one test sample into another, for {who} and as a plain blend.",
        ),
    }
    if story.map is not None:
        found["latent_grid"] = Caption(
            "All over the latent space",
            f"What {story.map.short} decodes from a grid of codes, z1 to the right and z2 upward, feature by "
            f"feature. The grid is laid over the quantiles of the {n_train} training codes, so that it is finest "
            "where they crowd. Where a map is faded no training sample was encoded nearby, and the colour is a guess.",
            f"Maps of features decoded by {story.map.short} from regularly spaced codes.",
        )
    return found
