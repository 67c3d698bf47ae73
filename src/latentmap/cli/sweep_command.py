"""``latentmap sweep``: how many numbers a code should have."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentmap.cli.bar import answer, answer_table, count, starting
from latentmap.cli.options import (
    Color,
    Columns,
    DataDir,
    Fit,
    Force,
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

if TYPE_CHECKING:
    from latentmap.analysis import Sweep


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("sweep")(sweep)


def sweep(
    source: Source,
    latent_dims: Annotated[
        str, typer.Option("--latent-dims", metavar="K,K,...", help="The sizes of codes to try.")
    ] = "2,4,8,16,32,64",
    model: Annotated[str, typer.Option("--model", help="dense, residual, conv or linear.")] = "dense",
    objective: Objective = "reconstruction",
    objective_param: ObjectiveParams = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the training samples.", show_default="enough")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A picture to write: .png, .svg or .pdf.", show_default="none"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    size: Size = None,
    fit_images: Fit = "crop",
    color: Color = None,
    label: Label = None,
    columns: Columns = None,
    header: Header = None,
    missing: Missing = None,
    limit: Limit = None,
    memory: Memory = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Fit a model with codes of several sizes, set each beside PCA, and say which size to take, or to take PCA.

    A tenth of the training split (validation) is kept to choose by; the table is of the test split.

    Example: **latentmap sweep mnist --latent-dims 2,4,8,16,32,64 -o sweep.png**
    """
    starting()
    from latentmap import analysis
    from latentmap.checks import check_choice
    from latentmap.cli.progress import TrainingBar, show_stage
    from latentmap.estimator import Autoencoder
    from latentmap.models import MODELS
    from latentmap.training.objectives import check_objective

    sizes = read_sizes(latent_dims)
    params = read_params(objective_param)
    check_choice("model", model, MODELS)
    check_objective(objective, params)
    if output is not None:
        check_output(output, force=force)
        from latentmap.report.output import check_picture

        check_picture(output)
    dataset = read_source(
        source, size=size, fit=fit_images, color=color, label=label, limit=limit, memory=memory, skip_bad=skip_bad,
        data_dir=data_dir, columns=columns, header=header, missing=missing,
    )  # fmt: skip
    result = analysis.sweep(
        dataset,
        sizes,
        lambda latent_dim: Autoencoder(
            model,
            latent_dim,
            objective=objective,
            objective_params=params,
            epochs="auto" if epochs is None else epochs,
            random_state=seed,
            callbacks=[TrainingBar(f"{model} with {count(latent_dim, 'number')}")],
        ),
        name=model,
        seed=seed,
        on_size=lambda latent_dim: show_stage(f"latent_dim_{latent_dim}"),
    )
    if as_json:
        answer(json.dumps(asdict(result), indent=2))
    else:
        show(result)
    if output is not None:
        from latentmap import report

        report.write_figure(report.sweep(result), output)


def read_sizes(words: str) -> list[int]:
    """Return the whole numbers of a list like 2,4,8.

    Raises
    ------
    ValueError
        If it is no such list.
    """
    try:
        sizes = [int(word) for word in words.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise ValueError(f"--latent-dims must be whole numbers of at least 1 with commas between, got {words!r}.")
    return sizes


def show(result: Sweep) -> None:
    """Write the sizes as a table, and the recommendation below."""
    pca = {one.latent_dim: one for one in result.pca}
    figures = (("MSE", "test_mse"), ("kNN", "knn_accuracy"))
    heads = [f"{who} {head}" for head, _ in figures for who in (result.name, "PCA")]
    rows = [
        [
            str(one.latent_dim),
            *(getattr(of, name, None) for _, name in figures for of in (one, pca.get(one.latent_dim))),
        ]
        for one in result.model
    ]
    answer_table(["latent_dim", *heads], rows)
    answer(
        f"\n{result.reason}\nThe table is of the test split, by which nothing was chosen: mean squared error, and "
        "accuracy of the 10 nearest neighbours."
    )
