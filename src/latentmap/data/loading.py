"""From what a user names to a `Dataset`: which reader reads a source, and what becomes of what it reads."""

import difflib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentmap.data.arrays import read_arrays
from latentmap.data.builtin import BUILTIN_NAMES, DEFAULT_SIZE, ProgressBar, load_digits_dataset, load_idx_dataset
from latentmap.data.cache import store
from latentmap.data.csv_files import read_csv
from latentmap.data.dataset import Dataset, Split, choose_rows, shuffled_rows
from latentmap.data.folder import Found, natural_order, read_folder, walk
from latentmap.data.images import SUFFIXES
from latentmap.data.npy_and_idx import idx_images, read_idx_file, read_idx_folder, read_npy, read_npz
from latentmap.data.objects import is_torch_dataset, read_object, read_torch_dataset
from latentmap.data.parquet_and_hub import Shard, read_hub, read_parquet
from latentmap.data.preprocessing import scale_remarks
from latentmap.data.source import (
    TEST_FRACTION,
    Fit,
    Held,
    Missing,
    Parts,
    Reading,
    ReadOptions,
    Samples,
    SourceInfo,
    memory_budget,
)
from latentmap.data.storage import Storage, cut, is_address, is_hidden, is_pattern, matching
from latentmap.errors import DatasetError, count, warn

READERS: dict[str, Callable[[Path, ReadOptions], Samples]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".idx": read_idx_file,
    ".gz": read_idx_file,
}
"""What reads a file, by its ending: a new format is one function here, and the file that it stands in."""

_HUB = "hf://"
_MOST_UNREADABLE = 0.1


def load_dataset(
    source: Any,
    *,
    labels: ArrayLike | None = None,
    size: int | tuple[int, int] | Literal["auto"] | None = "auto",
    fit: Fit = "crop",
    color: bool | None = None,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    missing: Missing | None = None,
    reading: Reading | Mapping[str, Any] | None = None,
    test_fraction: float = TEST_FRACTION,
    limit: int | None = None,
    memory: int | str | None = None,
    skip_bad: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    progress: ProgressBar | None = None,
) -> Dataset:
    """Load a dataset: by name, from files, or from what Python holds.

    Parameters
    ----------
    source : str, path, array, tensor, data frame or torch.utils.data.Dataset
        ``"digits"`` (comes with scikit-learn), ``"mnist"``, ``"fashion_mnist"`` or ``"kmnist"``; ``"hf://owner/name"``
        for the Hugging Face hub; the path of a folder of images, a ``.npy``, ``.npz``, ``.parquet``, ``.csv`` or IDX
        file, or a folder of Parquet or of IDX files; a pattern such as ``"photos/**/*.jpg"``; an address or pattern of
        object storage such as ``"s3://bucket/photos/*.parquet"`` (also ``gs://``), of images or Parquet files; or
        samples themselves, which for arrays are (n, n_features), (n, height, width) or (n, height, width, channels).
    labels : array, shape (n,), optional
        The class of each sample, where `source` is an array or a frame.
    size : int, (int, int), None or "auto"
        Height and width to bring images to, in pixels, 8 to 256. None keeps their own; so does ``"auto"``, except for
        the named datasets, which come to 32, and images of mixed sizes, which come to their median side, at most 64.
    fit : {"crop", "pad", "stretch"}, default "crop"
        How images of another shape come to that size: their middle, with black borders, or distorted.
    color : bool, optional
        Whether to read images in colour or in grey; by default as they are.
    label : str, optional
        The column of a table that names the class.
    columns : sequence of str, optional
        The columns of a table that are features: names, or patterns such as ``"pixel*"``. By default all that hold
        numbers, but for the label and those that only number the rows.
    header : bool, optional
        Whether the first line of a CSV file names the columns; by default where it differs from those below.
    missing : {"drop", "mean"}, optional
        What to do about numbers missing in vectors and tables: leave out such rows, or put in the feature's mean over
        the training split, which is kept with the model. By default they are refused.
    reading : Reading or mapping, optional
        ``dataset.reading`` of the data that a model was fitted on, to read other data alike; instead of `size`, `fit`
        and `color`.
    test_fraction : float, default 0.2
        The share kept for testing where the source has no splits of its own: drawn once and for all, of each class
        the same share, at most 10,000 samples. 0 keeps none, and everything stays in order in ``train``.
    limit : int, optional
        The most samples of each split, evenly spaced and of each class its share: for a quick look, not for figures to
        quote.
    memory : int or str, optional
        The most bytes of images to hold, such as ``"2GiB"``; by default a third of the memory. More are decoded once
        into the cache and mapped from there.
    skip_bad : bool, default False
        Whether to pass over unreadable images even where they are more than a tenth.
    data_dir : path, optional
        For named datasets: a folder with one folder per dataset (``mnist/train-images-idx3-ubyte.gz``, ...), looked
        into first, before ``$LATENTMAP_DATA`` and the cache. What is found in none of them is downloaded.
    progress : object, optional
        A progress bar as pooch takes it: ``total``, ``update(n)``, ``reset()``, ``close()``.

    Returns
    -------
    Dataset
        Images, shape (n, height, width, channels), as uint8 or, with more than 8 bits, as float32 from 0 to 1; or
        vectors as float32, shape (n, n_features), or as float64 where float32 would round away what tells them apart.

    Raises
    ------
    ValueError
        If an argument is out of range.
    DatasetError
        If there is no such source, or it is missing, damaged, or not fit to learn from.
    MissingExtraError
        If a format needs a package that is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap import load_dataset
    >>> load_dataset("digits").class_names
    ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    >>> data = load_dataset(np.random.default_rng(0).random((50, 7)))
    >>> data.train.X.shape, data.test.X.shape
    ((40, 7), (10, 7))
    """
    known = reading if isinstance(reading, Reading) or reading is None else Reading.from_config(reading)
    options = ReadOptions(
        size=size, fit=fit, color=color, label=label, columns=columns, header=header, missing=missing, reading=known,
        test_fraction=test_fraction, limit=limit, budget=memory_budget(memory), skip_bad=skip_bad, bar=progress,
    )  # fmt: skip
    if data_dir is not None and not Path(data_dir).is_dir():
        raise DatasetError(f"data_dir must be an existing folder, got {data_dir}. Create it, or leave it out.")
    if isinstance(source, str) and source in ("", _HUB):
        raise ValueError(f"source must be a name or a path, got {source!r}. Write . for the present folder.")
    if labels is not None and label is not None:
        raise ValueError("label must be left out where labels are given. Use one of both.")
    if labels is not None and isinstance(source, (str, os.PathLike)):
        raise ValueError("labels are taken with arrays and frames only; a file has its own.")
    if isinstance(source, str) and source in BUILTIN_NAMES:
        samples = _read_builtin(source, None if data_dir is None else Path(data_dir), options)
    elif isinstance(source, str) and source.startswith(_HUB):
        samples = read_hub(source.removeprefix(_HUB), options)
    elif isinstance(source, str) and (is_address(source) or is_pattern(source)):
        samples = read_files(*find_files(source), options)
    elif isinstance(source, (str, os.PathLike)):
        samples = _read_path(Path(source), options)
    elif is_torch_dataset(source):
        samples = read_torch_dataset(source, options)
    else:
        samples = read_object(source, labels, options)
    _check_asked(options, samples.info, source)
    return _assemble(samples, options)


