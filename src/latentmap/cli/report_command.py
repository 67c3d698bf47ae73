"""``latentmap report``: the whole story of a dataset in one page."""

from __future__ import annotations

import html
import os
import re
import shlex
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import answer, note, starting
from latentmap.cli.options import (
    DataOptions,
    Dpi,
    Epochs,
    ForceRun,
    InterruptedCommand,
    ObjectiveOptions,
    Resume,
    Source,
    check_output,
    check_resume,
    load_models,
    output_option,
    tell_split,
    with_groups,
)
from latentmap.errors import OutputError

if TYPE_CHECKING:
    from latentmap.data import Dataset

ImageFormat = Annotated[Literal["png", "svg", "pdf"], typer.Option("--format", help="Of the files in figures/.")]
TrainedModels = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Show this trained model, as it is, in place of training some; may be given several times.",
        show_default="trains four",
    ),
]


@with_groups
def report(
    context: typer.Context,
    source: Source,
    learning: ObjectiveOptions,
    data: DataOptions,
    output: Annotated[Path | None, output_option("The folder to write.", show_default="runs/SOURCE")] = None,
    model: TrainedModels = None,
    epochs: Epochs = None,
    image_format: ImageFormat = "png",
    dpi: Dpi = 160,
    resume: Resume = False,
    force: ForceRun = False,
) -> None:
    """Train four autoencoders (or take trained ones), set them beside PCA, and write a page of what they learned.

    Writes report.html (one self-contained file), explorer.html, metrics.json, figures/ and models/NAME/. Ctrl-C keeps
    the models that are finished, and --resume goes on from them.

    Example: **latentmap report mnist -o runs/mnist**

    Example: **latentmap report mnist --model models/mnist -o runs/trained**
    """
    starting()
    from latentmap.data.loading import name_of
    from latentmap.files import check_folder, unfinished_of
    from latentmap.models.files import is_model_folder
    from latentmap.report.build import PAGE, is_report

    folder = output or Path("runs") / name_of(source)
    check_folder(folder, is_report)
    check_output(folder, force=force or resume)
    unfinished = unfinished_of(folder)
    check_resume(unfinished, there=unfinished.exists(), resume=resume, force=force)
    if resume and is_report(folder) and not unfinished.exists():
        _check_made_by(folder / PAGE, again(context))
        note(f"{folder} is finished already, there is nothing to resume.")
        answer(folder / PAGE)
        return
    start = time.perf_counter()
    params = learning.params  # refused before anything is read
    models, dataset = _trained(model, source, data, learning, epochs) if model else (None, data.read(source))
    seconds = time.perf_counter() - start
    note(f"a report of {repr(dataset).removeprefix('Dataset ')}")

    from latentmap.cli.progress import TrainingBars, show_stage
    from latentmap.report import build_report, default_specs

    shape, n_train = dataset.sample_shape, len(dataset.train)
    specs = default_specs(shape, n_train, objective=learning.objective, objective_params=params, epochs=epochs)
    kept = [spec.name for spec in specs if is_model_folder(unfinished / spec.name)] if resume else []
    try:
        build_report(
            dataset,
            folder,
            seed=learning.seed,
            command=shlex.join(again(context, "-o", str(folder))),
            load_seconds=seconds,
            specs=specs,
            callbacks=TrainingBars(len(specs), done=kept).one,
            progress=show_stage,
            resume=resume,
            models=models,
            image_format=image_format,
            dpi=dpi,
        )
    except KeyboardInterrupt:
        if not unfinished.exists():
            raise
        raise InterruptedCommand(
            f"interrupted. {unfinished} keeps what is finished: to go on, add --resume to the same command."
        ) from None
    answer(folder / PAGE)


def _trained(
    model: list[Path], source: str, data: DataOptions, learning: ObjectiveOptions, epochs: int | None
) -> tuple[Any, Dataset]:
    """Trained models by name, and the data as they were fitted to it."""
    with_objective = learning.objective != ObjectiveOptions.objective or learning.objective_param
    for option, is_given in (("--objective", with_objective), ("--epochs", epochs is not None)):
        if is_given:
            raise ValueError(f"{option} must be left out with --model: nothing is trained.")
    models, dataset = load_models(model, source, **only_how_much(data))
    tell_split(models, dataset, limited=data.limit is not None, way=False)
    return models, dataset


_HOW_MUCH = ("missing", "limit", "memory", "skip_bad", "data_dir")


def only_how_much(data: DataOptions) -> dict[str, Any]:
    """How much of a source to read and where it is; refuse to say how, which trained models know."""
    given: dict[str, Any] = {
        name: value for name, value in asdict(data).items() if value != getattr(DataOptions, name)
    }
    allowed: dict[str, Any] = {name: given.pop(name) for name in _HOW_MUCH if name in given}
    if given:
        raise ValueError(f"--{next(iter(given))} must be left out with --model: data is read as the model was fitted.")
    return allowed


def _check_made_by(page: Path, command: list[str]) -> None:
    """Refuse to call a report finished that another command made."""
    made = _made_by(page)
    if made and [*map(os.path.normpath, made)] != [*map(os.path.normpath, command)]:
        raise OutputError(
            f"{page.parent} is finished, of another command: {shlex.join(made)}. Add --force in place of --resume to "
            "make this one, or choose another name."
        )


def _made_by(page: Path) -> list[str]:
    """The words of the command that a page says made it, but for where; none where it says nothing."""
    found = re.search(r"<pre><code>(latentmap report .*?)</code></pre>", page.read_text("utf-8"), re.DOTALL)
    words = shlex.split(html.unescape(found[1])) if found else []
    place = words.index("-o") if "-o" in words else len(words)
    return words[:place] + words[place + 2 :]


def again(context: typer.Context, *where: str) -> list[str]:
    """The words of a command that makes this report again: every option that is not left at its default."""
    words = ["latentmap", "report", context.params["source"], *where]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name in {"source", "output", "force", "resume"} or value in (None, [], option.default):
            continue
        if isinstance(value, bool):
            words.append((option.opts if value else option.secondary_opts)[0])
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            words += [option.opts[0], str(one)]
    return words
