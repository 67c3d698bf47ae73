"""Options that several commands share, so that they read the same everywhere, and what they come to."""

from __future__ import annotations

import csv
import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from latentmap.cli.bar import DataBar, note, starting
from latentmap.errors import CheckpointError, DatasetError, LatentmapError, OutputError, count

if TYPE_CHECKING:
    from latentmap.checks import Refining
    from latentmap.data import Dataset
    from latentmap.data.source import Reading
    from latentmap.estimator import Autoencoder


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer, which sees the fields of parameters that are dataclasses as options of the command."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters, annotations = [], {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = groups.get(name)
        members = [(field.name, field.default) for field in fields(kind)] if kind else [(name, parameter.default)]
        known = get_type_hints(kind, include_extras=True) if kind else hints
        for member, default in members:
            annotations[member] = known[member]
            parameters.append(
                inspect.Parameter(member, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=known[member])
            )

    def flat(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    flat.__name__, flat.__doc__, flat.__annotations__ = command.__name__, command.__doc__, annotations
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat


def output_option(help_: str, **more: Any) -> Any:
    """The option of what is written."""
    return typer.Option("--output", "-o", help=help_, **more)


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="digits, mnist, fashion_mnist or kmnist; or the path of a folder of images, or of a .npy, .npz, "
        ".parquet, .csv or IDX file; a pattern such as 'photos/*.jpg'; s3:// or gs:// addresses; or hf://owner/name.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="The most of the data to hold in memory, such as 2GiB; more is decoded into the cache.",
        show_default="a third of the memory",
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Pass over unreadable images even where they are more than a tenth.")
]
Missing = Annotated[
    Literal["drop", "mean"] | None,
    typer.Option(
        "--missing",
        help="Where numbers are missing: leave out the row, or put in the feature's mean over the training samples.",
        show_default="refuse, or as the model was fitted",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", help="Use only N samples of each split, evenly spaced: a quick look.", show_default="all"),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Where built-in datasets are kept, one folder each.", show_default="$LATENTMAP_DATA"
    ),
]
Dpi = Annotated[
    int, typer.Option("--dpi", help="Pixels an inch of PNG files; figures are 8 inches wide.", min=20, max=1200)
]
Seed = Annotated[int, typer.Option("--seed", help="Seeds everything that is random.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file there, or a folder that an earlier run wrote.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where an interrupted run with the same options stopped.")
]
ForceRun = Annotated[bool, typer.Option("--force", help="Replace what is there, and an interrupted run.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that fit or report wrote.")]


def _read_refine(text: str) -> Refining:
    """What is said of refining codes."""
    from latentmap.checks import check_refine

    try:
        return check_refine(text if text == "auto" else int(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither auto nor a whole number of at least 0.") from None


Refine = Annotated[
    Any,
    typer.Option(
        "--refine",
        parser=_read_refine,
        metavar="auto|STEPS",
        help="Bring each code nearer to the one that draws its sample best, in so many steps: smaller errors, slower. "
        "auto: correct them by their drawings where fit found that this gains; 0: codes as the encoder gives them.",
        show_default="as the model says, else auto",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="So many processes of Ray share the work.", min=1, show_default="this one alone"),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="auto|HOST:PORT",
        help="The Ray cluster that the workers are of.",
        show_default="one on this machine, for the time of the command",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="PATH",
        help="With --workers: where all of them can keep the checkpoint, a folder or an s3:// address.",
        show_default="beside the model",
    ),
]
Shown = Annotated[
    Literal["test", "train", "all"],
    typer.Option("--split", help="Which samples: those kept for testing, those learned from, or every one."),
]


@dataclass(frozen=True)
class DataOptions:
    """How a source is read."""

    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="N|HxW",
            help="Bring images to this height and width, 8 to 256.",
            show_default="32 for built-in data, else their own",
        ),
    ] = None
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        typer.Option(
            "--fit", help="How images of another shape come to that size: their middle, with borders, distorted."
        ),
    ] = "crop"
    color: Annotated[
        bool | None,
        typer.Option("--color/--gray", help="Read images in colour, or in grey.", show_default="as they are"),
    ] = None
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="The column of a table that names the class.")
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAME,...",
            help="The columns of a table that are features, by name or by a pattern such as 'pixel*'.",
            show_default="all of numbers, but for those that number the rows",
        ),
    ] = None
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line of a CSV file names the columns.",
            show_default="where it differs from those below",
        ),
    ] = None
    missing: Missing = None
    limit: Limit = None
    memory: Memory = None
    skip_bad: SkipBad = False
    data_dir: DataDir = None

    def read(self, source: str) -> Dataset:
        """The dataset of that name or path, read in this way."""
        return read_source(source, **self.as_arguments())

    def as_arguments(self) -> dict[str, Any]:
        """What `load_dataset` takes."""
        from latentmap.data.source import parse_size

        size = "auto" if self.size is None else parse_size(self.size)
        columns = self.columns and next(csv.reader([self.columns], skipinitialspace=True), [])
        return {**asdict(self), "size": size, "columns": columns}