def _check_asked(options: ReadOptions, info: SourceInfo, source: Any) -> None:
    """Refuse what is asked of tables where there is none, and of images where there are none."""
    if options.label is not None and info.reading.label is None:
        raise DatasetError(f"{info.name} has no columns, so that none can name the class. Leave out label.")
    if options.columns is not None and info.reading.columns is None:
        raise DatasetError(f"{info.name} has no columns to choose from. Leave out columns.")
    if options.missing is not None and info.reading.is_images:
        raise DatasetError(f"{info.name} holds images, in which no number is missing. Leave out missing.")
    if not info.reading.is_images:
        asked = {"size": options.size not in (None, "auto"), "color": options.color is not None}
        if wrong := next((name for name, is_asked in asked.items() if is_asked), None):
            raise DatasetError(f"{info.name} holds vectors, and {wrong} is of images. Leave it out.")
    is_csv = isinstance(source, (str, os.PathLike)) and READERS.get(Path(source).suffix.lower()) is read_csv
    if options.header is not None and not is_csv:
        raise DatasetError(f"{info.name} is no CSV file, so that it has no header. Leave out header.")


def name_of(source: str) -> str:
    """Return a short name for a source, fit for a folder: ``photos`` for ``~/data/photos``."""
    path = Path(source.removeprefix(_HUB))
    name = path.name.split(".")[0] if path.is_file() or "." in path.name else path.resolve().name
    return name or "data"


def _read_builtin(name: str, data_dir: Path | None, options: ReadOptions) -> Samples:
    """The samples of a named dataset; where there is a limit it applies first, so that a quick look is quick."""
    if options.reading is not None and not options.reading.is_images:
        raise DatasetError(f"{name} holds images, and the model was fitted on vectors.")
    if options.size == "auto":
        options = replace(options, size=DEFAULT_SIZE)
    loaded = load_digits_dataset() if name == "digits" else load_idx_dataset(name, data_dir, options.bar)
    loaded = loaded if options.limit is None else loaded.limit(options.limit)
    sides = [(split.X, split.labels) for split in (loaded.train, loaded.test)]
    return read_arrays(name, sides, options, class_names=loaded.class_names)


