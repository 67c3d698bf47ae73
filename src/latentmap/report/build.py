"""From a dataset to a folder that tells what autoencoders learned of it.

What belongs here: the order of things, their timing, and the files. What is measured, drawn and written on the page
is the business of the other modules.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from PIL import Image

from latentmap.analysis import OriginalRanks, PcaBaseline, embed_tsne, evaluate, linear_rank, measuring_unit
from latentmap.data.dataset import Dataset
from latentmap.errors import DatasetError
from latentmap.files import new_folder
from latentmap.report.models import Measured, Model, ModelSpec, default_specs
from latentmap.report.page import render
from latentmap.report.story import Story, draw, gather

if TYPE_CHECKING:
    from latentmap.training import Callback

PAGE, METRICS = "report.html", "metrics.json"
OURS = (
    PAGE,
    METRICS,
    "figures/*.png",
    "models/*/model.safetensors",
    "models/*/config.json",
    "models/*/history.jsonl",
    ".DS_Store",
)
"""Every file a report consists of, and one that a Mac adds on its own."""
FEW_COLOURS = {"training", "embedding", "pca", "tsne", "sweep"}
"""Figures of lines and points rather than of images."""

ModelMaker = Callable[[ModelSpec], Model]
"""Makes the unfitted model of a spec."""


@dataclass(frozen=True, eq=False)
class ReportResult:
    """A report that was written.

    Parameters
    ----------
    folder : Path
        Where it is.
    metrics : dict
        The content of ``metrics.json``.
    story : Story
        The results behind every figure.
    """

    folder: Path
    metrics: dict[str, Any]
    story: Story

    @property
    def page(self) -> Path:
        """Path of ``report.html``."""
        return self.folder / PAGE


class Stopwatch:
    """Seconds by stage, and a word to whoever waits when a stage begins."""

    def __init__(self, load_seconds: float, progress: Callable[[str], None] | None) -> None:
        self.seconds: dict[str, float] = {"load": load_seconds}
        self._progress = progress
        self._start = time.perf_counter() - load_seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside; stages of the same name add up."""
        if self._progress is not None:
            self._progress(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def rounded(self) -> dict[str, float]:
        """Return the seconds of each stage and of everything so far."""
        total = time.perf_counter() - self._start
        return {name: round(value, 3) for name, value in {**self.seconds, "total": total}.items()}


def build_report(
    dataset: Dataset,
    out_dir: str | Path,
    *,
    seed: int = 0,
    command: str = "",
    load_seconds: float = 0.0,
    specs: Sequence[ModelSpec] | None = None,
    callbacks: Sequence[Callback] = (),
    progress: Callable[[str], None] | None = None,
    make_model: ModelMaker | None = None,
) -> ReportResult:
    """Fit autoencoders and PCA to a dataset and write a page that shows what they learned.

    Parameters
    ----------
    dataset : Dataset
        Images or vectors with a training and a test split; labels are used to colour and to score, where there are
        any.
    out_dir : path
        The folder to write. A former report there is replaced once the new one is whole; a folder with anything else
        in it is left alone.
    seed : int, default=0
        Seeds training, t-SNE, k-means and the choice of examples.
    command : str, default=""
        The command that makes this report again, for the page to quote.
    load_seconds : float, default=0
        How long reading the data took, for the table of stages.
    specs : sequence of ModelSpec, optional
        The models to fit, by default those that suit the data; PCA is added at each of their sizes.
    callbacks : sequence of Callback, default=()
        Told how training goes, for a progress bar.
    progress : callable, optional
        Called with the name of each stage as it begins.
    make_model : callable, optional
        Makes the unfitted model of a spec; `latentmap.Autoencoder` by default.

    Returns
    -------
    ReportResult
        Where the report is, and what is in it.

    Raises
    ------
    DatasetError
        If there are fewer than 3 samples in a split.
    OutputError
        If `out_dir` holds something that is no report, or cannot be written.
    """
    if min(len(dataset.train), len(dataset.test)) < 3:
        raise DatasetError(
            f"a report needs at least 3 samples in each split, got {len(dataset.train)} and {len(dataset.test)}. "
            "Take more of the data."
        )
    watch = Stopwatch(load_seconds, progress)
    make_model = make_model or autoencoder_maker(seed, callbacks)
    with new_folder(out_dir, is_report) as folder:
        models = fit_and_measure(
            dataset, specs or default_specs(dataset.sample_shape, len(dataset.train)), make_model, watch
        )
        story = tell(dataset, models, seed, watch)
        pictures = save_figures(draw_timed(story, watch), folder / "figures", watch)
        with watch.stage("page"):
            save_models(models, folder / "models", dataset.facts)
            facts = watch.rounded()
            page = render(story, pictures, seed=seed, command=command, seconds=facts)
            (folder / PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
        metrics = collect_metrics(story, watch.rounded())
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return ReportResult(folder=Path(out_dir), metrics=metrics, story=story)


def is_report(folder: Path) -> bool:
    """Tell whether a folder is a former report and nothing else, so that replacing it loses nothing."""
    if not ((folder / PAGE).is_file() and (folder / METRICS).is_file()):
        return False
    files = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return all(any(path.match(pattern) for pattern in OURS) for path in files)


def autoencoder_maker(seed: int, callbacks: Sequence[Callback]) -> ModelMaker:
    """Return a maker of estimators that all start from one seed."""
    from latentmap.estimator import Autoencoder

    def make(spec: ModelSpec) -> Model:
        model: Model = Autoencoder(**spec.params, random_state=seed, callbacks=callbacks)
        return model

    return make


def fit_and_measure(
    dataset: Dataset, specs: Sequence[ModelSpec], make_model: ModelMaker, watch: Stopwatch
) -> tuple[Measured, ...]:
    """Fit the models, then PCA at each of their sizes, and measure all of them on the test split."""
    fitted: list[tuple[ModelSpec, Model]] = []
    unit = measuring_unit(dataset.train.X)

    def fit(spec: ModelSpec, model: Model) -> None:
        with watch.stage(f"fit_{spec.name}"):
            model.fit(dataset.train.X)
        fitted.append((spec, model))

    for spec in specs:
        fit(spec, make_model(spec))
    most = min(dataset.train.X.shape[0], dataset.train.X[0].size)
    for size in sorted({min(model.latent_dim_, most) for _, model in fitted}):
        about = "the best linear map there is"
        fit(ModelSpec(f"pca-{size}", {}, about), PcaBaseline(size, unit=unit))
    measured = []
    with watch.stage("evaluate"):
        ranks = OriginalRanks(dataset.test.X, unit=unit)
        for spec, model in fitted:
            short = "PCA" if isinstance(model, PcaBaseline) else spec.name
            measured.append(
                Measured(
                    name=spec.name,
                    title=f"{short} ({model.latent_dim_})",
                    short=short,
                    about=spec.about,
                    model=model,
                    evaluation=evaluate(model, dataset, ranks=ranks, unit=unit),
                    fit_seconds=watch.seconds[f"fit_{spec.name}"],
                    pictured=spec.pictured,
                    objective=spec.params.get("objective", "reconstruction"),
                    history=tuple(getattr(model, "history_", ())),
                )
            )
    return tuple(measured)


def tell(dataset: Dataset, models: tuple[Measured, ...], seed: int, watch: Stopwatch) -> Story:
    """Gather what the figures show, t-SNE of the longest codes among it."""
    longest = max((model for model in models if not model.is_baseline), key=lambda model: model.latent_dim)
    with watch.stage("tsne"):
        tsne = embed_tsne(longest.evaluation.Z_test, dataset.test.labels, title=longest.short, seed=seed)
    with watch.stage("evaluate"):
        return gather(dataset, models, linear_rank=linear_rank(dataset.train.X), tsne=tsne, seed=seed)


def draw_timed(story: Story, watch: Stopwatch) -> dict[str, Figure]:
    """Draw every figure, on the clock."""
    with watch.stage("figures"):
        return draw(story)


def save_figures(drawn: dict[str, Figure], folder: Path, watch: Stopwatch) -> dict[str, bytes]:
    """Write each figure as a PNG file, and return the same bytes for the page."""
    pictures = {}
    with watch.stage("figures"):
        folder.mkdir()
        for name, figure in drawn.items():
            pictures[name] = png(figure, few_colours=name in FEW_COLOURS)
            (folder / f"{name}.png").write_bytes(pictures[name])
    return pictures


def png(figure: Figure, *, few_colours: bool) -> bytes:
    """Return a figure as PNG: of 256 colours where they suffice and make a smaller file, as they do for points."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    if not few_colours:
        return buffer.getvalue()
    buffer.seek(0)
    # The octree keeps the ten class colours as they are; Pillow's median cut would shift them by a quarter.
    octree = Image.Quantize.FASTOCTREE
    image = Image.open(buffer).convert("RGB").quantize(256, method=octree, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    image.save(smaller, format="png", optimize=True)
    return min(smaller.getvalue(), buffer.getvalue(), key=len)


def save_models(models: Sequence[Measured], folder: Path, facts: dict[str, Any]) -> None:
    """Save each model that knows how, in a folder of its name, with what it learned from."""
    folder.mkdir()
    for measured in models:
        save = getattr(measured.model, "save", None)
        if save is not None:
            if hasattr(measured.model, "metadata_"):
                measured.model.metadata_ = facts
            save(folder / measured.name)


def collect_metrics(story: Story, seconds: dict[str, float]) -> dict[str, Any]:
    """Return the content of ``metrics.json``."""
    dataset = story.dataset
    return {
        "dataset": {
            "name": dataset.name,
            "n_train": len(dataset.train),
            "n_test": len(dataset.test),
            "image_shape": list(dataset.sample_shape),
        },
        "seconds": seconds,
        "models": {model.name: model.metrics() for model in story.models},
    }
