"""The page: one HTML file that needs nothing else.

What belongs here: what the template is given. Its words come from ``words``, its looks from ``page.html.j2``.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

import latentmap
from latentmap.errors import printable
from latentmap.report.figures.canvas import count, error_text
from latentmap.report.models import Measured, apart
from latentmap.report.story import Story
from latentmap.report.words import captions, remarks


@dataclass(frozen=True, eq=False)
class Value:
    """A number as written, whether more (1) or less (-1) of it is better, and what each sample adds to it."""

    text: str
    better: int = 0
    samples: NDArray[Any] | None = None


@dataclass(frozen=True)
class Cell:
    """One number of the summary table, and whether it is the best among models of the same size."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One model in the summary table."""

    name: str
    about: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """The models of one size."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Picture:
    """One figure on the page."""

    name: str
    heading: str
    text: str
    alt: str
    source: str
    width: int
    height: int


def render(
    story: Story, pictures: Mapping[str, bytes], *, seed: int, command: str, seconds: Mapping[str, float]
) -> str:
    """Write the page.

    Parameters
    ----------
    story : Story
        The results of the report.
    pictures : mapping of str to bytes
        The figures as PNG, in the order to show them.
    seed : int
        The seed of the report.
    command : str
        The command that makes it again; may be empty.
    seconds : mapping of str to float
        How long each stage took so far.

    Returns
    -------
    str
        HTML with everything in it: no request leaves the page.
    """
    environment = Environment(
        loader=PackageLoader("latentmap.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    labelled = story.dataset.test.labels is not None
    return environment.get_template("page.html.j2").render(
        name=story.dataset.name,
        facts=facts(story, seed),
        remarks=remarks(story),
        labelled=labelled,
        thing=story.thing,
        columns=columns(labelled, story),
        groups=groups(story),
        pictures=[picture(name, png, story) for name, png in pictures.items()],
        command=command,
        seconds=[(name.replace("_", " "), f"{value:.1f}") for name, value in seconds.items()],
        version=latentmap.__version__,
    )


def facts(story: Story, seed: int) -> list[tuple[str, str]]:
    """Return what is worth knowing of the data, as pairs of term and description."""
    dataset = story.dataset
    if dataset.is_images:
        height, width, channels = dataset.sample_shape
        kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        sample = ("Image", f"{height}×{width}, {kind}")
    else:
        sample = ("Sample", count(dataset.sample_shape[0], "feature"))
    things = f"{story.thing}s"
    labels = dataset.train.labels
    n_classes = (
        len(dataset.class_names) if dataset.class_names else len(set(labels.tolist())) if labels is not None else 0
    )
    return [
        (f"Training {things}", f"{len(dataset.train):,}"),
        (f"Test {things}", f"{len(dataset.test):,}"),
        sample,
        ("Classes", f"{n_classes}" if labels is not None else "no labels"),
        ("Linear directions with 99.9% of the variance", f"{story.linear_rank:,}"),
        ("Seed", f"{seed}"),
    ]


def columns(labelled: bool, story: Story) -> list[tuple[str, str]]:
    """Return the headings of the summary table's numbers, each with what it means."""
    error = "mean squared error per pixel of the test images, with pixels from 0 to 1; lower is better"
    if not story.dataset.is_images:
        error = (
            "mean squared error per feature of the test samples, each feature in its standard deviations"
            if np.ndim(story.dataset.unit)
            else "mean squared error per feature of the test samples, in their squared units"
        ) + "; lower is better"
    named = [
        ("test MSE", error),
        ("kNN accuracy", "test codes whose class their 10 nearest training codes tell rightly; higher is better"),
        (
            "trustworthiness",
            f"how far neighbours among the codes were neighbours among the {story.thing}s; 1 is perfect",
        ),
        ("fit seconds", "how long learning took"),
        ("parameters", "how many numbers were learned"),
    ]
    return [column for column in named if labelled or column[0] != "kNN accuracy"]


def groups(story: Story) -> list[Group]:
    """Return the rows of the summary table, models of one size together: only those are a fair match."""
    found = []
    for size in sorted({model.latent_dim for model in story.models}):
        models = [model for model in story.models if model.latent_dim == size]
        table = [values(model, labelled=story.dataset.test.labels is not None) for model in models]
        winners = [best_texts(column) for column in zip(*table, strict=True)]
        rows = [
            Row(
                model.name,
                model.about,
                tuple(Cell(value.text, value.text in best) for value, best in zip(row, winners, strict=True)),
            )
            for model, row in zip(models, table, strict=True)
        ]
        found.append(Group(count(size, "number"), tuple(rows)))
    return found


def best_texts(column: Sequence[Value]) -> set[str]:
    """Return how the best values of a column are written: none where all are, as far as the samples can tell."""
    rated = [value for value in column if value.samples is not None]
    if not rated or not rated[0].better:
        return set()
    best = max(rated, key=lambda value: value.better * np.mean(np.asarray(value.samples), dtype=np.float64))
    found = {value.text for value in rated if not apart(value.samples, best.samples)}
    return found if any(value.text not in found for value in rated) else set()


def values(model: Measured, *, labelled: bool) -> list[Value]:
    """Return the numbers of one model, in the order of `columns`."""
    scores = model.evaluation
    trust = scores.trustworthiness
    return [
        Value(error_text(scores.test_mse), -1, scores.errors),
        *([Value("–" if scores.hits is None else f"{scores.knn_accuracy:.1%}", 1, scores.hits)] if labelled else []),
        Value("–" if trust is None else f"{trust:.3f}", 1, scores.trusted),
        Value(f"{model.fit_seconds:.1f}"),
        Value(f"{model.model.n_parameters_:,}"),
    ]


def picture(name: str, png: bytes, story: Story) -> Picture:
    """Return a figure with its words, embedded."""
    words = captions(story)[name]
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    return Picture(
        name=name,
        heading=words.heading,
        text=words.text,
        alt=words.alt,
        source="data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        width=width,
        height=height,
    )