def _read_path(path: Path, options: ReadOptions) -> Samples:
    """The samples of a file or a folder."""
    try:
        if path.is_dir():
            if idx_images(path, "train") is not None:
                return read_idx_folder(path, options)
            return read_files(path, *walk(path), options)
        if not path.exists():
            raise DatasetError(_nothing_there(path))
        if not path.is_file():  # a pipe would be waited for without end
            raise DatasetError(f"{path} is no regular file and no folder. Write what it gives to a file first.")
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except PermissionError as error:
        raise DatasetError(f"{path} cannot be read: no permission. Check who may read it.") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if is_empty:
        raise DatasetError(f"{path} is empty.")
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and suffix not in READERS:
        return read_folder(path.parent, [(Path(path.name), path.stat())], [], options)
    read = READERS.get(suffix, read_idx_file if "-ubyte" in path.name else None)
    if read is None:
        raise DatasetError(
            f"{path} is of no kind that can be read: an image, a folder of images, or a file ending in "
            f"{', '.join(sorted(READERS))}."
        )
    return read(path, options)


def read_files(
    folder: Path | Storage, images: Sequence[Found], shards: Sequence[Shard], notes: list[str], options: ReadOptions
) -> Samples:
    """Return the samples of images, or where there are none of Parquet files, that lie below a folder."""
    if not images and shards:
        return read_parquet(folder, options, shards)
    return read_folder(folder, images, notes, options)


def find_files(source: str) -> tuple[Path | Storage, list[Found], list[Shard], list[str]]:
    """Return the images and Parquet files that a path, an address or a pattern stands for; see `walk`."""
    if is_address(source):
        where, found = matching(source) if is_pattern(source) else (Storage(source), Storage(source).files())
        images: list[Found] = [(path, file) for path, file in found if path.suffix.lower() in SUFFIXES]
        images.sort(key=lambda one: natural_order(one[0].as_posix()))
        shards: list[Shard] = [file for path, file in found if path.suffix == ".parquet"]
        n_others = len(found) - len(images or shards)
        notes = [f"{count(n_others, 'file')} passed over: no images and no Parquet files."] if n_others else []
        if not images and not shards:
            raise DatasetError(
                f"{source} holds no images and no Parquet files. Of object storage these are read; copy others here."
            )
        return where, images, shards, notes
    if Path(source).is_dir():
        images, files, notes = walk(Path(source))
        return Path(source), images, [*files], notes
    if Path(source).suffix == ".parquet" and Path(source).is_file():
        return Path(source).parent, [], [Path(source)], []
    if not is_pattern(source):
        raise DatasetError(
            f"{source} is no folder and no Parquet file, of which codes go into a folder. Write those of other files "
            "to one ending in .npy, .csv or .parquet."
        )
    start, rest = cut(source)
    paths = [path for path in Path(start).glob(rest) if path.is_file() and not is_hidden(path.relative_to(start))]
    matches = sorted(paths, key=lambda path: natural_order(str(path)))
    images = [(path.relative_to(start), path.stat()) for path in matches if path.suffix.lower() in SUFFIXES]
    shards = [path for path in matches if path.suffix == ".parquet"]
    if not images and not shards:
        raise DatasetError(f"no image and no Parquet file matches {source}.")
    return Path(start), images, shards, []


def _nothing_there(path: Path) -> str:
    """Say that there is no such source, and what is nearest to it."""
    if path.is_symlink():
        return f"{path} is a link to {path.readlink()}, which is not there. Name what it should point at."
    names = {name: name for name in BUILTIN_NAMES}
    parent = path.parent
    if parent.is_dir():
        names |= {other.name: str(other) for other in parent.iterdir() if not other.name.startswith(".")}
    nearest = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    if nearest:
        return f"there is no dataset {str(path)!r}. Did you mean {names[nearest[0]]!r}?"
    if not parent.is_dir():
        return f"there is no path {str(path)!r}: {parent} is no folder."
    return f"there is no dataset {str(path)!r}. The built-in ones are {', '.join(BUILTIN_NAMES)}."


