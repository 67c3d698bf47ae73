"""Commands that use a model: encode, decode, generate, interpolate, evaluate, info, export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import Bar, answer, answer_table, note, starting
from latentmap.cli.options import (
    DataDir,
    Force,
    Limit,
    Memory,
    Seed,
    SkipBad,
    Source,
    check_output,
    read_source,
)
from latentmap.errors import printable

if TYPE_CHECKING:
    from latentmap import report
    from latentmap.data import Dataset
    from latentmap.data.codes import Piece
    from latentmap.estimator import Autoencoder

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder that fit or report wrote.")]
Part = Annotated[
    Literal["all", "train", "test"],
    typer.Option("--split", help="Which samples: those learned from, those kept for testing, or both in turn."),
]

FromClass = Annotated[
    str | None, typer.Option("--from-class", metavar="CLASS", help="The class to begin at: its name, or number.")
]
ToClass = Annotated[str | None, typer.Option("--to-class", metavar="CLASS", help="The class to end at.")]

_PIECE = 8192  # samples encoded between two writes
_MANY = 16  # numbers of a code, for a mixture fitted to 5,000 codes


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (encode, decode, generate, interpolate, evaluate, info, export):
        app.command(command.__name__)(command)


def encode(
    model: Model,
    source: Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="A file ending in .npy, .csv or .parquet.")],
    split: Part = "all",
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="In CSV put ' before names that a spreadsheet would take for formulas."),
    ] = False,
    limit: Limit = None,
    memory: Memory = None,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Write the codes of a dataset's samples; .csv and .parquet also have each one's file, split and class.

    New images are treated as those that the model learned from: brought to the same size and channels. Data without
    splits of its own is encoded as a whole and in order, unless one split is asked for.

    Example: **latentmap encode models/mnist mnist -o codes.csv --split test**
    """
    from latentmap.data.codes import check_suffix, write_codes

    check_suffix(output)
    check_output(output, force=force)
    fraction = {"test_fraction": 0.0} if split == "all" else {}
    autoencoder, dataset = _load(
        model, source, limit=limit, memory=memory, skip_bad=skip_bad, data_dir=data_dir, **fraction
    )
    wanted = ("train", "test") if split == "all" else (split,)
    n = sum(len(getattr(dataset, name)) for name in wanted)
    write_codes(output, _pieces(autoencoder, dataset, wanted), n, autoencoder.latent_dim_, for_spreadsheet=spreadsheet)
    answer(output)


def _pieces(autoencoder: Autoencoder, dataset: Dataset, splits: tuple[str, ...]) -> Iterator[Piece]:
    """Codes of some splits, with the split and class of each."""
    bar, n = Bar("encoding", 0.0), sum(len(getattr(dataset, name)) for name in splits)
    done = 0
    for name in splits:
        samples = getattr(dataset, name)
        for start in range(0, len(samples), _PIECE):
            rows = slice(start, start + _PIECE)
            bar.update(done / n, f"{done:,} of {n:,}")
            done += len(samples.X[rows])
            Z = autoencoder.transform(samples.X[rows])
            described = {} if dataset.split == "none" else {"split": [name] * len(Z)}
            if samples.names is not None:
                described["file" if dataset.is_images else "row"] = list(samples.names[rows])
            if dataset.class_names is not None:  # of one split they may be hidden, and a table has one width
                labels = [None] * len(Z) if samples.labels is None else samples.labels[rows]
                described["class"] = ["" if label is None else dataset.class_names[label] for label in labels]
            yield Z, described


