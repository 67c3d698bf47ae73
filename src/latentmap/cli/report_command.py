"""``latentmap report``: the whole story of a dataset in one page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from latentmap.cli.bar import answer, note, starting
from latentmap.cli.fit_command import InterruptedCommand
from latentmap.cli.options import (
    Color,
    Columns,
    DataDir,
    Fit,
    Header,
    Label,
    Limit,
    Memory,
    Missing,
    Objective,
    ObjectiveParams,
    Seed,
    Size,
    SkipBad,
    Source,
    check_output,
    read_params,
    read_source,
)
from latentmap.errors import CheckpointError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("report")(report)


def report(
    context: typer.Context,
    source: Source,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write.", show_default="runs/SOURCE")
    ] = None,
    size: Size = None,
    fit_images: Fit = "crop",
    color: Color = None,
    label: Label = None,
    columns: Columns = None,
    header: Header = None,
    missing: Missing = None,
    limit: Limit = None,
    objective: Objective = "reconstruction",
    objective_param: ObjectiveParams = None,
    memory: Memory = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    data_dir: DataDir = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run stopped: fit only what it had not fitted.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a report that is there, and an interrupted run.")
    ] = False,
) -> None:
    """Train four autoencoders, set them beside PCA, and write a page that shows what they learned.

    Writes report.html (one self-contained file), metrics.json, figures/*.png and models/NAME/. Ctrl-C keeps the models
    that are finished, and --resume goes on from them.

    Example: **latentmap report mnist -o runs/mnist**
    """
    note(f"a report of {source}: reading the data")
    starting()
    from latentmap.data.sources import name_of
    from latentmap.files import check_folder
    from latentmap.report.build import is_report
    from latentmap.report.unfinished import unfinished_of
    from latentmap.training.objectives import check_objective

    params = read_params(objective_param)
    folder = output or Path("runs") / name_of(source)
    check_folder(folder, is_report)
    check_output(folder, force=force or resume)
    if resume and force:
        raise ValueError("--resume and --force exclude each other: go on, or begin again.")
    unfinished = unfinished_of(folder)
    if resume and is_report(folder) and not unfinished.exists():
        note(f"{folder} is finished already, there is nothing to resume.")
        answer(folder / "report.html")
        return
    if unfinished.exists() and not (resume or force):
        raise CheckpointError(
            f"{unfinished} holds an interrupted run. Add --resume to go on with it, or --force to begin again."
        )
    check_objective(objective, params)
    start = time.perf_counter()
    dataset = read_source(
        source, size=size, fit=fit_images, color=color, label=label, limit=limit, memory=memory, skip_bad=skip_bad,
        data_dir=data_dir, columns=columns, header=header, missing=missing,
    )  # fmt: skip
    seconds = time.perf_counter() - start

    from latentmap.cli.progress import TrainingBar, show_stage
    from latentmap.report import build_report, default_specs

    specs = default_specs(dataset.sample_shape, len(dataset.train), objective=objective, objective_params=params)
    try:
        build_report(
            dataset,
            folder,
            seed=seed,
            command=shlex.join(again(context, folder)),
            load_seconds=seconds,
            specs=specs,
            callbacks=[TrainingBar()],
            progress=show_stage,
            resume=resume,
        )
    except KeyboardInterrupt:
        if not unfinished.exists():
            raise
        raise InterruptedCommand(
            f"interrupted. {unfinished} keeps what is finished: to go on, add --resume to the same command."
        ) from None
    answer(folder / "report.html")


def again(context: typer.Context, folder: Path) -> list[str]:
    """The words of a command that makes this report again: every option that is not left at its default."""
    words = ["latentmap", "report", context.params["source"], "-o", str(folder)]
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