def _assemble(samples: Samples, options: ReadOptions) -> Dataset:
    """Read samples into a dataset: into memory, or the cache where they take more than may be held.

    Training samples stay in the order of the source; test samples too where the source has them in no order of class.
    """
    info = samples.info
    parts = choose_rows(info.n, info.labels, info.is_test, options, info.overlapping)
    notes = list(info.notes)
    n_bytes = sum(map(len, parts.values())) * samples.row_bytes
    # Whoever looks at the first test samples, as people do, sees all classes.
    shuffled = ("test",) if info.is_test is None or info.in_class_order else ()
    if n_bytes > options.budget and info.reading.is_images and samples.content:
        rows = "".join(hashlib.blake2b(part.data, digest_size=8).hexdigest() for part in parts.values())
        content = f"{samples.content} {info.reading} {samples.pixels}"
        key = hashlib.blake2b(f"2 {content} {rows}".encode(), digest_size=16).hexdigest()
        notes.append(f"{n_bytes / 2**30:.2g} GiB of samples are more than may be held, and are read from the cache.")
        held, unreadable = store(samples, key, parts, shuffled, notes, options.bar)
    else:
        held, unreadable = _hold(samples, parts, shuffled)
    unreadable = {row: samples.unreadable.get(row, why) for row, why in unreadable.items()}
    _judge(info, unreadable, sum(map(len, parts.values())), skip_bad=options.skip_bad)
    train, test = (_split(info, *held[name]) for name in ("train", "test"))
    if options.test_fraction:
        _check_enough(train, info.name)
    origin = "none" if info.is_test is None else "given"
    if info.is_test is None and options.test_fraction:
        origin = f"{'the last samples' if info.overlapping else 'random'}, {options.test_fraction:g} for testing"
    if info.is_test is None and options.test_fraction and info.overlapping:
        notes.append(
            f"samples are windows along a series, each sharing values with the {info.overlapping:,} after it: the "
            "last are kept for testing, and those that share values with them are left out."
        )
    if options.reading is None and not info.reading.is_images and len(train):
        notes += scale_remarks(train.X, info.reading.columns)
    measured = info.labels is not None and info.labels.dtype.kind == "f"
    reading = replace(info.reading, measured=measured or None)
    return Dataset(info.name, train, test, info.class_names, reading, tuple(notes), origin)


def _hold(samples: Samples, parts: Parts, shuffled: Sequence[str]) -> tuple[dict[str, Held], dict[int, str]]:
    """Read the samples of each part into memory."""
    unreadable: dict[int, str] = {}
    held = {}
    for name, rows in parts.items():
        whole = samples.whole() if len(rows) == samples.info.n else None
        if whole is not None:
            held[name] = np.ascontiguousarray(whole), rows  # as it is: nothing is copied
            continue
        X = np.empty((len(rows), *samples.sample_shape), samples.dtype)
        kept = rows.copy()
        n_read = 0
        for there, piece, others in samples.read(rows):
            end = n_read + len(there)
            X[n_read:end], kept[n_read:end] = piece, there
            n_read = end
            unreadable.update(others)
        order = shuffled_rows(n_read) if name in shuffled and n_read else slice(n_read)
        held[name] = X[order], kept[order]
    return held, unreadable


def _split(info: SourceInfo, X: NDArray[Any], rows: NDArray[np.int64]) -> Split:
    """The samples at these rows with what is known of them."""
    labels = None if info.labels is None else info.labels[rows]
    values = labels if labels is not None and labels.dtype.kind == "f" else None
    if values is not None:
        labels, values = None, None if np.isnan(values).all() else values
    names = None if info.names is None else tuple(info.names[row] for row in rows)
    return Split(X, labels, names, rows if info.is_test is None and names is None else None, values)


def _judge(info: SourceInfo, unreadable: dict[int, str], n: int, *, skip_bad: bool) -> None:
    """Say which images could not be read; refuse to go on without too many."""
    if not unreadable:
        return
    rows = sorted(unreadable)
    first = "; ".join(f"{info.name_of(row)} ({unreadable[row]})" for row in rows[:3])
    more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
    said = f"{len(rows):,} of {n:,} images in {info.name} cannot be read: {first}{more}."
    if len(rows) == n:
        raise DatasetError(said)
    if len(rows) > _MOST_UNREADABLE * n and not skip_bad:
        raise DatasetError(f"{said} Mend or remove them, or pass over them with --skip-bad.")
    warn(f"{said} They are passed over.")


def _check_enough(train: Split, name: str) -> None:
    """Refuse what cannot be learned from."""
    if len(train) < 2:
        raise DatasetError(
            f"{name} must have at least 3 samples, 2 to learn from and 1 to test by, got {len(train)} to learn from."
        )
    first = train.X[:1]
    step = max(1, 2**20 // first.size)
    if all((train.X[i : i + step] == first).all() for i in range(0, len(train), step)):
        what = "images" if train.X.ndim == 4 else "samples"
        raise DatasetError(f"all {len(train):,} training {what} in {name} are the same: there is nothing to learn.")
