"""What a figure of a report is, and what it is made from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from latentmap.analysis import CodeMedians, class_medians
from latentmap.analysis.baselines import linear_rank
from latentmap.data.dataset import Dataset
from latentmap.report.figures.features import Features
from latentmap.report.figures.points import CodeMap
from latentmap.report.figures.style import PALETTE
from latentmap.report.measured import Measured


@dataclass(frozen=True, eq=False)
class Experiment:
    """A dataset and the models that learned it, measured: what every figure, remark and table looks at."""

    dataset: Dataset
    models: tuple[Measured, ...]  # the autoencoders, then PCA
    seed: int = 0
    is_given: bool = False  # models that were fitted before, and nothing is to be fitted for figures

    @property
    def thing(self) -> str:
        """What a sample is called."""
        return "image" if self.dataset.is_images else "sample"

    @property
    def knn_score(self) -> str | None:
        """What neighbours among the codes are scored by; None where nothing is known of the samples."""
        if self.labelled:
            return "kNN accuracy"
        return "kNN R²" if self.dataset.measured else None

    @property
    def labelled(self) -> bool:
        """Whether test samples have classes."""
        return self.dataset.test.labels is not None

    @property
    def group(self) -> str:
        """What medians are of."""
        return "class" if self.labelled else "k-means group"

    @property
    def drawn(self) -> list[Measured]:
        """The autoencoders that figures of samples show."""
        return [model for model in self.models if model.spec.pictured and not model.is_baseline]

    @property
    def flat(self) -> list[Measured]:
        """Those with 2-D codes, drawn as maps; the last is the best map."""
        return [model for model in self.drawn if model.latent_dim == 2]

    @property
    def flat_baseline(self) -> Measured | None:
        """PCA with as many numbers."""
        return next((model for model in self.models if model.is_baseline and model.latent_dim == 2), None)

    @cached_property
    def medians(self) -> dict[str, CodeMedians]:
        """Medians of the training codes of each drawn model, by its name."""
        labels, names = self.dataset.known_labels(self.dataset.train), self.dataset.class_names
        return {
            model.name: class_medians(model.evaluation.Z_train, labels, class_names=names, seed=self.seed)
            for model in self.drawn
        }

    @cached_property
    def features(self) -> Features | None:
        """What is known of the features of vectors; None of images."""
        return None if self.dataset.is_images else Features.of_dataset(self.dataset)

    @cached_property
    def linear_rank(self) -> int:
        """How many linear directions hold 99.9% of the variance of the training samples."""
        return linear_rank(self.dataset.train.X)

    @property
    def errors_in(self) -> str:
        """What errors are measured in, for a caption."""
        if self.dataset.is_images:
            return "with pixels from 0 to 1"
        deviations = "each feature in its standard deviations"
        return deviations if np.ndim(self.dataset.unit) else "in squared units of the data"

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each model in all figures, by its title."""
        return dict(zip([model.title for model in self.models], PALETTE * 9, strict=False))

    def code_map(self, model: Measured) -> CodeMap:
        """The test codes of a model, to be drawn."""
        scores, names = model.evaluation, self.dataset.class_names
        labels = self.dataset.known_labels(self.dataset.test)
        told = (scores.knn_accuracy, scores.trustworthiness)
        return CodeMap(model.title, scores.Z_test, labels, names, *told, knn_r2=scores.knn_r2, **self.dataset.measured)


@dataclass(frozen=True)
class Caption:
    """The words around one figure."""

    heading: str  # what it answers
    text: str  # what to see, of how many samples of which split
    alt: str  # what it shows, for those who cannot see it


@dataclass(frozen=True)
class ReportFigure:
    """One figure of a report: what it computes, and how that becomes a picture and its words."""

    name: str  # of its file in figures/ and of its section of the page
    compute: Callable[[Experiment], Any]  # None where this data has nothing to show
    draw: Callable[[Any, Experiment], Figure]
    caption: Callable[[Any, Experiment], Caption]
    of_points: bool = False  # lines and points rather than images: 256 colours suffice
    is_slow: bool = False  # computed while others are drawn
    is_of_data: bool = False  # computed of the dataset alone, while models learn it; not where they are given
