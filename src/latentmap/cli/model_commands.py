"""Commands that use a model: encode, decode, evaluate, export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentmap.cli.bar import Bar, answer, answer_table, note, starting
from latentmap.cli.options import (
    Address,
    DataDir,
    Force,
    Limit,
    Memory,
    Missing,
    Model,
    Refine,
    Shown,
    SkipBad,
    Source,
    Workers,
    check_address,
    check_name,
    check_output,
    load_both,
    load_model,
    output_option,
    tell_split,
)
from latentmap.errors import count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from latentmap.checks import Refining
    from latentmap.data import Dataset
    from latentmap.data.codes import Piece
    from latentmap.estimator import Autoencoder

_FILE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".csv", ".parquet", ".npz", ".zip"}
_PIECE = 8192  # samples encoded between two writes

CodesOutput = Annotated[
    str,
    output_option(
        "A file ending in .npy, .csv or .parquet; or a folder or s3:// address, for a source of any size: its "
        "codes are written as Parquet files, and a run that was interrupted goes on where it stopped."
    ),
]


def encode(
    model: Model,
    source: Source,
    output: CodesOutput,
    split: Shown = "all",
    refine: Refine = None,
    errors: Annotated[
        bool,
        typer.Option(
            "--errors",
            help="Also write each sample's mean squared error, as evaluate counts it: the strangest have most.",
        ),
    ] = False,
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="In CSV put ' before names that a spreadsheet would take for formulas."),
    ] = False,
    missing: Missing = None,
    limit: Limit = None,
    memory: Memory = None,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    force: Force = False,
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Write the codes of a dataset's samples; .csv and .parquet also have each one's file, split and class.

    New images are treated as those that the model learned from: brought to the same size and channels. Data without
    splits of its own is encoded as a whole and in order, unless one split is asked for.

    Example: **latentmap encode models/mnist mnist -o codes.csv --split test**

    Many files, by two processes: **latentmap encode models/mnist 's3://bucket/*.parquet' -o codes --workers 2**
    """
    check_address(workers, address)
    from latentmap.data.codes import check_suffix, write_codes
    from latentmap.data.storage import is_address

    file = Path(output)
    if not is_address(output):
        check_name(file)
    if is_address(output) or not file.suffix or file.is_dir():
        _check_parts(
            output, split=None if split == "all" else split, spreadsheet=spreadsheet, missing=missing, limit=limit,
            errors=errors, memory=memory, data_dir=data_dir,
        )  # fmt: skip
        _encode_parts(
            model, source, output, refine=refine, skip_bad=skip_bad, force=force, workers=workers, address=address
        )
        answer(output)
        return
    if workers is not None:
        raise ValueError(f"output must be a folder or an address with --workers, got {output}. Leave out the ending.")
    check_suffix(file)
    if errors and file.suffix == ".npy":
        raise ValueError(f"output must end in .csv or .parquet to have --errors, got {file.name}.")
    check_output(file, force=force, read=[source])
    fraction = {"test_fraction": 0.0} if split == "all" else {}
    autoencoder, dataset = load_both(
        model, source, refine=refine, missing=missing, limit=limit, memory=memory, skip_bad=skip_bad,
        data_dir=data_dir, **fraction,
    )  # fmt: skip
    wanted = ("train", "test") if split == "all" else (split,)
    shape = (sum(len(getattr(dataset, name)) for name in wanted), autoencoder.latent_dim_)
    pieces = _pieces(autoencoder, dataset, wanted, errors=errors)
    write_codes(file, pieces, shape, for_spreadsheet=spreadsheet, replace=force)
    answer(output)


def _check_parts(output: str, **of_files: Any) -> None:
    """Refuse options that files of codes have, and folders of them don't."""
    if wrong := [name for name, value in of_files.items() if value not in (None, False)]:
        option = f"--{wrong[0].replace('_', '-')}"
        raise ValueError(f"{option} goes with a file of codes, and {output} is a folder. Leave it out.")