def decode(
    model: Model,
    codes: Annotated[Path, typer.Argument(metavar="CODES", help="A file that encode wrote, or one like it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder for one PNG per code, or a file ending in .npy.")
    ],
    force: Force = False,
) -> None:
    """Write the images that codes stand for.

    Example: **latentmap decode models/mnist codes.npy -o images**
    """
    import numpy as np

    from latentmap.data.codes import read_codes
    from latentmap.estimator import Autoencoder
    from latentmap.files import new_file

    check_output(output, force=force)
    autoencoder = Autoencoder.load(model)
    Bar("decoding")
    X_hat = autoencoder.inverse_transform(read_codes(codes, autoencoder.latent_dim_))
    if output.suffix == ".npy":
        with new_file(output) as temporary:
            np.save(temporary, X_hat)
    else:
        from latentmap import report

        report.write_images(output, X_hat, autoencoder.preprocessing_)
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
        typer.Option("--output", "-o", help="The picture to write: .png, .svg or .pdf; with --samples also .npy."),
    ],
    samples: Annotated[
        int | None, typer.Option("--samples", help="Draw so many new samples instead, from random codes.", min=1)
    ] = None,
    seed: Seed = 0,
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
    from latentmap import analysis, report

    check_output(output, force=force)
    if samples is not None:
        _generate_samples(model, samples, seed, output)
        answer(output)
        return
    if source is None:
        raise ValueError("SOURCE must be given, or --samples: a class's picture needs its data.")
    autoencoder, dataset = _load(model, source, limit=limit, data_dir=data_dir)
    Bar("drawing")
    train = dataset.train
    medians = analysis.class_medians(
        autoencoder.transform(train.X), train.labels, class_names=dataset.class_names, seed=autoencoder.seed_
    )
    result = analysis.generate(autoencoder.model, autoencoder, medians, train.X, train.labels, dataset.class_names)
    figure = report.generated([result]) if dataset.is_images else report.vector_table([result], _features(dataset))
    report.write_figure(figure, output)
    answer(output)


def _generate_samples(model: Path, n: int, seed: int, output: Path) -> None:
    """Write new samples, as a picture or as numbers."""
    import numpy as np

    from latentmap import report
    from latentmap.estimator import Autoencoder
    from latentmap.files import new_file

    autoencoder = Autoencoder.load(model)
    preprocessing = autoencoder.preprocessing_
    variational = autoencoder.objective == "variational"
    if not variational and autoencoder.latent_dim_ > _MANY:
        note(
            f"codes of {autoencoder.latent_dim_} numbers are more than a mixture of normal distributions describes "
            "well: samples may resemble nothing. Those of fit --objective variational --latent-dim 8 are better."
        )
    if output.suffix == ".npy":
        drawn = autoencoder.sample(n, random_state=seed)
        with new_file(output) as temporary:
            np.save(temporary, drawn)
        return
    if not preprocessing.is_images:
        raise ValueError(f"output must end in .npy, for samples of this model are vectors, got {output.name}.")
    drawn = autoencoder.sample(n, random_state=seed)
    images = (drawn.reshape(n, *drawn.shape[1:3], -1) - preprocessing.offset) / preprocessing.scale
    detail = "decoded from codes drawn from " + ("the prior" if variational else "a Gaussian mixture of codes")
    report.write_figure(
        report.sample_sheet(images, 1.0, detail=f"{detail} · {autoencoder.model}, seed {seed}"), output
    )


