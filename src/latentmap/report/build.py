"""From a dataset to a folder that tells what autoencoders learned of it.

What belongs here: the order of things, their timing, and the files. What is measured, drawn and written on the page
is the business of the other modules.
"""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from PIL import Image

from latentmap.analysis import OriginalRanks, PcaBaseline, embed_tsne, evaluate, linear_rank
from latentmap.data.dataset import Dataset
from latentmap.errors import CheckpointError, DatasetError, ModelFileError
from latentmap.estimator import Autoencoder
from latentmap.files import holds_only, new_folder
from latentmap.models.files import is_model_folder
from latentmap.report.models import Measured, Model, ModelSpec, default_specs, most_components
from latentmap.report.page import render
from latentmap.report.story import Story, draw, gather
from latentmap.training.checkpoints import check_settings, remove_checkpoint

if TYPE_CHECKING:
    from latentmap.training import Callback

PAGE, METRICS = "report.html", "metrics.json"
FIGURES = (
    "training", "reconstructions", "embedding", "pca", "tsne", "generated", "interpolation", "latent_grid", "map",
)  # fmt: skip
"""Names of all figures that a report may have."""
OURS = (
    PAGE,
    METRICS,
    *(f"figures/{name}.png" for name in FIGURES),
    "models/*/model.safetensors",
    "models/*/config.json",
    "models/*/history.jsonl",
)
"""Every file a report consists of."""
FEW_COLOURS = {"training", "embedding", "pca", "tsne", "sweep"}
"""Figures of lines and points rather than of images."""

_CHECKPOINT = ".checkpoint"


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
        """Time what happens inside."""
        if self._progress is not None:
            self._progress(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

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
    resume: bool = False,
) -> ReportResult:
    """Fit autoencoders and PCA to a dataset and write a page that shows what they learned.

    Models are kept in ``OUT_DIR.unfinished`` as they are fitted, until the report is whole.

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
    resume : bool, default=False
        Take the models that an interrupted run has kept, where data and settings are the same; fit only the others.

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
    TrainingInterrupted
        If Ctrl-C came while a model was learning; it can be gone on from.
    """
    if min(len(dataset.train), len(dataset.test)) < 3:
        raise DatasetError(
            f"a report needs at least 3 samples in each split, got {len(dataset.train)} and {len(dataset.test)}. "
            "Take more of the data."
        )
    watch = Stopwatch(load_seconds, progress)
    unfinished = unfinished_of(out_dir)
    with new_folder(out_dir, is_report) as folder:
        if not resume:
            discard(unfinished)
        specs = specs or default_specs(dataset.sample_shape, len(dataset.train))
        fitted = fit_models(dataset, specs, unfinished, watch, seed=seed, callbacks=callbacks, resume=resume)
        models = measure(dataset, fitted, watch)
        longest = max((model for model in models if not model.is_baseline), key=lambda model: model.latent_dim)
        with watch.stage("tsne"):
            tsne = embed_tsne(longest.evaluation.Z_test, dataset.test.labels, title=longest.short, seed=seed)
        with watch.stage("figures"):
            rank = linear_rank(dataset.train.X, unit=dataset.unit)
            story = gather(dataset, models, linear_rank=rank, tsne=tsne, seed=seed)
            pictures = save_figures(draw(story), folder / "figures")
        with watch.stage("page"):
            (folder / "models").mkdir()
            for model in models:
                if isinstance(model.model, Autoencoder):
                    model.model.save(folder / "models" / model.name)
            page = render(story, pictures, seed=seed, command=command, seconds=watch.rounded())
            (folder / PAGE).write_text(page, encoding="utf-8")
        metrics = collect_metrics(story, watch.rounded())
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    discard(unfinished)
    return ReportResult(folder=Path(out_dir), metrics=metrics, story=story)