@dataclass(frozen=True)
class ObjectiveOptions:
    """What training makes small, and from which seed."""

    objective: Annotated[
        str,
        typer.Option(
            "--objective", help="What training makes small: reconstruction, neighbors, denoising or variational."
        ),
    ] = "reconstruction"
    objective_param: Annotated[
        list[str] | None,
        typer.Option(
            "--objective-param",
            metavar="NAME=NUMBER",
            help="A setting of the objective, such as weight=3 or beta=4; may be given several times.",
            show_default="see docs/objectives.md",
        ),
    ] = None
    seed: Seed = 0

    @property
    def params(self) -> dict[str, float] | None:
        """Settings of the objective, given as NAME=NUMBER; None where there are none. All are checked."""
        from latentmap.training.objectives import make_objective

        params: dict[str, float] = {}
        for word in self.objective_param or ():
            name, _, value = word.partition("=")
            try:
                number = float(value)
            except ValueError:
                raise ValueError(f"--objective-param must be NAME=NUMBER, got {word!r}.") from None
            params[name.strip()] = int(number) if number.is_integer() else number
        make_objective(self.objective, params)
        return params or None


Epochs = Annotated[
    int | None,
    typer.Option("--epochs", help="Passes over the training samples.", show_default="by how many there are"),
]
MODEL_HELP = "auto, dense, strided, residual, conv or linear."


@dataclass(frozen=True)
class ModelOptions(ObjectiveOptions):
    """A model to be trained."""

    model: Annotated[str, typer.Option("--model", help=MODEL_HELP)] = "auto"
    epochs: Epochs = None

    def autoencoder(self, latent_dim: int | None, **more: Any) -> Autoencoder:
        """The estimator, not fitted yet."""
        from latentmap.estimator import Autoencoder

        more |= {"objective": self.objective, "objective_params": self.params, "random_state": self.seed}
        return Autoencoder(self.model, latent_dim, epochs="auto" if self.epochs is None else self.epochs, **more)


def read_source(source: str, **options: Any) -> Dataset:
    """Load the dataset of that name or path; say what the user should know of it."""
    from latentmap.data import load_dataset

    dataset = load_dataset(source, progress=DataBar(source), **options)
    for words in dataset.notes:
        note(words)
    return dataset


def load_both(
    model: Path, source: str, *, refine: Refining | None = None, **options: Any
) -> tuple[Autoencoder, Dataset]:
    """A model, and a dataset read as the one that the model was fitted on."""
    models, dataset = load_models([model], source, refine=refine, **options)
    (autoencoder,) = models.values()
    return autoencoder, dataset


def load_models(
    paths: Sequence[Path], source: str, *, split: str = "test", refine: Refining | None = None, **options: Any
) -> tuple[dict[str, Autoencoder], Dataset]:
    """Models by the names of their folders, and a dataset read as the one that the first was fitted on."""
    starting()
    loaded = [load_model(path, refine) for path in paths]
    first, reading = loaded[0]
    shape = first.preprocessing_.sample_shape
    models: dict[str, Autoencoder] = {}
    for path, (autoencoder, own) in zip(paths, loaded, strict=True):
        if (autoencoder.preprocessing_.sample_shape, own.dtype) != (shape, reading.dtype):
            raise DatasetError(f"{path} takes samples of another shape or kind than {paths[0]}. Take it by itself.")
        base = path.resolve().name
        names = (f"{base}-{number}" if number > 1 else base for number in itertools.count(1))
        models[next(name for name in names if name not in models)] = autoencoder
    if split == "all":
        options["test_fraction"] = 0.0
    dataset = read_source(source, reading=reading, **options).of(split)
    if not dataset.is_images:
        if dataset.sample_shape != tuple(shape):
            raise DatasetError(
                f"{source} has {count(dataset.sample_shape[0], 'feature')}, and {paths[0]} was fitted on {shape[0]:,}."
            )
        dataset = dataset.in_unit(first._fitted.error_unit)
    return models, dataset


