"""The command that makes a model: fit, with its checkpoints."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import Bar, answer, note, starting
from latentmap.cli.options import (
    DataOptions,
    InterruptedCommand,
    ModelOptions,
    Resume,
    Source,
    check_name,
    check_output,
    check_resume,
    output_option,
    with_groups,
)
from latentmap.errors import count

if TYPE_CHECKING:
    from latentmap.estimator import Autoencoder
    from latentmap.training import Callback

_OF_THE_MODEL = "the model's; info shows it"


@dataclass(frozen=True)
class FitOptions(ModelOptions):
    """A model to be trained, and how."""

    latent_dim: Annotated[
        int | None,
        typer.Option("--latent-dim", help="How many numbers a code has.", show_default="2; of conv 64 for 32x32"),
    ] = None
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Images per step.", show_default=_OF_THE_MODEL)
    ] = None
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="The highest of the schedule.", show_default=_OF_THE_MODEL),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option("--patience", help="Stop after so many epochs without a better one.", show_default="never"),
    ] = None
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option("--precision", help="Arithmetic while learning; auto: bfloat16 where the machine has it."),
    ] = "auto"
    augmentation: Annotated[
        Literal["auto", "none", "affine"],
        typer.Option("--augmentation", help="Move and turn images a little while learning; auto: the model's own."),
    ] = "auto"
    weight_decay: Annotated[
        float | None, typer.Option("--weight-decay", help="How fast weights shrink.", show_default=_OF_THE_MODEL)
    ] = None
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps, or the fastest there is.")] = "auto"

    def estimator(self, callbacks: list[Callback]) -> Autoencoder:
        """The estimator with all these, not fitted yet."""
        return self.autoencoder(
            self.latent_dim,
            batch_size="auto" if self.batch_size is None else self.batch_size,
            learning_rate="auto" if self.learning_rate is None else self.learning_rate,
            patience=self.patience,
            precision=self.precision,
            augmentation=self.augmentation,
            weight_decay="auto" if self.weight_decay is None else self.weight_decay,
            device=self.device,
            callbacks=callbacks,
        )


@with_groups
def fit(
    context: typer.Context,
    source: Source,
    output: Annotated[Path, output_option("The model folder to write.")],
    model: FitOptions,
    data: DataOptions,
    resume: Resume = False,
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
    from latentmap.files import check_folder, writing
    from latentmap.models.files import is_model_folder
    from latentmap.training import TensorBoard, TrainingInterrupted
    from latentmap.training.checkpoints import has_checkpoint, remove_checkpoint

    check_folder(output, is_model_folder)
    context.with_resource(writing(output, wait=0))
    check_output(output, force=force or resume)
    unfinished = output.with_name(f"{output.name}.unfinished")
    check_resume(unfinished, there=has_checkpoint(unfinished), resume=resume, force=force)
    if not resume:
        remove_checkpoint(unfinished)
    callbacks: list[Callback] = [TrainingBar(ends_with_a_line=False)]
    callbacks += [TensorBoard(tensorboard)] if tensorboard else []
    autoencoder = model.estimator(callbacks)  # which refuses settings of the objective before anything is read
    dataset = data.read(source)
    if resume and _is_done(output, unfinished, autoencoder, dataset.train.X):
        note(f"{output} is finished already, there is nothing to resume.")
    else:
        Bar(f"preparing (objective: {model.objective})")
        try:
            autoencoder.fit(dataset.train.X, checkpoint=unfinished, resume=resume, checkpoint_every=checkpoint_every)
        except TrainingInterrupted as interruption:
            raise InterruptedCommand(f"{interruption}. To go on, add --resume to the same command.") from None
        autoencoder.save(output, metadata=dataset.facts)
        note(_summary(autoencoder, output, source, data.data_dir))
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


def _is_done(output: Path, unfinished: Path, autoencoder: Autoencoder, X: Any) -> bool:
    """Whether a run with these settings has been finished, and its checkpoint removed."""
    from latentmap.estimator import Autoencoder
    from latentmap.models.files import is_model_folder
    from latentmap.training.checkpoints import check_settings, has_checkpoint

    if has_checkpoint(unfinished) or not is_model_folder(output):
        return False
    check_settings(output, Autoencoder.load(output).settings_ or {}, autoencoder.settings(X))
    return True