def _encode_parts(
    model: Path,
    source: str,
    output: str,
    *,
    refine: Refining | None,
    skip_bad: bool,
    force: bool,
    workers: int | None,
    address: str | None,
) -> None:
    """Write the codes of images or Parquet files part by part, by several workers where they are asked for."""
    starting()
    from latentmap.data.builtin import BUILTIN_NAMES
    from latentmap.data.source import ReadOptions
    from latentmap.distributed import cluster, encoding

    if source in BUILTIN_NAMES or source.startswith("hf://"):
        raise ValueError(
            f"{source} is no folder, pattern or address of images or Parquet files. Write its codes to a file."
        )
    autoencoder, reading = load_model(model, refine)
    options = ReadOptions(reading=reading, test_fraction=0)
    bar = Bar("encoding", 0.0)

    def show(done: int, n: int, n_unreadable: int) -> None:
        bad = f", {n_unreadable:,} unreadable" if n_unreadable else ""
        bar.update(done / n, f"{done:,} of {n:,}{bad}")

    run: encoding.Run = map if workers is None else partial(cluster.map_over, workers, address)
    n, n_unreadable = encoding.encode_parts(autoencoder, options, source, output, run=run, force=force, on_part=show)
    if said := encoding.check_unreadable(n, n_unreadable, output, skip_bad=skip_bad):
        note(f"warning: {said}")


def _pieces(autoencoder: Autoencoder, dataset: Dataset, splits: tuple[str, ...], *, errors: bool) -> Iterator[Piece]:
    """Codes of some splits, with the split and class of each, and its error where that is asked for."""
    import numpy as np

    from latentmap.analysis import reconstruction_errors
    from latentmap.data.dates import are_days, dates_of, in_words

    bar, n = Bar("encoding", 0.0), sum(len(getattr(dataset, name)) for name in splits)
    done = 0
    values = {name: getattr(dataset, name).values for name in splits}
    values = {name: one for name, one in values.items() if one is not None}
    if values and are_days(np.concatenate([*values.values()])):
        values = {name: in_words(dates_of(one)) for name, one in values.items()}
    for name in splits:
        samples = getattr(dataset, name)
        for start in range(0, len(samples), _PIECE):
            rows = slice(start, start + _PIECE)
            bar.update(done / n, f"{done:,} of {n:,}")
            done += len(samples.X[rows])
            Z = autoencoder.transform(samples.X[rows])
            described: dict[str, Any] = {} if dataset.split == "none" else {"split": [name] * len(Z)}
            if samples.names is not None:
                described["file" if dataset.is_images else "row"] = list(samples.names[rows])
            elif samples.rows is not None and not np.array_equal(samples.rows, np.arange(n)):  # else a line is a row
                described["row"] = samples.rows[rows]
            if dataset.class_names is not None:  # of one split they may be hidden, and a table has one width
                labels = [None] * len(Z) if samples.labels is None else samples.labels[rows]
                described["class"] = ["" if label is None else dataset.class_names[label] for label in labels]
            if name in values:
                taken = dataset.values_name in {*described, "error"}
                described["value" if taken else dataset.values_name] = values[name][rows]
            if errors:
                described["error"] = reconstruction_errors(autoencoder, samples.X[rows], Z, unit=dataset.unit)
            yield Z, described


def decode(
    model: Model,
    codes: Annotated[
        Path, typer.Argument(metavar="CODES", help="A file or folder that encode wrote, or one like it.")
    ],
    output: Annotated[
        Path,
        output_option("A folder for one PNG per code, or a file ending in .npy; of vectors also .csv or .parquet."),
    ],
    force: Force = False,
) -> None:
    """Write the images, or the rows of a table, that codes stand for.

    Example: **latentmap decode models/mnist codes.npy -o images**
    """
    from latentmap.data.codes import read_codes
    from latentmap.estimator import Autoencoder

    check_output(output, force=force, read=[codes])
    autoencoder = Autoencoder.load(model)
    is_images = autoencoder.preprocessing_.is_images
    if not is_images:
        check_of_vectors(output)
    elif output.suffix.lower() in _FILE_SUFFIXES and not output.is_dir():
        raise ValueError(f"output must be a folder, or end in .npy, got {output.name}: images are files in a folder.")
    Bar("decoding")
    X_hat = autoencoder.inverse_transform(read_codes(codes, autoencoder.latent_dim_))
    if not is_images or output.suffix == ".npy":
        write_samples(output, X_hat, autoencoder, replace=force)
    else:
        from latentmap import report

        report.write_images(output, X_hat, autoencoder.preprocessing_, _range_of_files(autoencoder))
    answer(output)


def check_of_vectors(output: Path) -> None:
    """Refuse a name that vectors cannot be written to."""
    from latentmap.data.codes import SUFFIXES

    if output.suffix not in SUFFIXES:
        raise ValueError(f"output must end in {', '.join(SUFFIXES)}, for this model draws vectors; got {output.name}.")


