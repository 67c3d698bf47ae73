"""The command that makes a model: fit, with its checkpoints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import Bar, answer, count, note, starting
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
    check_name,
    check_output,
    read_params,
    read_source,
)
from latentmap.errors import CheckpointError, LatentmapError

if TYPE_CHECKING:
    from latentmap.estimator import Autoencoder


class InterruptedCommand(LatentmapError):  # noqa: N818  # it is no error
    """The user stopped a command, which left everything in order."""

    exit_status = 130


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("fit")(fit)


def fit(
    context: typer.Context,
    source: Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model folder to write.")],
    model: Annotated[str, typer.Option("--model", help="dense, residual, conv or linear.")] = "dense",
    latent_dim: Annotated[
        int | None,
        typer.Option("--latent-dim", help="How many numbers a code has.", show_default="2; of conv 64 for 32x32"),
    ] = None,
    objective: Objective = "reconstruction",
    objective_param: ObjectiveParams = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Passes over the training images.", show_default="by how many there are"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Images per step.", show_default="the model's; info shows it")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", help="The highest of the schedule.", show_default="the model's; info shows it"
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", help="Stop after so many epochs without a better one.", show_default="never"),
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option("--precision", help="Arithmetic while learning; auto: bfloat16 where the machine has it."),
    ] = "auto",
    augmentation: Annotated[
        Literal["auto", "none", "affine"],
        typer.Option("--augmentation", help="Move and turn images a little while learning; auto: the model's own."),
    ] = "auto",
    weight_decay: Annotated[
        float | None,
        typer.Option("--weight-decay", help="How fast weights shrink.", show_default="the model's; info shows it"),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps, or the fastest there is.")] = "auto",
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run with the same options stopped.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a model that is there, and an interrupted run.")
    ] = False,
    checkpoint_every: Annotated[
        float, typer.Option("--checkpoint-every", help="Seconds between two checkpoints.", min=0)
    ] = 30.0,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Write losses for TensorBoard to this folder.")
    ] = None,
) -> None:
    """Train one autoencoder and save it. Ctrl-C saves a checkpoint, and --resume goes on from it.

    Example: **latentmap fit mnist -o models/mnist --model conv**
    """
    check_name(output)
    starting()
    from latentmap.cli.progress import TrainingBar
    from latentmap.estimator import Autoencoder
    from latentmap.files import check_folder, writing
    from latentmap.models.files import is_model_folder
    from latentmap.training import Callback, TensorBoard, TrainingInterrupted
    from latentmap.training.checkpoints import remove_checkpoint

    check_folder(output, is_model_folder)
    context.with_resource(writing(output, wait=0))
    check_output(output, force=force or resume)
    unfinished = output.with_name(f"{output.name}.unfinished")
    _settle_checkpoint(unfinished, resume=resume, force=force)
    callbacks: list[Callback] = [
        TrainingBar(ends_with_a_line=False),
        *([TensorBoard(tensorboard)] if tensorboard else []),
    ]
    dataset = read_source(
        source, size=size, fit=fit_images, color=color, label=label, limit=limit, memory=memory, skip_bad=skip_bad,
        data_dir=data_dir, columns=columns, header=header, missing=missing,
    )  # fmt: skip
    autoencoder = Autoencoder(
        model,
        latent_dim,
        objective=objective,
        objective_params=read_params(objective_param),
        epochs="auto" if epochs is None else epochs,
        batch_size="auto" if batch_size is None else batch_size,
        learning_rate="auto" if learning_rate is None else learning_rate,
        patience=patience,
        precision=precision,
        augmentation=augmentation,
        weight_decay="auto" if weight_decay is None else weight_decay,
        device=device,
        random_state=seed,
        callbacks=callbacks,
    )
    if resume and _is_done(output, unfinished, autoencoder, dataset.train.X):
        note(f"{output} is finished already, there is nothing to resume.")
    else:
        Bar(f"preparing (objective: {objective})")
        try:
            autoencoder.fit(dataset.train.X, checkpoint=unfinished, resume=resume, checkpoint_every=checkpoint_every)
        except TrainingInterrupted as interruption:
            raise InterruptedCommand(f"{interruption}. To go on, add --resume to the same command.") from None
        autoencoder.save(output, metadata=dataset.facts)
        note(_summary(autoencoder, output, source, data_dir))
    remove_checkpoint(unfinished)
    answer(output)


def _summary(autoencoder: Autoencoder, output: Path, source: str, data_dir: Path | None) -> str:
    """What training came to, and what to do next."""
    from latentmap.cli.progress import reached
    from latentmap.training import EpochRecord

    place = [] if data_dir is None else ["--data-dir", str(data_dir)]
    following = shlex.join(["latentmap", "evaluate", str(output), source, *place])
    records = [EpochRecord(**row) for row in autoencoder.history_]
    what = reached(autoencoder.objective, records[autoencoder.best_epoch_ - 1], records[-1])
    return f"{autoencoder.model} with {count(autoencoder.latent_dim_, 'number')}: {what}. Next: {following}"


def _settle_checkpoint(unfinished: Path, *, resume: bool, force: bool) -> None:
    """Remove an interrupted run's checkpoint only when told to."""
    from latentmap.training.checkpoints import has_checkpoint, remove_checkpoint

    if resume and force:
        raise ValueError("--resume and --force exclude each other: go on, or begin again.")
    if resume or not has_checkpoint(unfinished):
        return
    if not force:
        raise CheckpointError(
            f"{unfinished} holds an interrupted run. Add --resume to go on with it, or --force to begin again."
        )
    remove_checkpoint(unfinished)


def _is_done(output: Path, unfinished: Path, autoencoder: Autoencoder, X: Any) -> bool:
    """Whether a run with these settings has been finished, and its checkpoint removed."""
    from latentmap.estimator import Autoencoder
    from latentmap.models.files import is_model_folder
    from latentmap.training.checkpoints import check_settings, has_checkpoint

    if has_checkpoint(unfinished) or not is_model_folder(output):
        return False
    check_settings(output, Autoencoder.load(output).settings_ or {}, autoencoder.settings(X))
    return True
