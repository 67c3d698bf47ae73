"""From a dataset to a folder that tells what autoencoders learned of it: fit, measure, compute and draw, write."""

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from latentmap.data.dataset import Dataset
from latentmap.errors import DatasetError, LayerError
from latentmap.estimator import Autoencoder
from latentmap.files import holds_only, new_folder, unfinished_of
from latentmap.models.files import is_model_folder
from latentmap.models.fitted import streamed
from latentmap.models.layers import describe
from latentmap.report.explorer import explore
from latentmap.report.figures import FIGURES
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import DPI
from latentmap.report.measured import Measured, Measuring, Stopwatch
from latentmap.report.models import ModelSpec, default_specs, discard, fit_or_load, spec_of
from latentmap.report.output import PICTURE_SUFFIXES
from latentmap.report.page import render
from latentmap.training import OBJECTIVES, Callback, CodeFilm
from latentmap.training.runtime import side_by_side, stop_if_told

PAGE, METRICS, EXPLORER = "report.html", "metrics.json", "explorer.html"


@dataclass(frozen=True, eq=False)
class ReportResult:
    """A report that was written.

    Parameters
    ----------
    folder : Path
        Where it is.
    metrics : dict
        The content of ``metrics.json``.
    experiment : Experiment
        The dataset, and the models as they were measured.
    results : dict
        What each figure shows, by its name.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.report import build_report
    >>> report = build_report(load_dataset("digits"), "runs/digits")  # doctest: +SKIP
    >>> str(report.page)  # doctest: +SKIP
    'runs/digits/report.html'
    """

    folder: Path
    metrics: dict[str, Any]
    experiment: Experiment
    results: dict[str, Any]

    @property
    def page(self) -> Path:
        """Path of ``report.html``."""
        return self.folder / PAGE


