"""Commands that show what models made of data: draw, generate and interpolate write pictures, explore a page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latentmap.cli.bar import Bar, answer, note, starting
from latentmap.cli.options import (
    DataDir,
    Dpi,
    Force,
    Limit,
    Model,
    Seed,
    Shown,
    Source,
    check_output,
    load_both,
    load_models,
    output_option,
    tell_split,
)

if TYPE_CHECKING:
    from typing import Any

    from latentmap.data import Dataset
    from latentmap.estimator import Autoencoder

_MANY = 16  # numbers of a code, for a mixture fitted to 5,000 codes


def draw(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="MODEL... SOURCE", help="Model folders, and the data whose samples to draw."),
    ],
    output: Annotated[Path, output_option("The picture to write: .png, .svg or .pdf.")],
    kind: Annotated[
        Literal[
            "map",
            "reconstructions",
            "latent_grid",
            "medians",
            "interpolation",
            "strangest",
            "tsne",
            "compare",
            "network",
            "growth",
            "history",
        ],
        typer.Option(
            "--kind",
            help="What to draw: the map of codes of 2 numbers; what comes back; the decoder's drawing all over the "
            "plane; the median code of each class; walks between samples; the samples of largest error; codes of "
            "more numbers by t-SNE; maps beside each other; the layers; codes of more and more numbers; "
            "the loss per epoch.",
        ),
    ] = "map",
    pca: Annotated[bool, typer.Option("--pca", help="Set PCA of as many numbers beside the first model.")] = False,
    split: Shown = "test",
    dpi: Dpi = 160,
    limit: Limit = None,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Draw what trained models made of data, as one picture.

    Several models, or one and PCA, stand beside each other as maps, reconstructions, medians, walks and histories.

    Example: **latentmap draw models/mnist mnist -o map.png**

    Example: **latentmap draw models/mnist mnist -o compare.svg --kind compare --pca**
    """
    starting()
    from latentmap.report.output import check_picture

    paths, source = _models_and_source(sources)
    check_picture(output)
    check_output(output, force=force, read=sources)
    models, dataset = load_models(paths, source, split=split, limit=limit, data_dir=data_dir)
    if kind not in ("history", "network", "growth"):  # which show no test samples, or not only
        tell_split(models, dataset, limited=limit is not None)
    Bar("drawing")
    from latentmap import plot
    from latentmap.analysis import PcaBaseline
    from latentmap.report import write_figure

    shown: dict[str, Any] = {f"{name} ({model.latent_dim_})": model for name, model in models.items()}
    if pca:
        size = next(iter(models.values())).latent_dim_
        shown[f"PCA ({size})"] = PcaBaseline(size).fit(dataset.train.X)
    if kind == "map" and len(shown) > 1:
        kind = "compare"
    figure: Any = plot.growth(dataset) if kind == "growth" else getattr(plot, kind)(shown, dataset)
    write_figure(figure, output, dpi=dpi)
    if kind == "strangest" and dataset.test.names is not None:  # of files, for which the picture has no room
        note(f"the largest errors first: {', '.join(map(dataset.test.source, figure.shown.rows))}.")
    answer(output)


def generate(
    model: Model,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[SOURCE]", help="The data whose classes to draw; not needed with --samples."),
    ] = None,
    *,
    output: Annotated[
        Path,
        output_option(
            "The picture to write: .png, .svg or .pdf; with --samples also .npy, and of vectors .csv or .parquet."
        ),
    ],
    samples: Annotated[
        int | None, typer.Option("--samples", help="Draw so many new samples instead, from random codes.", min=1)
    ] = None,
    seed: Seed = 0,
    split: Shown = "test",
    limit: Limit = None,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Draw one image (or, of vectors, one row of features) per class: the decoded median of the class's codes.

    With --samples, draw new images from random codes: from the prior of a variational model, else from a Gaussian
    mixture fitted to the training codes.

    Example: **latentmap generate models/mnist mnist -o medians.png**

    Example: **latentmap generate models/mnist --samples 64 -o samples.png**
    """
    starting()
    from latentmap.report.output import check_picture, write_figure

    check_output(output, force=force, read=filter(None, [source]))
    if samples is not None:
        _generate_samples(model, samples, seed, output, force=force)
        answer(output)
        return
    check_picture(output)
    if source is None:
        raise ValueError("SOURCE must be given, or --samples: a class's picture needs its data.")
    autoencoder, dataset = load_both(model, source, split=split, limit=limit, data_dir=data_dir)
    Bar("drawing")
    from latentmap import plot

    write_figure(plot.medians(autoencoder, dataset, seed=autoencoder.seed_), output)
    answer(output)


def _generate_samples(model: Path, n: int, seed: int, output: Path, *, force: bool) -> None:
    """Write new samples, as a picture or as numbers."""
    from latentmap import report
    from latentmap.cli.model_commands import check_of_vectors, write_samples
    from latentmap.estimator import Autoencoder

    autoencoder = Autoencoder.load(model)
    preprocessing = autoencoder.preprocessing_
    if not autoencoder.prior_is_normal_ and autoencoder.latent_dim_ > _MANY:
        note(
            f"codes of {autoencoder.latent_dim_} numbers are more than a mixture of normal distributions describes "
            "well: samples may resemble nothing. Those of fit --objective variational --latent-dim 8 are better."
        )
    if not preprocessing.is_images:
        check_of_vectors(output)
    drawn = autoencoder.sample(n, random_state=seed)
    if not preprocessing.is_images or output.suffix == ".npy":
        write_samples(output, drawn, autoencoder, replace=force)
        return
    images = (drawn.reshape(n, *drawn.shape[1:3], -1) - preprocessing.offset) / preprocessing.scale
    source = "the prior" if autoencoder.prior_is_normal_ else "a Gaussian mixture of codes"
    detail = f"decoded from codes drawn from {source} · {autoencoder.model_}, seed {seed}"
    report.write_figure(report.sample_sheet(images, 1.0, detail=detail), output)


def interpolate(
    model: Model,
    source: Source,
    output: Annotated[Path, output_option("The picture to write: .png, .svg or .pdf.")],
    from_class: Annotated[
        str | None,
        typer.Option("--from-class", metavar="CLASS", help="The class to begin at: its name, or number."),
    ] = None,
    to_class: Annotated[str | None, typer.Option("--to-class", metavar="CLASS", help="The class to end at.")] = None,
    start: Annotated[
        int | None, typer.Option("--from", help="Or the number of an image, from 0: not its class.")
    ] = None,
    end: Annotated[int | None, typer.Option("--to", help="Or the number of an image, from 0.")] = None,
    steps: Annotated[int, typer.Option("--steps", help="Images in the walk, both ends included.", min=2)] = 9,
    split: Shown = "test",
    limit: Limit = None,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Draw the walk from the code of one test image to that of another, above the plain blend of their pixels.

    Of a class the test image nearest to the median of the class's codes is taken.

    Example: **latentmap interpolate models/mnist mnist --from-class 3 --to-class 7 -o walk.png**
    """
    check_output(output, force=force, read=[source])
    ends = (("--from", start, from_class), ("--to", end, to_class))
    for option, number, name in ends:
        if number is not None and name is not None:
            raise ValueError(f"{option}-class and {option} exclude each other: give one of them, not both.")
        if number is None and name is None:
            raise ValueError(f"either {option}-class or {option} must be given.")
    starting()
    from latentmap.report.output import check_picture, write_figure

    check_picture(output)
    autoencoder, dataset = load_both(model, source, split=split, limit=limit, data_dir=data_dir)
    start, end = (_find_sample(autoencoder, dataset, *one) for one in ends)
    note(f"from {_name_sample(dataset, start)} to {_name_sample(dataset, end)}.")
    from latentmap import plot

    write_figure(plot.interpolation(autoencoder, dataset, pairs=[(start, end)], n_steps=steps), output)
    answer(output)


