"""Commands that say what there is: info, without PyTorch, which takes a second to load; and data."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from latentmap.cli.bar import DataBar, answer, starting
from latentmap.cli.options import DataDir, Model
from latentmap.errors import printable
from latentmap.files import read_folder

_FORMATS = {1, 2, 3}
_MOST_LISTED = 12  # names on a line: a table may have hundreds of columns
_NO_PARAMETERS = ("preprocessing.", "mixture.", "running_mean", "running_var", "num_batches_tracked")


def info(model: Model, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what a model is and how it was learned.

    Example: **latentmap info models/mnist**
    """
    starting()
    try:
        facts = read_folder(model, _stated)
    except Exception:  # loading it says by name what is wrong with it
        from latentmap.estimator import Autoencoder

        autoencoder = Autoencoder.load(model)
        facts = _with_loss(autoencoder.describe(), autoencoder.history_)
    if as_json:
        answer(json.dumps(facts, indent=2))
        return
    answer("\n".join(f"{name:18}{_readable(value)}" for name, value in facts.items()))


def _stated(folder: Path) -> dict[str, Any]:
    """The facts of `Autoencoder.describe`, as the files state them; any error where they may not be right."""
    from safetensors import safe_open

    from latentmap.checks import check_share, how_refined

    config = json.loads((folder / "config.json").read_text("utf-8"))
    if config["format_version"] not in _FORMATS:
        raise ValueError(config["format_version"])
    preprocessing = config["preprocessing"]
    with safe_open(folder / "model.safetensors", framework="numpy") as tensors:
        names = [name for name in sorted(tensors.keys()) if not any(part in name for part in _NO_PARAMETERS)]
        n_parameters = sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
        low, scale = (tensors.get_tensor(f"preprocessing.{name}") for name in ("offset", "scale"))
    is_images = len(preprocessing["sample_shape"]) > 1
    facts = {
        "model": config["model"],
        "latent_dim": config["architecture"]["latent_dim"],
        **preprocessing,
        **({"pixel_range": [float(low.min()), float((low + scale).max())]} if is_images else {}),
        "parameters": n_parameters,
        "objective": config["objective"],
        **(config["objective_params"] or {}),
        "seed": config["seed"],
        **how_refined(
            (config.get("parameters") or {}).get("refine", "auto"),
            check_share("twicing_gain", config.get("twicing_gain", 0.0)),
        ),
        **config["training"],
        **{f"{name}_version": version for name, version in config["versions"].items()},
        **(config["metadata"] or {}),
    }
    return _with_loss(facts, [json.loads(row) for row in (folder / "history.jsonl").read_text("utf-8").splitlines()])


def _with_loss(facts: dict[str, Any], history: list[dict[str, Any]]) -> dict[str, Any]:
    """The facts, with the validation loss of the best epoch where there was one."""
    losses = [row.get("valid_loss") for row in history if row.get("epoch") == facts.get("best_epoch")]
    return {**facts, "validation_loss": losses[-1]} if losses else facts


def _readable(value: Any) -> str:
    """A value without brackets and quotes."""
    if isinstance(value, dict):
        return ", ".join(f"{_readable(name)} {_readable(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        shown = ", ".join(map(_readable, value[:_MOST_LISTED]))
        return f"{shown} and {len(value) - _MOST_LISTED:,} more" if len(value) > _MOST_LISTED else shown
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else printable(str(value))


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
    from latentmap.data import BUILTIN_NAMES, load_dataset
    from latentmap.data.builtin import IDX_DATASETS, find_folder

    if name not in BUILTIN_NAMES and Path(name).exists():
        raise ValueError(f"name must be one of {', '.join(BUILTIN_NAMES)}, got {name}, which is here already.")
    dataset = load_dataset(name, size=None, data_dir=data_dir, progress=DataBar(name))
    folder = find_folder(name, data_dir) if name in IDX_DATASETS else "scikit-learn"
    shape = "x".join(str(size) for size in dataset.sample_shape)
    classes = len(dataset.class_names or ())
    answer(
        f"{name}: {len(dataset.train):,} training and {len(dataset.test):,} test images, {shape}, {classes} classes, "
        f"in {folder}"
    )
