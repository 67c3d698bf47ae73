"""``latentmap report``: the whole story of a dataset in one page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from latentmap.cli.bar import answer, note, starting
from latentmap.cli.options import (
    DataOptions,
    InterruptedCommand,
    ObjectiveOptions,
    Source,
    check_output,
    check_resume,
    output_option,
    with_groups,
)


@with_groups
def report(
    context: typer.Context,
    source: Source,
    learning: ObjectiveOptions,
    data: DataOptions,
    output: Annotated[Path | None, output_option("The folder to write.", show_default="runs/SOURCE")] = None,
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
    starting()
    from latentmap.data.loading import name_of
    from latentmap.files import check_folder, unfinished_of
    from latentmap.report.build import is_report

    params = learning.params
    folder = output or Path("runs") / name_of(source)
    check_folder(folder, is_report)
    check_output(folder, force=force or resume)
    unfinished = unfinished_of(folder)
    check_resume(unfinished, there=unfinished.exists(), resume=resume, force=force)
    if resume and is_report(folder) and not unfinished.exists():
        note(f"{folder} is finished already, there is nothing to resume.")
        answer(folder / "report.html")
        return
    start = time.perf_counter()
    dataset = data.read(source)
    seconds = time.perf_counter() - start
    note(f"a report of {repr(dataset).removeprefix('Dataset ')}")

    from latentmap.cli.progress import TrainingBar, show_stage
    from latentmap.report import build_report, default_specs

    try:
        build_report(
            dataset,
            folder,
            seed=learning.seed,
            command=shlex.join(again(context, folder)),
            load_seconds=seconds,
            specs=default_specs(
                dataset.sample_shape, len(dataset.train), objective=learning.objective, objective_params=params
            ),
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
