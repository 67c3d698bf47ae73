"""The command that writes the explorer: a page in which trained networks run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from latentmap.cli.bar import Bar, answer, starting
from latentmap.cli.options import DataDir, Force, check_output, load_models, output_option


def explore(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... SOURCE",
            help="Model folders, and the data to show: a built-in name, a folder of images, or a file.",
        ),
    ],
    output: Annotated[Path, output_option("The page to write, .html.")],
    limit: Annotated[
        int, typer.Option("--limit", help="Show at most so many samples, evenly chosen.", min=2)
    ] = 10_000,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Write one page in which the latent space is touched: the networks run in it, and decode under the cursor.

    It shows the test samples; of several models, it switches between their maps. It makes no request.

    Example: **latentmap explore models/mnist mnist -o explorer.html**
    """
    starting()
    *models, source = sources
    if not models:
        raise ValueError("MODEL... SOURCE must be at least one model folder and the data, got one. Name both.")
    if output.suffix not in (".html", ".htm"):
        raise ValueError(f"output must end in .html, got {output.name}.")
    check_output(output, force=force, read=sources)
    from latentmap.report.explorer import explore as make
    from latentmap.report.explorer import of_dataset

    named, dataset = load_models([Path(path) for path in models], source, data_dir=data_dir)
    Bar("packing")
    command = shlex.join(["latentmap", "explore", *sources, "-o", str(output)])
    make(named, **of_dataset(dataset), limit=limit, facts={"command": command}).save(output, overwrite=force)
    answer(output)