def interpolate(
    model: Model,
    source: Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture to write: .png, .svg or .pdf.")],
    from_class: FromClass = None,
    to_class: ToClass = None,
    start: Annotated[
        int | None, typer.Option("--from", help="Or the number of a test image, from 0: not its class.")
    ] = None,
    end: Annotated[int | None, typer.Option("--to", help="Or the number of a test image, from 0.")] = None,
    steps: Annotated[int, typer.Option("--steps", help="Images in the walk, both ends included.", min=2)] = 9,
    limit: Limit = None,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Draw the walk from the code of one test image to that of another, above the plain blend of their pixels.

    Of a class the test image nearest to the median of the class's codes is taken.

    Example: **latentmap interpolate models/mnist mnist --from-class 3 --to-class 7 -o walk.png**
    """
    check_output(output, force=force)
    ends = (("--from", start, from_class), ("--to", end, to_class))
    for option, number, name in ends:
        if number is not None and name is not None:
            raise ValueError(f"{option}-class and {option} exclude each other: give one of them, not both.")
        if number is None and name is None:
            raise ValueError(f"either {option}-class or {option} must be given.")
    starting()
    import numpy as np

    from latentmap import analysis, report

    autoencoder, dataset = _load(model, source, limit=limit, data_dir=data_dir)
    test = dataset.test
    start, end = (_find_sample(autoencoder, dataset, *one) for one in ends)
    note(f"from {_name_sample(dataset, start)} to {_name_sample(dataset, end)}.")
    walk = analysis.interpolate(
        {autoencoder.model: autoencoder},
        test.X,
        np.array([[start, end]]),
        n_steps=steps,
        labels=test.labels,
        class_names=dataset.class_names,
    )
    if dataset.is_images:
        figure = report.interpolation(walk)
    else:
        train = dataset.train
        walk = analysis.name_nearest(walk, train.X, train.labels, dataset.class_names)
        figure = report.vector_walks(walk, _features(dataset))
    report.write_figure(figure, output)
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
    label = names.index(name) if name in names else int(name) if name and name.isdecimal() else len(names)
    rows = np.flatnonzero(test.labels == label)
    if len(rows) == 0:
        some = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        raise ValueError(f"{option}-class must be a class that the test split has ({some}), got {name!r}.")
    Z = autoencoder.transform(test.X[rows])
    return int(rows[np.square(Z - np.median(Z, axis=0)).sum(axis=1).argmin()])


def _name_sample(dataset: Dataset, row: int) -> str:
    """What to call a test sample: its number and, where they are known, class and file."""
    test, names = dataset.test, dataset.class_names
    known = [f"class {names[test.labels[row]]}"] if test.labels is not None and names else []
    known += [str(test.names[row])] if test.names is not None else []
    return f"test sample {row}" + (f" ({', '.join(known)})" if known else "")


def evaluate(
    model: Model,
    source: Source,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    runtime: Annotated[
        Literal["torch", "onnx"], typer.Option("--runtime", help="What runs the model; onnx exports it first.")
    ] = "torch",
    limit: Limit = None,
    memory: Memory = None,
    data_dir: DataDir = None,
) -> None:
    """Measure a model on the test split, beside PCA with as many numbers.

    Example: **latentmap evaluate models/mnist mnist**
    """
    starting()
    from latentmap import analysis

    autoencoder, dataset = _load(model, source, limit=limit, memory=memory, data_dir=data_dir)
    ranks = analysis.OriginalRanks(dataset.test.X, unit=dataset.unit)
    most = min(len(dataset.train), autoencoder.n_features_in_)
    rows = {autoencoder.model: _run_by(autoencoder, runtime)}
    Bar("measuring on the test split")
    if autoencoder.latent_dim_ <= most:
        pca = analysis.PcaBaseline(autoencoder.latent_dim_).fit(dataset.train.X)
        rows[f"pca-{autoencoder.latent_dim_}"] = pca
    results = {}
    for name, transformer in rows.items():
        found = analysis.evaluate(transformer, dataset, ranks=ranks)
        results[name] = {
            "latent_dim": found.latent_dim,
            "test_mse": found.test_mse,
            "knn_accuracy": found.knn_accuracy,
            "trustworthiness": found.trustworthiness,
        }
        if autoencoder.objective == "variational":
            results[name]["active_units"] = analysis.active_units(found.Z_test) if name == autoencoder.model else None
    if dataset.test.labels is not None and (remark := analysis.small_classes(dataset.train.labels)):
        note(remark)
    if as_json:
        answer(json.dumps(results, indent=2))
        return
    heads = ["model", *results[autoencoder.model]]
    answer_table(heads, [[name, *row.values()] for name, row in results.items()])


def _features(dataset: Dataset) -> report.Features:
    """What is known of the features of vectors."""
    from latentmap import report

    return report.Features.of(dataset.train.X, dataset.reading.columns if dataset.reading else None)


def _run_by(autoencoder: Autoencoder, runtime: str) -> Any:
    """The model as PyTorch runs it, or exported and run by onnxruntime."""
    if runtime == "torch":
        return autoencoder
    import tempfile

    from latentmap.models.onnx import OnnxAutoencoder

    with tempfile.TemporaryDirectory() as folder:
        autoencoder.export_onnx(folder)
        return OnnxAutoencoder(folder)


def info(model: Model, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what a model is and how it was learned.

    Example: **latentmap info models/mnist**
    """
    starting()
    from latentmap.estimator import Autoencoder

    autoencoder = Autoencoder.load(model)
    facts = autoencoder.describe()
    if 0 < autoencoder.best_epoch_ <= len(autoencoder.history_):
        facts["validation_loss"] = autoencoder.history_[autoencoder.best_epoch_ - 1].get("valid_loss")
    if as_json:
        answer(json.dumps(facts, indent=2))
        return
    answer("\n".join(f"{name:18}{_readable(value)}" for name, value in facts.items()))


def _readable(value: Any) -> str:
    """A value without brackets and quotes."""
    if isinstance(value, dict):
        return ", ".join(f"{_readable(name)} {_readable(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_readable, value))
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def export(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
    force: Force = False,
) -> None:
    """Write encoder.onnx and decoder.onnx, which run without PyTorch, and check them against it.

    Example: **latentmap export models/mnist -o onnx**
    """
    Bar("exporting")
    from latentmap.estimator import Autoencoder

    check_output(output, force=force)
    autoencoder = Autoencoder.load(model)
    difference = autoencoder.export_onnx(output)
    shape = ", ".join(str(size) for size in autoencoder.preprocessing_.sample_shape)
    dtype = "uint8" if autoencoder.preprocessing_.is_raw else "float32"
    answer(
        f"{output}: encoder.onnx and decoder.onnx, largest difference from PyTorch {difference:.1e}. To run:\n"
        "    import onnxruntime\n"
        f"    encoder = onnxruntime.InferenceSession({str(output / 'encoder.onnx')!r})\n"
        f"    codes = encoder.run(None, {{'samples': X}})[0]  # X: {dtype}, shape (n, {shape})"
    )


def _load(model: Path, source: str, **wishes: Any) -> tuple[Autoencoder, Dataset]:
    """A model, and a dataset read as the one that the model was fitted on."""
    starting()
    from latentmap.data.reading import Reading
    from latentmap.estimator import Autoencoder

    autoencoder = Autoencoder.load(model)
    reading = autoencoder.metadata_.get("reading")
    preprocessing = autoencoder.preprocessing_
    held = "uint8" if preprocessing.is_raw else "float32"
    if isinstance(reading, dict):
        changed = reading.get("dtype", "uint8") != held or len(preprocessing.sample_shape) == 2
        if preprocessing.is_images and changed:  # in Python, before it was fitted
            reading, autoencoder.preprocessing_ = {**reading, "dtype": held}, preprocessing.of_dataset()
        return autoencoder, read_source(source, reading=reading, **wishes)
    if not preprocessing.is_images:
        return autoencoder, read_source(source, reading=Reading().to_config(), **wishes)
    # Fitted in Python: from here on the data, and so the model, is as a dataset has it.
    autoencoder.preprocessing_ = preprocessing.of_dataset()
    channels, height, width = preprocessing.tensor_shape
    made = Reading(height, width, channels)
    if not preprocessing.is_raw:
        low, high = preprocessing.pixel_range
        made = replace(made, low=low, high=high, dtype="float32")
    return autoencoder, read_source(source, reading=made.to_config(), **wishes)
