"""What is measured: of models on the test split, and how long each stage of a report takes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.analysis import Evaluation, OriginalRanks, PcaBaseline, evaluate
from latentmap.analysis.baselines import most_components
from latentmap.data.dataset import Dataset
from latentmap.estimator import Autoencoder
from latentmap.report.models import ModelSpec
from latentmap.training import OBJECTIVES
from latentmap.training.runtime import stop_if_told

History = Sequence[Mapping[str, Any]]
Model = Autoencoder | PcaBaseline


def apart(ours: NDArray[Any] | None, theirs: NDArray[Any] | None) -> bool:
    """Whether values of the same samples differ by more than noise: twice the standard error of the difference."""
    if ours is None or theirs is None or len(ours) < 2:
        return False
    difference = ours.astype(np.float64) - theirs.astype(np.float64)
    return bool(abs(difference.mean()) > 2 * difference.std(ddof=1) / np.sqrt(len(difference)))


@dataclass(frozen=True, eq=False)
class Measured:
    """A fitted model with everything measured of it."""

    spec: ModelSpec
    model: Model
    evaluation: Evaluation
    fit_seconds: float

    @property
    def name(self) -> str:
        """Its key in ``metrics.json``."""
        return self.spec.name

    @property
    def short(self) -> str:
        """What people call it."""
        return "PCA" if self.is_baseline else self.name

    @property
    def title(self) -> str:
        """The same with the size of its codes."""
        return f"{self.short} ({self.latent_dim})"

    @property
    def objective(self) -> str:
        """What its training made small."""
        return str(self.spec.params.get("objective", "reconstruction"))

    @property
    def history(self) -> History:
        """Its loss, epoch by epoch; empty for PCA."""
        return () if isinstance(self.model, PcaBaseline) else self.model.history_

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights it has; 0 for those that it began with."""
        return 0 if isinstance(self.model, PcaBaseline) else self.model.best_epoch_

    @property
    def is_baseline(self) -> bool:
        """Whether this is PCA."""
        return isinstance(self.model, PcaBaseline)

    @property
    def loss_is_error(self) -> bool:
        """Whether the loss in its history is a mean squared error."""
        return OBJECTIVES[self.objective].loss_is_error

    @property
    def latent_dim(self) -> int:
        """How many numbers a code has."""
        return self.evaluation.latent_dim

    def metrics(self) -> dict[str, float | int | None]:
        """Return the model's entry in ``metrics.json``."""
        learning = {"fit_seconds": round(self.fit_seconds, 3), "n_parameters": self.model.n_parameters_}
        return self.evaluation.scores | learning


class Stopwatch:
    """Seconds by stage, and a word to whoever waits when a stage begins."""

    def __init__(self, load_seconds: float, progress: Callable[[str], None] | None) -> None:
        self.seconds: dict[str, float] = {"load": load_seconds}
        self._progress = progress
        self._start = time.perf_counter() - load_seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        if self._progress is not None:
            self._progress(name)
        self.seconds[name] = 0.0  # before its parts
        with self.part(name):
            yield

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what happens inside, beside other parts of a stage."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def rounded(self) -> dict[str, float]:
        """Return the seconds of each stage and of everything so far."""
        total = time.perf_counter() - self._start
        return {name: round(value, 3) for name, value in {**self.seconds, "total": total}.items()}


class Measuring:
    """Models as they are measured on the test split, and PCA of each size beside them."""

    def __init__(self, dataset: Dataset, watch: Stopwatch) -> None:
        self.dataset, self.watch = dataset, watch
        self._models: dict[str, Measured] = {}
        self._baselines: dict[int, Measured] = {}
        self._pca: PcaBaseline | None = None  # the largest so far
        with watch.part("ranks"):
            self._ranks = OriginalRanks(dataset.test.X, unit=dataset.unit)

    def add(self, spec: ModelSpec, model: Autoencoder) -> None:
        """Measure a model, and PCA of its size if that was not yet."""
        name = f"fit_{spec.name}"  # what training took, all runs together; nothing is known without a history
        before = float(model.history_[-1]["seconds"]) if model.history_ else 0.0
        self.watch.seconds[name] = max(self.watch.seconds.get(name, 0.0), before)
        self._models[spec.name] = self._measured(spec, model)
        size = min(model.latent_dim_, most_components(self.dataset.train.X))
        if size not in self._baselines:  # two at a time may both find it missing, and fit the same
            self._add_pca(size)

    def of(self, specs: Sequence[ModelSpec]) -> tuple[Measured, ...]:
        """The models in this order, then PCA by size."""
        return *(self._models[spec.name] for spec in specs), *(one for _, one in sorted(self._baselines.items()))

    def _add_pca(self, size: int) -> None:
        """Measure PCA of a size: the first components of the largest so far where it has as many."""
        stop_if_told()
        spec = ModelSpec(f"pca-{size}", {}, "the best linear map there is")
        whole = self._pca  # another thread may find another meanwhile
        with self.watch.part(f"fit_{spec.name}"):
            if whole is None or whole.latent_dim_ < size:
                whole = PcaBaseline(size).fit(self.dataset.train.X)
        if whole.latent_dim_ > size:  # it came with that one
            self.watch.seconds[f"fit_{spec.name}"] = self.watch.seconds[f"fit_pca-{whole.latent_dim_}"]
        else:
            self._pca = whole  # not before its seconds are known
        self._baselines[size] = self._measured(spec, whole.first(size))

    def _measured(self, spec: ModelSpec, model: Model) -> Measured:
        """One of them."""
        stop_if_told()
        with self.watch.part(f"evaluate_{spec.name}"):
            evaluation = evaluate(model, self.dataset, ranks=self._ranks)
        return Measured(spec, model, evaluation, self.watch.seconds[f"fit_{spec.name}"])
