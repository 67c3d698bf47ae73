"""``latentmap sweep``: how many numbers a code should have."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentmap.cli.bar import answer, answer_table, starting
from latentmap.cli.options import DataOptions, Force, ModelOptions, Source, check_output, output_option, with_groups
from latentmap.errors import count

if TYPE_CHECKING:
    from latentmap.analysis import Sweep


@with_groups
def sweep(
    source: Source,
    model: ModelOptions,
    data: DataOptions,
    latent_dims: Annotated[
        str, typer.Option("--latent-dims", metavar="K,K,...", help="The sizes of codes to try.")
    ] = "2,4,8,16,32,64",
    output: Annotated[
        Path | None, output_option("A picture to write: .png, .svg or .pdf.", show_default="none")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
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
    from latentmap.models import MODELS

    sizes = read_sizes(latent_dims)
    check_choice("model", model.model, MODELS)
    _ = model.params  # refused before anything is read
    if output is not None:
        check_output(output, force=force)
        from latentmap.report.output import check_picture

        check_picture(output)

    def make_model(latent_dim: int) -> Any:
        name = f"{model.model} with {count(latent_dim, 'number')}"
        return model.autoencoder(latent_dim, callbacks=[TrainingBar(name)])

    result = analysis.sweep(
        data.read(source),
        sizes,
        make_model,
        name=model.model,
        seed=model.seed,
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
    """Return the whole numbers of a list like 2,4,8."""
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