def build_report(
    dataset: Dataset,
    out_dir: str | Path,
    *,
    seed: int = 0,
    command: str = "",
    load_seconds: float = 0.0,
    specs: Sequence[ModelSpec] | None = None,
    callbacks: Sequence[Callback] | Callable[[str], Sequence[Callback]] = (),
    progress: Callable[[str], None] | None = None,
    resume: bool = False,
    models: Mapping[str, Autoencoder] | None = None,
    image_format: str = "png",
    dpi: int = DPI,
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
    callbacks : sequence of Callback, or callable, default=()
        Told how training goes, for a progress bar. Models are fitted one after another for a sequence, which hears of
        them all; else two at a time, and a callable makes the callbacks of each from its name.
    progress : callable, optional
        Called with the name of each stage as it begins.
    resume : bool, default=False
        Take the models that an interrupted run has kept, where data and settings are the same; fit only the others.
    models : mapping of str to Autoencoder, optional
        Fitted models to show, by name, in place of `specs`: nothing is trained then.
    image_format : {"png", "svg", "pdf"}, default="png"
        Of the files in ``figures/``; the page holds PNG always.
    dpi : int, default=160
        Pixels an inch of these files; figures are 8 inches wide.

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

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.report import build_report
    >>> report = build_report(load_dataset("digits"), "runs/digits")  # doctest: +SKIP
    >>> list(report.metrics["models"])  # doctest: +SKIP
    ['dense', 'conv', 'map', 'linear', 'pca-2', 'pca-64']
    """
    if min(len(dataset.train), len(dataset.test)) < 3:
        raise DatasetError(
            f"a report needs at least 3 samples in each split, got {len(dataset.train)} and {len(dataset.test)}. "
            "Add samples, 15 or more, or a larger test split."
        )
    watch = Stopwatch(load_seconds, progress)
    unfinished = unfinished_of(out_dir)
    with new_folder(out_dir, is_report) as folder:
        if not resume:
            discard(unfinished)
        films: dict[str, CodeFilm] = {}
        measuring, results = Measuring(dataset, watch), {}
        if models is None:
            specs = specs or default_specs(dataset.sample_shape, len(dataset.train))
            films = {spec.name: CodeFilm(dataset.test.X) for spec in specs if spec.pictured}
            results = fit_models(
                measuring, specs, unfinished, films=films, seed=seed, callbacks=callbacks, resume=resume
            )
        else:
            specs = [spec_of(name, model) for name, model in models.items()]
            with watch.stage("evaluate"):
                for spec in specs:
                    measuring.add(spec, models[spec.name])
        experiment = Experiment(dataset, measuring.of(specs), seed, is_given=models is not None)
        explorer = partial(write_explorer, experiment, results, folder / EXPLORER, films, command)
        pictures, explored = make_figures(
            experiment, results, folder / "figures", watch, image_format, dpi, beside=explorer
        )
        with watch.stage("page"):
            for model in experiment.models:
                if isinstance(model.model, Autoencoder):
                    model.model.save(folder / "models" / model.name)
            link = EXPLORER if explored else None
            page = render(experiment, results, pictures, explorer=link, command=command, seconds=watch.rounded())
            (folder / PAGE).write_text(page, encoding="utf-8")
        metrics = collect_metrics(experiment, watch.rounded())
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    discard(unfinished)
    return ReportResult(Path(out_dir), metrics, experiment, results)


def is_report(folder: Path) -> bool:
    """Tell whether a folder is a former report and nothing else, so that replacing it loses nothing."""
    ours = [PAGE, METRICS, EXPLORER]
    ours += [f"figures/{figure.name}{suffix}" for figure in FIGURES for suffix in PICTURE_SUFFIXES]
    ours += [f"models/*/{name}" for name in ("model.safetensors", "config.json", "history.jsonl")]
    if not ((folder / PAGE).is_file() and (folder / METRICS).is_file() and holds_only(folder, ours)):
        return False
    models = folder / "models"
    return not models.is_dir() or all(is_model_folder(model) for model in models.iterdir() if model.is_dir())


def fit_models(
    measuring: Measuring,
    specs: Sequence[ModelSpec],
    unfinished: Path,
    *,
    films: Mapping[str, CodeFilm],
    seed: int,
    callbacks: Sequence[Callback] | Callable[[str], Sequence[Callback]],
    resume: bool,
) -> dict[str, Any]:
    """Fit and measure the models, and meanwhile compute the figures that need none of them; returns what they show."""
    dataset, watch = measuring.dataset, measuring.watch
    results: dict[str, Any] = {}
    told = callbacks if callable(callbacks) else lambda _name: callbacks

    def fit(spec: ModelSpec) -> None:
        with watch.part(f"fit_{spec.name}"):
            heard = [*told(spec.name), *([films[spec.name]] if spec.name in films else [])]
            untrained = Autoencoder(**spec.params, random_state=seed, callbacks=heard)
            model = fit_or_load(untrained, dataset, unfinished / spec.name, resume=resume)
        measuring.add(spec, model)

    def compute(figure: ReportFigure) -> None:
        with watch.part(figure.name):
            results[figure.name] = figure.compute(unfitted)

    unfitted = Experiment(dataset, (), seed)
    # What takes longest first: maps, then the models of most numbers, of whose PCA a smaller one is the beginning.
    longest_first = sorted(specs, key=lambda spec: -spec.params.get("latent_dim", math.inf))
    longest_first.sort(key=lambda spec: spec.params.get("objective") != "neighbors")
    tasks = [partial(fit, spec) for spec in longest_first]
    tasks += [partial(compute, figure) for figure in FIGURES if figure.is_of_data]
    one_by_one = not callable(callbacks) and callbacks
    with watch.stage("fit"):
        side_by_side(tasks, at_a_time=1 if one_by_one or streamed(dataset.train.X) else 2)
    return results


def write_explorer(
    experiment: Experiment, results: Mapping[str, Any], path: Path, films: Mapping[str, CodeFilm], command: str
) -> bool:
    """Write the page in which the models run; False where it can run none of them, as it knows not their layers."""
    explored: dict[str, Measured] = {}
    # Maps first: they separate best, and are what there is to see.
    for model in sorted(experiment.models, key=lambda one: not OBJECTIVES[one.objective].keeps_neighbors):
        if model.spec.pictured:
            with suppress(LayerError):
                describe(model.model)
                explored[model.title] = model
    if not explored:
        return False
    tsne = results.get("tsne")
    # Films that began with the first epoch: a model that was kept has none, and one resumed only its end.
    whole = {name: film for name, film in films.items() if film.epochs[:1] == [0]}
    explore(
        {title: model.model for title, model in explored.items()},
        experiment.dataset,
        films={title: whole[model.name] for title, model in explored.items() if model.name in whole},
        tsne={title: tsne for title, model in explored.items() if tsne and model.short == tsne.title},
        facts={"command": command} if command else {},
    ).save(path)
    return True


def make_figures(
    experiment: Experiment,
    results: dict[str, Any],
    folder: Path,
    watch: Stopwatch,
    image_format: str,
    dpi: int,
    *,
    beside: Callable[[], bool],
) -> tuple[dict[str, tuple[bytes, Caption]], bool]:
    """Compute figures into the results that are there, draw and write each: PNG pictures and their words.

    Matplotlib draws in one thread: `beside` is called meanwhile, once what is slow is computed; what it gives is too.
    """
    folder.mkdir()
    pictures: dict[str, tuple[bytes, Caption]] = {}

    def compute_slow() -> bool:
        for figure in FIGURES:
            if figure.is_slow:
                with watch.part(figure.name):
                    results[figure.name] = figure.compute(experiment)
        return beside()

    def draw(*, slow: bool) -> None:
        for figure in FIGURES:
            if figure.is_slow != slow:
                continue
            stop_if_told()
            if figure.name not in results:
                results[figure.name] = figure.compute(experiment)
            if (result := results[figure.name]) is not None:
                drawn = figure.draw(result, experiment)
                content = png(drawn, few_colours=figure.of_points)
                path = folder / f"{figure.name}.{image_format}"
                if (image_format, dpi) == ("png", DPI):
                    path.write_bytes(content)
                else:
                    drawn.savefig(path, dpi=dpi)
                pictures[figure.name] = (content, figure.caption(result, experiment))

    with watch.stage("figures"):
        done, _ = side_by_side([compute_slow, partial(draw, slow=False)])
        draw(slow=True)
    return {figure.name: pictures[figure.name] for figure in FIGURES if figure.name in pictures}, done


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


def collect_metrics(experiment: Experiment, seconds: dict[str, float]) -> dict[str, Any]:
    """Return the content of ``metrics.json``."""
    dataset = experiment.dataset
    return {
        "dataset": {
            "name": dataset.name,
            "n_train": len(dataset.train),
            "n_test": len(dataset.test),
            "image_shape": list(dataset.sample_shape),
        },
        "seconds": seconds,
        "models": {model.name: model.metrics() for model in experiment.models},
    }