def write_samples(output: Path, X: NDArray[Any], autoencoder: Autoencoder, *, replace: bool) -> None:
    """Write samples as an array, in the units of what was read; vectors also as a table with its columns' names."""
    from latentmap.data.codes import write_codes
    from latentmap.data.objects import names_of_fit

    if X.dtype.kind == "f" and X.ndim > 2 and (known := _range_of_files(autoencoder)):
        low, high = known
        X = X * X.dtype.type(high - low) + X.dtype.type(low)
    names = names_of_fit(autoencoder) or [f"x{i}" for i in range(X.shape[1])]
    write_codes(output, [(X, {})], X.shape, names=names, replace=replace)


def _range_of_files(autoencoder: Autoencoder) -> tuple[float, float] | None:
    """What black and white were in what was read, where a model says so."""
    reading = autoencoder.metadata_.get("reading") or {}
    low, high = reading.get("low"), reading.get("high")
    return None if low is None or high is None else (low, high)


def evaluate(
    context: typer.Context,
    model: Model,
    source: Source,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    runtime: Annotated[
        Literal["torch", "onnx"], typer.Option("--runtime", help="What runs the model; onnx exports it first.")
    ] = "torch",
    split: Shown = "test",
    refine: Refine = None,
    missing: Missing = None,
    limit: Limit = None,
    memory: Memory = None,
    data_dir: DataDir = None,
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Measure a model on the test split, or with --split all on every sample, beside PCA with as many numbers.

    Example: **latentmap evaluate models/mnist mnist**
    """
    starting()
    check_address(workers, address)
    if workers is not None and runtime != "torch":
        raise ValueError(f"--runtime must be torch with --workers, got {runtime}. Leave out one of them.")
    from latentmap import analysis
    from latentmap.analysis.neighbours import remarks_on_accuracy

    autoencoder, dataset = load_both(
        model, source, split=split, refine=refine, missing=missing, limit=limit, memory=memory, data_dir=data_dir
    )
    strange = tell_split({model.name: autoencoder}, dataset, limited=limit is not None)
    if runtime != "torch" and autoencoder.refine not in ("auto", 0):
        raise ValueError(f"--refine must be auto or 0 with --runtime {runtime}, which takes no steps.")
    ranks = analysis.OriginalRanks(dataset.test.X, unit=dataset.unit)
    rows = {autoencoder.model_: _run_by(autoencoder, runtime)}
    if workers is not None:
        from latentmap.distributed.cluster import Spread, cluster

        Bar(f"starting {count(workers, 'worker')}")
        rows[autoencoder.model_] = Spread(context.with_resource(cluster(workers, address)), autoencoder, workers)
    Bar("measuring")
    rows |= _pca_beside(autoencoder, dataset, of_rest=bool(strange))
    results = {}
    for name, transformer in rows.items():
        found = analysis.evaluate(transformer, dataset, ranks=ranks)
        results[name] = found.scores
        if autoencoder.prior_is_normal_:
            results[name]["active_units"] = analysis.active_units(found.Z_test) if name == autoencoder.model_ else None
    for remark in remarks_on_accuracy(results[autoencoder.model_]["knn_accuracy"], dataset):
        note(remark)
    if as_json:
        answer(json.dumps(results, indent=2))
        return
    heads = ["model", *results[autoencoder.model_]]
    answer_table(heads, [[name, *row.values()] for name, row in results.items()])


def _pca_beside(autoencoder: Autoencoder, dataset: Dataset, *, of_rest: bool) -> dict[str, Any]:
    """PCA of as many numbers by its name, where there is one; what the user should know of it is said."""
    from latentmap.analysis.baselines import PcaBaseline, most_components

    size, most = autoencoder.latent_dim_, most_components(dataset.train.X)
    if size > most:
        note(f"PCA has {count(most, 'number')} at most here: it is no match for {size:,}.")
        return {}
    if dataset.is_one:
        note("PCA is fitted to the samples that it is measured on.")
    elif of_rest:
        note(f"PCA is fitted to the other {len(dataset.train):,} samples of this data, and nearest codes are theirs.")
    return {f"pca-{size}": PcaBaseline(size).fit(dataset.train.X)}


def _run_by(autoencoder: Autoencoder, runtime: str) -> Any:
    """The model as PyTorch runs it, or exported and run by onnxruntime."""
    if runtime == "torch":
        return autoencoder
    import tempfile

    from latentmap.models.onnx import OnnxAutoencoder

    with tempfile.TemporaryDirectory() as folder:
        autoencoder.export_onnx(folder)
        return OnnxAutoencoder(folder)


def export(
    model: Model,
    output: Annotated[Path, output_option("The folder to write.")],
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
