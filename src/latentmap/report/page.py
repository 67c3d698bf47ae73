"""The page: one HTML file that needs nothing else; its looks and its standing words are in ``page.html.j2``."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

import latentmap
from latentmap.errors import count, printable
from latentmap.report.figures.base import Caption, Experiment
from latentmap.report.figures.letters import error_text
from latentmap.report.measured import Measured, apart
from latentmap.report.remarks import remarks


class Value(NamedTuple):
    """A number as written, whether more (1) or less (-1) of it is better, and what each sample adds to it."""

    text: str
    better: int = 0
    samples: NDArray[Any] | None = None


def render(
    experiment: Experiment,
    results: Mapping[str, Any],
    pictures: Mapping[str, tuple[bytes, Caption]],
    *,
    explorer: str | None,
    command: str,
    seconds: Mapping[str, float],
) -> str:
    """Write the page: HTML with everything in it, no request leaves it."""
    environment = Environment(
        loader=PackageLoader("latentmap.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if isinstance(value, str) and not value.isprintable() else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        name=experiment.dataset.name,
        facts=facts(experiment),
        remarks=remarks(experiment, results),
        thing=experiment.thing,
        columns=columns(experiment),
        groups=groups(experiment),
        pictures=[picture(name, *found) for name, found in pictures.items()],
        explorer=explorer,
        labelled=experiment.labelled,
        is_given=experiment.is_given,
        command=command,
        seconds=[(name.replace("_", " "), f"{value:.1f}") for name, value in seconds.items()],
        version=latentmap.__version__,
    )


def facts(experiment: Experiment) -> list[tuple[str, str]]:
    """Return what is worth knowing of the data, as pairs of term and description."""
    dataset = experiment.dataset
    if dataset.is_images:
        height, width, channels = dataset.sample_shape
        kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        sample = ("Image", f"{height}×{width}, {kind}")
    else:
        sample = ("Sample", count(dataset.sample_shape[0], "feature"))
    things, measured = f"{experiment.thing}s", dataset.measured
    none = f"none: coloured by {measured['values_name']}" if measured else "no labels"
    return [
        (f"Training {things}", f"{len(dataset.train):,}"),
        (f"Test {things}", f"{len(dataset.test):,}"),
        sample,
        ("Classes", none if dataset.train.labels is None else f"{len(dataset.known_names or ())}"),
        ("Linear directions with 99.9% of the variance", f"{experiment.linear_rank:,}"),
        ("Seed", f"{experiment.seed}"),
    ]


def columns(experiment: Experiment) -> list[tuple[str, str]]:
    """Return the headings of the summary table's numbers, each with what it means."""
    things, measured = f"{experiment.thing}s", experiment.dataset.values_name
    per = f"{'pixel' if experiment.dataset.is_images else 'feature'} of the test {things}, {experiment.errors_in}"
    named = [
        ("test MSE", f"mean squared error per {per}; lower is better"),
        ("kNN accuracy", "test codes whose class their 10 nearest training codes tell rightly; higher is better"),
        (
            "kNN R²",
            f"how much of {measured} the mean of the 10 nearest training samples explains; 1 is all, 0 nothing",
        ),
        ("trustworthiness", f"how far neighbours among the codes were neighbours among the {things}; 1 is perfect"),
        ("fit seconds", "how long learning took, where another model may have learned beside it"),
        ("parameters", "how many numbers were learned"),
    ]
    return [column for column in named if not column[0].startswith("kNN") or column[0] == experiment.knn_score]


def groups(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the rows of the summary table, models of one size together: only those are a fair match."""
    found = []
    for size in sorted({model.latent_dim for model in experiment.models}):
        models = [model for model in experiment.models if model.latent_dim == size]
        table = [values(model, knn=experiment.knn_score is not None) for model in models]
        winners = [best_texts(column) for column in zip(*table, strict=True)]
        rows = [
            {
                "name": model.name,
                "about": model.spec.about,
                "cells": [(value.text, value.text in best) for value, best in zip(row, winners, strict=True)],
            }
            for model, row in zip(models, table, strict=True)
        ]
        found.append({"title": count(size, "number"), "rows": rows})
    return found


def best_texts(column: Sequence[Value]) -> set[str]:
    """Return how the best values of a column are written: none where all are, as far as the samples can tell."""
    rated = [value for value in column if value.samples is not None]
    if not rated or not rated[0].better:
        return set()
    best = max(rated, key=lambda value: value.better * np.mean(np.asarray(value.samples), dtype=np.float64))
    found = {value.text for value in rated if not apart(value.samples, best.samples)}
    return found if any(value.text not in found for value in rated) else set()


def values(model: Measured, *, knn: bool) -> list[Value]:
    """Return the numbers of one model, in the order of `columns`."""
    scores = model.evaluation
    trust = scores.trustworthiness
    told = "–" if scores.knn_accuracy is None else f"{scores.knn_accuracy:.1%}"
    told = told if scores.knn_r2 is None else f"{scores.knn_r2:.2f}"
    return [
        Value(error_text(scores.test_mse), -1, scores.errors),
        *([Value(told, 1, scores.hits)] if knn else []),
        Value("–" if trust is None else f"{trust:.3f}", 1, scores.trusted),
        Value(f"{model.fit_seconds:.1f}"),
        Value(f"{model.model.n_parameters_:,}"),
    ]


def picture(name: str, png: bytes, words: Caption) -> dict[str, Any]:
    """A figure with its words, embedded."""
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return {"name": name, **asdict(words), "source": source, "width": width, "height": height}
