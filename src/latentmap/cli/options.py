"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import DataBar, note
from latentmap.errors import OutputError

if TYPE_CHECKING:
    from latentmap.data import Dataset

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="digits, mnist, fashion_mnist or kmnist; or the path of a folder of images, or of a .npy, .npz, "
        ".parquet, .csv or IDX file; or hf://owner/name.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="N|HxW",
        help="Bring images to this height and width, 8 to 256.",
        show_default="32 for built-in data, else their own",
    ),
]
Fit = Annotated[
    Literal["crop", "pad", "stretch"],
    typer.Option(
        "--fit", help="How images of another shape come to that size: their middle, with borders, distorted."
    ),
]
Color = Annotated[
    bool | None,
    typer.Option("--color/--gray", help="Read images in colour, or in grey.", show_default="as they are"),
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="The column of a table that names the class.")
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,...",
        help="The columns of a table that are features, by name or by a pattern such as 'pixel*'.",
        show_default="all of numbers, but for those that number the rows",
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line of a CSV file names the columns.",
        show_default="where it differs from those below",
    ),
]
Missing = Annotated[
    Literal["drop", "mean"] | None,
    typer.Option(
        "--missing",
        help="Where numbers are missing: leave out the row, or put in the feature's mean.",
        show_default="refuse",
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
Objective = Annotated[
    str,
    typer.Option(
        "--objective", help="What training makes small: reconstruction, neighbors, denoising or variational."
    ),
]
ObjectiveParams = Annotated[
    list[str] | None,
    typer.Option(
        "--objective-param",
        metavar="NAME=NUMBER",
        help="A setting of the objective, such as weight=3 or beta=4; may be given several times.",
        show_default="see docs/objectives.md",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seeds everything that is random.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier run wrote there.")]


def read_source(source: str, **wishes: Any) -> Dataset:
    """Load the dataset that these options name; say what the user should know of it.

    Parameters
    ----------
    source : str
        As the user named it.
    **wishes
        What `latentmap.load_dataset` takes; a size and columns as the user wrote them.

    Returns
    -------
    Dataset
    """
    from latentmap.data import load_dataset
    from latentmap.data.reading import parse_size

    size, columns = wishes.pop("size", None), wishes.pop("columns", None)
    if size is not None:
        wishes["size"] = parse_size(size)
    if columns is not None:
        wishes["columns"] = next(csv.reader([columns], skipinitialspace=True), [])
    dataset = load_dataset(source, progress=DataBar(source), **wishes)
    for words in dataset.notes:
        note(words)
    return dataset


def read_params(given: list[str] | None) -> dict[str, float] | None:
    """Return NAME=NUMBER words as a dict, None where there are none.

    Raises
    ------
    ValueError
        If a word is not of that form.
    """
    params: dict[str, float] = {}
    for word in given or ():
        name, _, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"--objective-param must be NAME=NUMBER, got {word!r}.") from None
        params[name.strip()] = int(number) if number.is_integer() else number
    return params or None


def check_name(output: Path) -> None:
    """Refuse an output that is no file or folder of its own."""
    if not output.name:
        raise ValueError(f"output must end in a name of its own, got {str(output)!r}.")


def check_output(path: Path, *, force: bool) -> None:
    """Refuse to write over anything unless told to; what to replace is then for the writer to judge.

    Parameters
    ----------
    path : Path
        The file or folder to be written.
    force : bool
        Whether the user said ``--force``.

    Raises
    ------
    OutputError
        If there is something, other than an empty folder.
    """
    check_name(path)
    if force or not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
        return
    raise OutputError(f"{path} exists. Add --force to replace it, or choose another name.")