def tell_split(models: Mapping[str, Autoencoder], dataset: Dataset, *, limited: bool, way: bool = True) -> list[str]:
    """Say which part of samples without a split of their own is taken; the models that learned from other data.

    Of a limited number of samples that cannot be told.
    """
    from latentmap.training.fitting import learned_from

    if dataset.is_one:
        return []
    known = {} if limited else models
    strange = [name for name, model in known.items() if learned_from(model._fitted, dataset.train.X) is False]
    drawn = dataset.split.startswith("random")
    if drawn or dataset.split.startswith("the last"):
        n, others = len(dataset.train) + len(dataset.test), " and ".join(strange)
        part = f"{len(dataset.test):,} of {n:,} samples are taken"
        if strange:
            part += " at random" if drawn else ", the last"
            part += f": {others} learned from other data, perhaps with some of these in it"
        else:
            part += f", the {'random' if drawn else 'last'} part that fit keeps for testing"
        note(f"{part}.{' Add --split all to take every one.' * way}")
    return strange


def load_model(path: Path, refine: Refining | None = None) -> tuple[Autoencoder, Reading]:
    """A model that takes samples as a dataset has them and refines codes as it says itself, and how to read it."""
    from latentmap.data.source import Reading
    from latentmap.estimator import Autoencoder

    autoencoder = Autoencoder.load(path)
    if refine is not None:
        autoencoder.set_params(refine=refine)
    kept, preprocessing = autoencoder.metadata_.get("reading"), autoencoder.preprocessing_
    reading = Reading.from_config(kept) if isinstance(kept, dict) else None  # None: fitted in Python
    if not preprocessing.is_images:
        if reading is None:
            names = autoencoder.__dict__.pop("feature_names_in_", None)  # from here on it is given columns of these
            reading = Reading(columns=None if names is None else tuple(map(str, names)))
        if reading.means is None:  # where numbers are missing, these may be put in
            reading = replace(reading, means=tuple(preprocessing.offset.tolist()))
        return autoencoder, reading
    held: Literal["float32"] | None = None if preprocessing.is_raw else "float32"
    as_read = reading is not None and (None if reading.dtype == "uint8" else reading.dtype) == held
    if reading is None:
        channels, height, width = preprocessing.tensor_shape
        low, high = (None, None) if preprocessing.is_raw else preprocessing.pixel_range
        reading = Reading(height, width, channels, low=low, high=high)
    if not as_read or len(preprocessing.sample_shape) == 2:
        # From here on the data, and so the model, is as a dataset has it.
        reading, autoencoder.preprocessing_ = replace(reading, dtype=held), preprocessing.of_dataset()
    return autoencoder, reading


class InterruptedCommand(LatentmapError):  # noqa: N818  # it is no error
    """The user stopped a command, which left everything in order."""

    exit_status = 130


def check_address(workers: int | None, address: str | None, storage: str | None = None) -> None:
    """Refuse what goes with workers where there are none."""
    if workers is None and not (address is None and storage is None):
        raise ValueError("--address and --storage go with --workers. Say how many there are to be.")


def check_resume(unfinished: Path | str, *, there: bool, resume: bool, force: bool) -> None:
    """Refuse to begin where an interrupted run left something, unless told what to do with it."""
    if resume and force:
        raise ValueError("--resume and --force exclude each other: go on, or begin again.")
    if there and not (resume or force):
        raise CheckpointError(
            f"{unfinished} holds an interrupted run. Add --resume to go on with it, or --force to begin again."
        )


_STANDARD = ("-", "/dev/stdout", "/dev/stderr")


def check_name(output: Path) -> None:
    """Refuse an output that is no file or folder of its own."""
    if str(output) in _STANDARD or output.is_relative_to("/dev/fd"):
        raise ValueError(f"output must be a file or a folder, got {output}: nothing is written to standard output.")
    if not output.name:
        raise ValueError(f"output must end in a name of its own, got {str(output)!r}.")


def check_output(path: Path, *, force: bool, read: Iterable[str | Path] = ()) -> None:
    """Refuse to write over anything unless told to, and over what is to be read; the writer judges what else stays."""
    check_name(path)
    there = os.path.lexists(path) or path.resolve().exists()
    for source in read:
        if there and os.path.lexists(source) and path.resolve().is_relative_to(Path(source).resolve()):
            where = "what is" if path.is_dir() or Path(source).is_file() else f"in {source}, which is"
            raise OutputError(f"{path} is {where} to be read. Choose another name.")
    if force or not there or (path.is_dir() and not any(path.iterdir())):
        return
    raise OutputError(f"{path} exists. Add --force to replace it, or choose another name.")
