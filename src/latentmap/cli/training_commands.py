"""Commands that make models: fit, which keeps one, and sweep, which says how many numbers a code should have."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import Bar, answer, answer_table, note, starting
from latentmap.cli.options import (
    MODEL_HELP,
    Address,
    DataOptions,
    Force,
    ForceRun,
    InterruptedCommand,
    ModelOptions,
    Resume,
    Source,
    Storage,
    Workers,
    check_address,
    check_name,
    check_output,
    check_resume,
    output_option,
    with_groups,
)
from latentmap.errors import count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from latentmap.analysis import Sweep
    from latentmap.data import Dataset
    from latentmap.estimator import Autoencoder
    from latentmap.training import Callback

_OF_THE_MODEL = "the model's; info shows it"


_FEW_A_NUMBER = 10  # samples for each number of a code
_FEW = 50  # samples, of which little can be learned


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
        typer.Option("--patience", help="Stop after so many epochs without a better one.", show_default="auto"),
    ] = None
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option("--precision", help="Arithmetic while learning; auto: bfloat16 where the machine has it."),
    ] = "auto"
    augmentation: Annotated[
        Literal["auto", "none", "affine", "elastic", "crop"],
        typer.Option(
            "--augmentation",
            help="Move, turn and bend images a little, or mirror them, while learning; auto: the model's own.",
        ),
    ] = "auto"
    weight_decay: Annotated[
        float | None, typer.Option("--weight-decay", help="How fast weights shrink.", show_default=_OF_THE_MODEL)
    ] = None
    scaling: Annotated[
        Literal["auto", "global", "standard"],
        typer.Option(
            "--scaling",
            help="Of vectors: all features by one number, or each by its standard deviation; auto: each, where their "
            "units differ.",
        ),
    ] = "auto"
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps, or the fastest there is.")] = "auto"

    def estimator(self, callbacks: list[Callback]) -> Autoencoder:
        """The estimator with all these, not fitted yet."""
        names = ["batch_size", "learning_rate", "patience", "precision", "augmentation", "weight_decay"]
        names += ["scaling", "device"]
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return self.autoencoder(self.latent_dim, callbacks=callbacks, **given)


@with_groups
def fit(
    context: typer.Context,
    source: Source,
    output: Annotated[Path, output_option("The model folder to write.")],
    model: FitOptions,
    data: DataOptions,
    resume: Resume = False,
    force: ForceRun = False,
    checkpoint_every: Annotated[
        float, typer.Option("--checkpoint-every", help="Seconds between two checkpoints.", min=0)
    ] = 30.0,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Write losses for TensorBoard to this folder.")
    ] = None,
    workers: Workers = None,
    address: Address = None,
    storage: Storage = None,
) -> None:
    """Train one autoencoder and save it. Ctrl-C saves a checkpoint, and --resume goes on from it.

    Example: **latentmap fit mnist -o models/mnist --model conv**

    Several processes share it: **torchrun --nproc-per-node 2 -m latentmap fit mnist -o models/mnist**, or those of
    Ray: **latentmap fit mnist -o models/mnist --workers 2**
    """
    check_name(output)
    starting()
    from latentmap.cli.processes import join
    from latentmap.cli.progress import TrainingBar
    from latentmap.files import unfinished_of, writing
    from latentmap.training import TensorBoard
    from latentmap.training.checkpoints import remove_checkpoint

    ranks = context.with_resource(join())
    check_address(workers, address, storage)
    if workers is not None and ranks.size > 1:
        raise ValueError("--workers and torchrun exclude each other: both share training. Take one of them.")
    unfinished = unfinished_of(output) if storage is None else storage
    callbacks: list[Callback] = []
    if ranks.is_first:  # which writes for all
        context.with_resource(writing(output, wait=0))
        _clear(output, unfinished, resume=resume, force=force)
        callbacks = [TrainingBar(), *([TensorBoard(tensorboard)] if tensorboard else [])]
    autoencoder = model.estimator(callbacks)  # which refuses settings of the objective before anything is read
    dataset = None if workers else ranks.in_turn(lambda: data.read(source))  # the first fills the cache for the others
    X = None if dataset is None else dataset.train.X
    if resume and ranks.once(lambda: _is_done(output, unfinished, autoencoder, X)):
        note(f"{output} is finished already, there is nothing to resume.")
    else:
        begins = f"starting {count(workers, 'worker')}" if workers else "preparing"
        Bar(f"{begins} (objective: {model.objective})")
        kept = {"resume": resume, "checkpoint_every": checkpoint_every}
        if dataset is not None:
            facts = _fit_here(autoencoder, dataset, checkpoint=unfinished, **kept)
        else:
            how = {"num_workers": workers, "address": address, "storage": unfinished, **kept}
            facts = _fit_by_workers(autoencoder, source, **how, **data.as_arguments())
        if ranks.is_first:
            autoencoder.save(output, metadata=facts)
        note(_summary(autoencoder, output, source, data.data_dir))
        if X is not None and len(X) < _FEW:
            note(f"{len(X):,} samples are few: what was learned may hold of them alone. Compare it with PCA.")
    if ranks.is_first:
        remove_checkpoint(unfinished)
    answer(output)


def _clear(output: Path, unfinished: Path | str, *, resume: bool, force: bool) -> None:
    """Refuse to replace what was not asked for, and remove an interrupted run that shall not go on."""
    from latentmap.files import check_folder
    from latentmap.models.files import is_model_folder
    from latentmap.training.checkpoints import has_checkpoint, remove_checkpoint

    check_folder(output, is_model_folder)
    check_output(output, force=force or resume)
    check_resume(unfinished, there=has_checkpoint(unfinished), resume=resume, force=force)
    if not resume:
        remove_checkpoint(unfinished)


def _fit_here(autoencoder: Autoencoder, dataset: Dataset, **how: Any) -> dict[str, Any]:
    """Fit by this process, or those that torchrun started; what is known of the data."""
    from latentmap.training import TrainingInterrupted

    try:
        autoencoder.fit(dataset.train.X, **how)
    except TrainingInterrupted as interruption:
        raise InterruptedCommand(f"{interruption}. To go on, add --resume to the same command.") from None
    return dataset.facts


def _fit_by_workers(autoencoder: Autoencoder, source: str, **how: Any) -> dict[str, Any]:
    """Fit by the workers of a cluster; what is known of the data."""
    from latentmap.distributed.training import fit_and_tell
    from latentmap.training.checkpoints import has_checkpoint

    try:
        return fit_and_tell(autoencoder, source, tell=note, **how)[1]
    except KeyboardInterrupt:
        if not has_checkpoint(how["storage"]):
            raise
        raise InterruptedCommand(
            "interrupted, the last checkpoint is kept. To go on, add --resume to the same command."
        ) from None


def _summary(autoencoder: Autoencoder, output: Path, source: str, data_dir: Path | None) -> str:
    """What training came to, and what to do next."""
    import numpy as np

    from latentmap.cli.progress import reached
    from latentmap.training import OBJECTIVES, EpochRecord

    place = [] if data_dir is None else ["--data-dir", str(data_dir)]
    following = shlex.join(["latentmap", "evaluate", str(output), source, *place])
    records = [EpochRecord(**row) for row in autoencoder.history_]
    best = next(record for record in records if record.epoch == autoencoder.best_epoch_)
    what = reached(autoencoder.objective, best, records[-1])
    gain = autoencoder.describe().get("twicing_gain", 0.0)
    if gain and best.valid_loss is not None:  # those learned from gain more than others
        what += f", {gain:.1%} less now that codes are corrected (twicing)"
    module = autoencoder.module_
    has_start = module.keeps_components and module.n_components > 0
    if has_start and _FEW_A_NUMBER * module.latent_dim > autoencoder._fitted.n_samples:
        what += " (low, for the components that it starts from are those of the validation part too)"
    preprocessing, unit = autoencoder.preprocessing_, np.asarray(autoencoder._fitted.error_unit)
    # Of vectors in one unit the loss is of scaled numbers, which evaluate's error is not.
    squared = 1.0 if preprocessing.is_images else float(np.mean(np.square(preprocessing.scale / unit)))
    if OBJECTIVES[autoencoder.objective].loss_is_error and best.valid_loss and not 0.99 < squared < 1.01:
        what += f", a mean squared error of {best.valid_loss * (1 - gain) * squared:.4g} as evaluate counts it"
    return f"{autoencoder.model_} with {count(autoencoder.latent_dim_, 'number')}: {what}. Next: {following}"


def _is_done(output: Path, unfinished: Path | str, autoencoder: Autoencoder, X: Any) -> bool:
    """Whether a run with these settings has been finished, and its checkpoint removed."""
    import numpy as np

    from latentmap.estimator import Autoencoder
    from latentmap.models.files import is_model_folder
    from latentmap.training.checkpoints import check_settings, has_checkpoint

    if has_checkpoint(unfinished) or not is_model_folder(output):
        return False
    wanted = autoencoder.settings(np.zeros((1, 1)) if X is None else X)
    if X is None:  # which the workers have: only they could compare it
        wanted = {name: value for name, value in wanted.items() if not name.endswith("of the data")}
    check_settings(output, Autoencoder.load(output).settings_ or {}, wanted)
    return True


@dataclass(frozen=True)
class SweepOptions(ModelOptions):
    """A model to be trained once for each size: one of seconds, unless asked."""

    model: Annotated[str, typer.Option("--model", help=MODEL_HELP)] = "dense"


@with_groups
def sweep(
    source: Source,
    model: SweepOptions,
    data: DataOptions,
    latent_dims: Annotated[
        str, typer.Option("--latent-dims", metavar="K,K,...", help="The sizes of codes to try.")
    ] = "2,4,8,16,32,64",
    output: Annotated[
        Path | None, output_option("A picture to write: .png, .svg or .pdf.", show_default="none")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    force: Force = False,
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Fit a model with codes of several sizes, set each beside PCA, and say which size to take, or to take PCA.

    A tenth of the training split (validation) is kept to choose by; the table is of the test split.

    Example: **latentmap sweep mnist --latent-dims 2,4,8,16,32,64 -o sweep.png**
    """
    starting()
    check_address(workers, address)
    from latentmap import analysis
    from latentmap.checks import check_choice
    from latentmap.cli.progress import TrainingBars, show_stage
    from latentmap.models import MODELS

    sizes = read_sizes(latent_dims)
    check_choice("model", model.model, ("auto", *MODELS))
    _ = model.params  # refused before anything is read
    if output is not None:
        check_output(output, force=force, read=[source])
        from latentmap.report.output import check_picture

        check_picture(output)

    name = "autoencoder" if model.model == "auto" else model.model

    def make_model(latent_dim: int) -> Any:
        bar = bars.one(f"{name} with {count(latent_dim, 'number')}") if workers is None else []
        return model.autoencoder(latent_dim, callbacks=bar)

    fit_all: Callable[[Sequence[Any], NDArray[Any]], Iterable[Any]] = fit_beside_each_other
    if workers is not None:
        from latentmap.distributed.cluster import fit_each

        fit_all = partial(fit_each, workers, address)

    dataset = data.read(source)
    sizes = _that_compress(sizes, math.prod(dataset.sample_shape))
    bars = TrainingBars(len(sizes))
    result = analysis.sweep(
        dataset,
        sizes,
        make_model,
        name=name,
        seed=model.seed,
        fit_all=fit_all,
        on_size=lambda latent_dim: show_stage(f"latent_dim_{latent_dim}"),
    )
    if as_json:
        answer(json.dumps(asdict(result), indent=2))
    else:
        show(result)
    if output is not None:
        from latentmap import report

        report.write_figure(report.sweep(result), output)


