"""``latentmap data``: what datasets are at hand, and fetching one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentmap.cli.bar import DataBar, answer
from latentmap.cli.options import DataDir


def data(
    name: Annotated[
        str | None, typer.Argument(help="The dataset to fetch and check.", show_default="list them all")
    ] = None,
    data_dir: DataDir = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove what data larger than the memory left in the cache.")
    ] = False,
) -> None:
    """List the built-in datasets and where they are, or fetch one into the cache.

    Example: **latentmap data fashion_mnist**
    """
    from latentmap.data.cache import cache_dir, clear_stores, stores_size

    if clear:
        answer(f"{cache_dir()}: {clear_stores() / 2**20:,.1f} MiB freed")
        return
    from latentmap.data import BUILTIN_NAMES
    from latentmap.data.builtin import IDX_DATASETS, find_folder

    if name is not None:
        _fetch(name, data_dir)
        return
    lines = []
    for builtin in BUILTIN_NAMES:
        if builtin == "digits":
            where, title = "comes with scikit-learn", "handwritten digits, 8x8 (UCI)"
        else:
            folder = find_folder(builtin, data_dir)
            where = str(folder) if folder else f"not here yet; fetch it with: latentmap data {builtin}"
            title = IDX_DATASETS[builtin].title
        lines.append(f"{builtin:15}{title:44}{where}")
    if size := stores_size():
        lines.append(f"decoded data in {cache_dir()}: {size / 2**20:,.1f} MiB; remove it with: latentmap data --clear")
    answer("\n".join(lines))


def _fetch(name: str, data_dir: Path | None) -> None:
    """Load a dataset once, which finds, fetches and checks it, and say what it holds."""
    from latentmap.data import load_dataset
    from latentmap.data.builtin import IDX_DATASETS, find_folder

    dataset = load_dataset(name, size=None, data_dir=data_dir, progress=DataBar(name))
    folder = find_folder(name, data_dir) if name in IDX_DATASETS else "scikit-learn"
    shape = "x".join(str(size) for size in dataset.sample_shape)
    classes = len(dataset.class_names or ())
    answer(
        f"{name}: {len(dataset.train):,} training and {len(dataset.test):,} test images, {shape}, {classes} classes, "
        f"in {folder}"
    )
