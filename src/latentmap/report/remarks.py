"""What the page says of the numbers: sentences computed from them, never from the name of a dataset."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentmap.analysis import Generated, TsneResult
from latentmap.analysis.baselines import most_components
from latentmap.analysis.neighbours import remarks_on_accuracy
from latentmap.analysis.transformers import drawn_rows
from latentmap.errors import count
from latentmap.report.figures.base import Experiment
from latentmap.report.figures.letters import error_text
from latentmap.report.measured import Measured, apart
from latentmap.training import OBJECTIVES

ALL_VARIANCE = 0.999  # the share of variance from which PCA is said to hold all of it
_WIDE_GAP = 0.1  # by which test error exceeds training error where more data can be expected to help
_NEXT_TO_NOTHING = 1e-3  # the share of variance below which nobody need ask which samples an error comes from
_FEWEST_WITH_OUTLIERS = 20  # of fewer samples the worst may well make half of the error


def remarks(experiment: Experiment, results: Mapping[str, Any]) -> list[str]:
    """Say what the numbers mean, the good and the bad; `results` are those of the figures, by their names."""
    baselines = {model.latent_dim: model for model in experiment.models if model.is_baseline}
    ours = [model for model in experiment.models if not model.is_baseline]
    said = [
        against_pca(model, baselines[model.latent_dim], experiment) for model in ours if model.latent_dim in baselines
    ]
    most, n_train = most_components(experiment.dataset.train.X), len(experiment.dataset.train)
    why = (
        f"as many as there are training {experiment.thing}s"
        if most == n_train
        else "more would take minutes and gigabytes"
    )
    said += [
        f"PCA has no more than {count(most, 'number')} here, {why}: {model.short} with its {model.latent_dim:,} has "
        "no fair match."
        for model in ours
        if model.latent_dim > max(baselines, default=model.latent_dim)
    ]
    said += outlier_remarks(experiment)
    said += neighbour_remarks(experiment, results.get("tsne"))
    accuracies = [model.evaluation.knn_accuracy for model in experiment.models]
    said += remarks_on_accuracy(max((one for one in accuracies if one is not None), default=None), experiment.dataset)
    said += clarity_remarks(experiment, results.get("generated") or ())
    if experiment.dataset.test.labels is None:
        measured = experiment.dataset.measured
        coloured = (
            f"classes: {measured['values_name']} colours the pictures" if measured else "labels: nothing is coloured"
        )
        said.append(
            f"The data has no {coloured}, no classification is scored, and the medians are those of k-means clusters "
            "of the codes."
        )
    return said


def against_pca(model: Measured, pca: Measured, experiment: Experiment) -> str:
    """Compare one model's error with that of PCA at the same size, and say why PCA wins where that can be known."""
    ours, theirs = model.evaluation.test_mse, pca.evaluation.test_mse
    size = count(model.latent_dim, "number")
    if model.spec.params.get("model") == "linear":
        return (
            f"The {model.short} model's test error is {percent_apart(ours, theirs)} PCA's with {size}: it starts as "
            "PCA, and no linear map can do better on the data it learned from."
        )
    both = f"{error_text(ours)} and {error_text(theirs)}"
    equal = 0.995 * theirs <= ours <= 1.005 * theirs
    if equal or not apart(model.evaluation.errors, pca.evaluation.errors):
        n = f"{len(experiment.dataset.test):,} test {experiment.thing}s"
        return (
            f"With {size}, {model.short} and PCA reconstruct equally well: {both}."
            if equal
            else f"With {size}, {n} cannot tell {model.short} and PCA apart: {both} differ by less than twice the "
            "standard error."
        )
    is_start = model.best_epoch == 0
    if ours < theirs and experiment.dataset.is_images and is_start:
        return (
            f"With {size}, {model.short} is PCA, for no epoch was better than its start by more than noise. Its test "
            f"error is {percent_apart(ours, theirs)} PCA's: it draws nothing beyond black and white."
        )
    if ours < theirs:
        return (
            f"With {size} to describe {'an image' if experiment.dataset.is_images else 'a sample'}, {model.short}'s "
            f"test error is {error_text(ours)} where PCA's is {error_text(theirs)}: {1 - ours / theirs:.0%} lower."
        )
    return (
        f"With {size}, PCA beats {model.short}: its test error is {error_text(theirs)} against {error_text(ours)}. "
        + why_pca_wins(model, pca, experiment)
    ).strip()


