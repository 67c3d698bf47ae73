"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from latentmap.data import Dataset

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A built-in dataset: digits, mnist, fashion_mnist or kmnist.")
]
Size = Annotated[
    int | None, typer.Option("--size", help="Bring images to this height and width, 8 to 256.", show_default="32")
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", help="Use only the first N samples of each split, for a quick look.", show_default="all"),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where datasets are kept, one folder each.", show_default="$LATENTMAP_DATA"),
]
Seed = Annotated[int, typer.Option("--seed", help="Seeds everything that is random.")]


def read_source(source: str, size: int | None, limit: int | None, data_dir: Path | None) -> Dataset:
    """Load the dataset that these options name, with a progress bar where it must be downloaded."""
    from latentmap.cli.progress import DownloadBar
    from latentmap.data import load_dataset

    dataset = load_dataset(source, size="auto" if size is None else size, data_dir=data_dir, progress=DownloadBar())
    return dataset if limit is None else dataset.limit(limit)