def _that_compress(sizes: list[int], n_values: int) -> list[int]:
    """The sizes of codes that are fewer numbers than a sample has; says which are left out."""
    most = max(1, n_values - 1)  # with as many numbers as a sample has nothing is compressed
    within, beyond = [size for size in sizes if size <= most], [size for size in sizes if size > most]
    left_out, has = ", ".join(map(str, beyond)), count(n_values, "number")
    if not within:
        raise ValueError(f"--latent-dims must be fewer than the {has} of a sample, got {left_out}.")
    if beyond:
        note(f"codes of {left_out} numbers are left out: a sample has {has}.")
    return within


def fit_beside_each_other(models: Sequence[Any], X: NDArray[Any]) -> list[Any]:
    """Fit estimators to the same samples, two at a time but where these are more than memory should hold."""
    from latentmap.models.fitted import streamed
    from latentmap.training.runtime import side_by_side

    return side_by_side([partial(one.fit, X) for one in models], at_a_time=1 if streamed(X) else 2)


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
    rows = []
    for one in result.model:
        both = (one, pca.get(one.latent_dim))
        rows.append([str(one.latent_dim), *(getattr(of, name, None) for _, name in figures for of in both)])
    answer_table(["latent_dim", *heads], rows)
    answer(
        f"\n{result.reason}\nThe table is of the test split, by which nothing was chosen: mean squared error, and "
        "accuracy of the 10 nearest neighbours."
    )