def why_pca_wins(model: Measured, pca: Measured, experiment: Experiment) -> str:
    """Explain PCA's victory by what was measured; nothing where that explains nothing."""
    held = getattr(pca.model, "explained_variance_ratio_", 0.0)
    if held >= ALL_VARIANCE and 2 * pca.latent_dim <= len(experiment.dataset.train):  # else by heart
        share = f"{held:.2%}" if held < 0.9999 else "more than 99.99%"
        if not experiment.dataset.is_images:
            held_by = holds(pca.latent_dim, "component")
            return f"There is next to nothing left to win: {held_by} {share} of the variance."
        n_values, n = experiment.dataset.train.X[0].size, experiment.linear_rank
        return (
            f"There is next to nothing left to win: though an image has {n_values:,} values, "
            f"{holds(n, 'linear direction')} {ALL_VARIANCE:.1%} of the variance of the training images, and "
            f"{holds(pca.latent_dim, 'component')} {share}. That is so where images were enlarged from smaller ones, "
            "or are very smooth."
        )
    if OBJECTIVES[model.objective].keeps_neighbors:
        return (
            f"That is what {model.short} pays for keeping neighbours together, which its objective rewards besides "
            "drawing well; its weight, in objective_params, shifts the balance."
        )
    ours, theirs = model.evaluation.train_mse, pca.evaluation.train_mse
    if ours > 1.005 * theirs:
        gap = model.evaluation.test_mse / ours - 1
        more_data = ", more data will not."
        if gap > _WIDE_GAP:
            more_data = f", and so may more data: on the test {experiment.thing}s its own error is {gap:.0%} higher."
        return (
            f"On the training {experiment.thing}s it does so too, {error_text(theirs)} against {error_text(ours)}: "
            f"{model.short} underfits. More epochs or a larger network may help{more_data}"
        )
    if ours < 0.995 * theirs:
        return (
            f"On the training {experiment.thing}s {model.short} is ahead, {error_text(ours)} against "
            f"{error_text(theirs)}: {len(experiment.dataset.train):,} are too few for what it learns from them "
            "to hold for others."
        )
    return ""


def outlier_remarks(experiment: Experiment) -> list[str]:
    """Say where one test sample in a hundred makes more than half of an error."""
    n = len(experiment.dataset.test)
    few = -(-n // 100)
    some = drawn_rows(len(experiment.dataset.train), 1000)
    variance = np.var(experiment.dataset.train.X[some] / experiment.dataset.unit, axis=0).mean()
    parts, first = [], None
    for model in experiment.models:
        errors = np.sort(model.evaluation.errors.astype(np.float64))
        if errors.mean() < _NEXT_TO_NOTHING * variance:
            continue
        if n >= _FEWEST_WITH_OUTLIERS and errors[-few:].sum() > 0.5 * errors.sum():
            share = errors[-few:].sum() / errors.sum()
            parts.append(f"{share:.1%} of all under {model.name} ({error_text(errors[:-few].mean())} without)")
            first = first or model
    if first is None:
        return []
    worst = int(first.evaluation.errors.argmax())
    which = experiment.dataset.test.source(worst)
    if experiment.features is not None:
        x = experiment.dataset.test.X[worst : worst + 1]
        x_hat = first.model.inverse_transform(first.evaluation.Z_test[worst : worst + 1])
        column = int(np.abs((x - x_hat) / experiment.dataset.unit).argmax())
        which += f", by its feature {experiment.features.names[column]}"
    return [
        f"Outliers decide the test error: the worst {f'{few:,} samples make' if few > 1 else 'sample makes'} "
        f"{', '.join(parts)}. The very worst is {which}."
    ]


def neighbour_remarks(experiment: Experiment, tsne: TsneResult | None) -> list[str]:
    """Compare how well classes can be told from each model's 2 numbers, and from t-SNE."""
    compared = [*experiment.flat, *([experiment.flat_baseline] if experiment.flat_baseline else [])]
    scores = [(model.short, model.evaluation.knn_accuracy) for model in compared]
    known = [(name, accuracy) for name, accuracy in scores if accuracy is not None]
    if len(known) < 2:
        return []
    listed = [f"{accuracy:.1%} under {name}" for name, accuracy in known]
    text = (
        f"From 2 numbers, the 10 nearest neighbours tell the class of so many of the test {experiment.thing}s: "
        f"{', '.join(listed[:-1])} and {listed[-1]}."
    )
    if tsne and tsne.knn_accuracy is not None:
        text += (
            f" t-SNE, which starts from {count(tsne.latent_dim, 'number')} and can neither decode nor place new "
            f"{experiment.thing}s, comes to {tsne.knn_accuracy:.1%} by cross-validation among the "
            f"{experiment.thing}s it embeds."
        )
    return [text]


def clarity_remarks(experiment: Experiment, generated: Sequence[Generated]) -> list[str]:
    """Count the class medians whose picture looks like its class."""
    parts = [
        f"{result.clarity.right.sum()} of {len(result.medians.names)} under {result.title}"
        for result in generated
        if result.clarity is not None
    ]
    if not parts:
        return []
    what = "picture" if experiment.dataset.is_images else "sample"
    return [
        f"Of the {what}s decoded from the median code of a class, so many have that class as the commonest among the "
        f"10 training {experiment.thing}s nearest to them: {', '.join(parts)}."
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
