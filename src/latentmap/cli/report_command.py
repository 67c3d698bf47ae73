"""``latentmap report``: the whole story of a dataset in one page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from latentmap.cli.bar import answer, starting
from latentmap.cli.options import (
    Color,
    DataDir,
    Fit,
    Force,
    Label,
    Limit,
    Memory,
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


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("report")(report)


def report(
    source: Source,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write.", show_default="runs/SOURCE")
    ] = None,
    size: Size = None,
    fit_images: Fit = "crop",
    color: Color = None,
    label: Label = None,
    limit: Limit = None,
    objective: Objective = "reconstruction",
    objective_param: ObjectiveParams = None,
    memory: Memory = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Train four autoencoders, set them beside PCA, and write a page that shows what they learned.

    Writes report.html (one self-contained file), metrics.json, figures/*.png and models/NAME/.

    Example: **latentmap report mnist -o runs/mnist**
    """
    starting()
    from latentmap.data.sources import name_of
    from latentmap.files import check_folder
    from latentmap.report.build import is_report
    from latentmap.training.objectives import check_objective

    folder = output or Path("runs") / name_of(source)
    check_folder(folder, is_report)
    check_output(folder, force=force)
    check_objective(objective, read_params(objective_param))
    start = time.perf_counter()
    dataset = read_source(
        source, size=size, fit=fit_images, color=color, label=label, limit=limit, memory=memory, skip_bad=skip_bad,
        data_dir=data_dir,
    )  # fmt: skip
    seconds = time.perf_counter() - start

    from latentmap.cli.progress import TrainingBar, show_stage
    from latentmap.report import build_report, default_specs

    params = read_params(objective_param)
    specs = default_specs(dataset.sample_shape, len(dataset.train), objective=objective, objective_params=params)
    words = ["latentmap", "report", source, "-o", str(folder)]
    wishes = {
        "--size": size, "--fit": None if fit_images == "crop" else fit_images, "--label": label, "--limit": limit,
        "--objective": None if objective == "reconstruction" else objective, "--seed": seed or None,
    }  # fmt: skip
    for option, value in wishes.items():
        words += [option, str(value)] if value is not None else []
    words += [word for param in objective_param or () for word in ("--objective-param", param)]
    words += [] if color is None else ["--color" if color else "--gray"]
    build_report(
        dataset,
        folder,
        seed=seed,
        command=shlex.join(words),
        load_seconds=seconds,
        specs=specs,
        callbacks=[TrainingBar()],
        progress=show_stage,
    )
    answer(folder / "report.html")
