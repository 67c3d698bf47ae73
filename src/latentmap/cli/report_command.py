"""``latentmap report``: the whole story of a dataset in one page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from latentmap.cli.options import DataDir, Limit, Seed, Size, Source, read_source


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("report")(report)


def report(
    source: Source,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write.", show_default="runs/SOURCE")
    ] = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    data_dir: DataDir = None,
) -> None:
    """Train three autoencoders, set them beside PCA, and write a page that shows what they learned.

    Writes report.html (one self-contained file), metrics.json, figures/*.png and models/NAME/.

    Example: **latentmap report mnist -o runs/mnist**
    """
    start = time.perf_counter()
    dataset = read_source(source, size, limit, data_dir)
    seconds = time.perf_counter() - start
    folder = output or Path("runs") / dataset.name

    from latentmap.cli.progress import TrainingBar, show_stage
    from latentmap.report import build_report

    words = ["latentmap", "report", source, "-o", str(folder)]
    for option, value in (("--size", size), ("--limit", limit), ("--seed", seed or None)):
        words += [option, str(value)] if value is not None else []
    build_report(
        dataset,
        folder,
        seed=seed,
        command=shlex.join(words),
        load_seconds=seconds,
        callbacks=[TrainingBar()],
        progress=show_stage,
    )
    typer.echo(folder / "report.html")