def is_report(folder: Path) -> bool:
    """Tell whether a folder is a former report and nothing else, so that replacing it loses nothing."""
    if not ((folder / PAGE).is_file() and (folder / METRICS).is_file() and holds_only(folder, OURS)):
        return False
    models = folder / "models"
    return not models.is_dir() or all(is_model_folder(model) for model in models.iterdir() if model.is_dir())


def unfinished_of(out_dir: str | Path) -> Path:
    """Where the models of a report wait until it is whole."""
    folder = Path(out_dir)
    return folder.with_name(f"{folder.name}.unfinished")


def discard(unfinished: Path) -> None:
    """Remove the models and checkpoints of an interrupted run, and nothing else."""
    for path in unfinished.iterdir() if unfinished.is_dir() else ():
        if is_model_folder(path):
            shutil.rmtree(path)
        elif path.suffix == _CHECKPOINT:
            remove_checkpoint(path)
    if unfinished.is_dir() and not any(unfinished.iterdir()):
        unfinished.rmdir()


def fit_models(
    dataset: Dataset,
    specs: Sequence[ModelSpec],
    unfinished: Path,
    watch: Stopwatch,
    *,
    seed: int,
    callbacks: Sequence[Callback],
    resume: bool,
) -> list[tuple[ModelSpec, Model]]:
    """Fit the models, then PCA at each of their sizes."""
    fitted: list[tuple[ModelSpec, Model]] = []
    for spec in specs:
        stage = f"fit_{spec.name}"
        with watch.stage(stage):
            untrained = Autoencoder(**spec.params, random_state=seed, callbacks=callbacks)
            model = fit_or_load(untrained, dataset, unfinished / spec.name, resume=resume)
        watch.seconds[stage] = max(watch.seconds[stage], model.history_[-1]["seconds"])  # with those of earlier runs
        fitted.append((spec, model))
    for size in sorted({min(model.latent_dim_, most_components(dataset.train.X)) for _, model in fitted}):
        spec = ModelSpec(f"pca-{size}", {}, "the best linear map there is")
        with watch.stage(f"fit_{spec.name}"):
            fitted.append((spec, PcaBaseline(size, unit=dataset.unit).fit(dataset.train.X)))
    return fitted


def fit_or_load(model: Autoencoder, dataset: Dataset, kept: Path, *, resume: bool) -> Autoencoder:
    """Fit a model and keep it, or take the one kept by a run with the same data and settings."""
    X, checkpoint = dataset.train.X, kept.with_name(kept.name + _CHECKPOINT)
    try:
        if resume and is_model_folder(kept):
            former = Autoencoder.load(kept)
            check_settings(kept, former.settings_ or {}, model.settings(X))
            return former
        model.fit(X, checkpoint=checkpoint, resume=resume)
    except (CheckpointError, ModelFileError):  # of other settings, or damaged
        remove_checkpoint(checkpoint)
        model.fit(X, checkpoint=checkpoint)
    model.save(kept, metadata=dataset.facts)
    remove_checkpoint(checkpoint)
    return model


def measure(dataset: Dataset, fitted: Sequence[tuple[ModelSpec, Model]], watch: Stopwatch) -> tuple[Measured, ...]:
    """Measure the models on the test split."""
    measured = []
    with watch.stage("evaluate"):
        ranks = OriginalRanks(dataset.test.X, unit=dataset.unit)
        for spec, model in fitted:
            short = "PCA" if isinstance(model, PcaBaseline) else spec.name
            measured.append(
                Measured(
                    name=spec.name,
                    title=f"{short} ({model.latent_dim_})",
                    short=short,
                    about=spec.about,
                    model=model,
                    evaluation=evaluate(model, dataset, ranks=ranks),
                    fit_seconds=watch.seconds[f"fit_{spec.name}"],
                    pictured=spec.pictured,
                    objective=spec.params.get("objective", "reconstruction"),
                    history=tuple(getattr(model, "history_", ())),
                )
            )
    return tuple(measured)


def save_figures(drawn: dict[str, Figure], folder: Path) -> dict[str, bytes]:
    """Write each figure as a PNG file, and return the same bytes for the page."""
    pictures = {}
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