def _find_sample(autoencoder: Autoencoder, dataset: Dataset, option: str, number: int | None, name: str | None) -> int:
    """The test sample of that number, or the one whose code is nearest to the median code of that class."""
    import numpy as np

    test, names = dataset.test, dataset.class_names
    if number is not None:
        if not 0 <= number < len(test):
            raise ValueError(f"{option} must be from 0 to {len(test) - 1}, got {number}.")
        return number
    if test.labels is None or names is None:
        raise ValueError(f"{option}-class must be left out, for {dataset.name} has no classes. Use {option}.")
    by_number = name is not None and name.isdecimal() and not any(own.isdecimal() for own in names)
    label = names.index(name) if name in names else int(name or 0) if by_number else len(names)
    rows = np.flatnonzero(test.labels == label)
    if len(rows) == 0:
        there = [names[one] for one in np.unique(test.labels)]
        some = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
        raise ValueError(f"{option}-class must be a class that the test split has ({some}), got {name!r}.")
    Z = autoencoder.transform(test.X[rows])
    return int(rows[np.square(Z - np.median(Z, axis=0)).sum(axis=1).argmin()])


def _name_sample(dataset: Dataset, row: int) -> str:
    """What to call a test sample: its number and, where they are known, class and file."""
    test, names = dataset.test, dataset.class_names
    known = [f"class {names[test.labels[row]]}"] if test.labels is not None and names else []
    known += [str(test.names[row])] if test.names is not None else [test.called(row)] if test.rows is not None else []
    return f"{'' if dataset.is_one else 'test '}sample {row}" + (f" ({', '.join(known)})" if known else "")


def explore(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... SOURCE",
            help="Model folders, and the data to show: a built-in name, a folder of images, or a file.",
        ),
    ],
    output: Annotated[Path, output_option("The page to write, .html.")],
    limit: Annotated[
        int, typer.Option("--limit", help="Show at most so many samples, evenly chosen.", min=2)
    ] = 10_000,
    split: Shown = "test",
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Write one page in which the latent space is touched: the networks run in it, and decode under the cursor.

    It shows the test samples, or others with --split; of several models it switches between their maps. It makes no
    request.

    Example: **latentmap explore models/mnist mnist -o explorer.html**
    """
    starting()
    paths, source = _models_and_source(sources)
    if output.suffix not in (".html", ".htm"):
        raise ValueError(f"output must end in .html, got {output.name}.")
    check_output(output, force=force, read=sources)
    from latentmap.report.explorer import explore as make

    models, dataset = load_models(paths, source, split=split, data_dir=data_dir)
    tell_split(models, dataset, limited=False)
    Bar("packing")
    command = shlex.join(["latentmap", "explore", *sources, "-o", str(output)])
    make(models, dataset, limit=limit, facts={"command": command}).save(output, overwrite=force)
    answer(output)


def _models_and_source(sources: list[str]) -> tuple[list[Path], str]:
    """The model folders of a command, and the data after them."""
    *paths, source = sources
    if not paths:
        raise ValueError("MODEL... SOURCE must be at least one model folder and the data, got one. Name both.")
    return [Path(path) for path in paths], source
