"""From what a user names to a `Dataset`: the one place that decides what a source is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from latentmap.data.array_files import idx_images, read_idx_file, read_idx_folder, read_npy, read_npz
from latentmap.data.arrays import ArrayReader, Parts
from latentmap.data.assembly import Terms, assemble
from latentmap.data.builtin import BUILTIN_NAMES, DEFAULT_SIZE, ProgressBar, load_digits_dataset, load_idx_dataset
from latentmap.data.csv_files import read_csv
from latentmap.data.dataset import Dataset, check_limit
from latentmap.data.folder import find_images, read_folder
from latentmap.data.images import SUFFIXES
from latentmap.data.objects import is_torch_dataset, read_object, read_torch_dataset
from latentmap.data.parquet_files import parquet_shards, read_parquet
from latentmap.data.readers import Reader
from latentmap.data.reading import Fit, Missing, Reading, Wishes
from latentmap.data.splits import TEST_FRACTION
from latentmap.data.store import memory_budget
from latentmap.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_HUB = "hf://"
_READERS: dict[str, Callable[[Path, Wishes], Reader]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".idx": read_idx_file,
    ".gz": read_idx_file,
}


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
        file, or a folder of Parquet or of IDX files; or samples themselves, which for arrays are (n, n_features),
        (n, height, width) or (n, height, width, channels).
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
        vectors as float32, shape (n, n_features).

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
    if isinstance(columns, str):
        raise TypeError(f"columns must be a sequence of names, got {columns!r}. Put it into a list.")
    budget = memory_budget(memory)
    wishes = Wishes(size, fit, color, label, known, columns, header, missing, budget)
    if not 0 <= test_fraction < 1:
        raise ValueError(f"test_fraction must be at least 0 and less than 1, got {test_fraction!r}.")
    if limit is not None:
        check_limit(limit)
    if data_dir is not None and not Path(data_dir).is_dir():
        raise DatasetError(f"data_dir must be an existing folder, got {data_dir}. Create it, or leave it out.")
    if isinstance(source, str) and source in ("", _HUB):
        raise ValueError(f"source must be a name or a path, got {source!r}. Write . for the present folder.")
    if labels is not None and isinstance(source, (str, os.PathLike)):
        raise ValueError("labels are taken with arrays and frames only; a file has its own.")
    terms = Terms(test_fraction, limit, budget, skip_bad, progress)
    if isinstance(source, str) and source in BUILTIN_NAMES:
        folder = None if data_dir is None else Path(data_dir)
        reader: Reader = _builtin_reader(source, folder, limit, wishes, progress)
    else:
        reader = _reader_of(source, labels, wishes)
    _check_of_table(wishes, reader.known.name, reader.reading, source)
    return assemble(reader, terms)


def _check_of_table(wishes: Wishes, name: str, reading: Reading, source: Any) -> None:
    """Refuse what is asked of tables where there is none."""
    if wishes.label is not None and reading.label is None:
        raise DatasetError(f"{name} has no columns, so that none can name the class. Leave out label.")
    if wishes.columns is not None and reading.columns is None:
        raise DatasetError(f"{name} has no columns to choose from. Leave out columns.")
    if wishes.missing is not None and reading.is_images:
        raise DatasetError(f"{name} holds images, in which no number is missing. Leave out missing.")
    is_csv = isinstance(source, (str, os.PathLike)) and _READERS.get(Path(source).suffix.lower()) is read_csv
    if wishes.header is not None and not is_csv:
        raise DatasetError(f"{name} is no CSV file, so that it has no header. Leave out header.")


def _reader_of(source: Any, labels: ArrayLike | None, wishes: Wishes) -> Reader:
    """The reader of whatever is no named dataset."""
    if isinstance(source, str) and source.startswith(_HUB):
        from latentmap.data.hub import read_hub

        return read_hub(source.removeprefix(_HUB), wishes)
    if isinstance(source, (str, os.PathLike)):
        return _read_path(Path(source), wishes)
    return read_torch_dataset(source, wishes) if is_torch_dataset(source) else read_object(source, labels, wishes)


def name_of(source: str) -> str:
    """Return a short name for a source, fit for a folder: ``photos`` for ``~/data/photos``."""
    path = Path(source.removeprefix(_HUB))
    name = path.name.split(".")[0] if path.is_file() or "." in path.name else path.resolve().name
    return name or "data"


def _builtin_reader(name: str, data_dir: Path | None, limit: int | None, wishes: Wishes, bar: Any) -> ArrayReader:
    """The reader of a named dataset; where there is a limit it applies first, so that a quick look is quick."""
    if wishes.reading is not None and not wishes.reading.is_images:
        raise DatasetError(f"{name} holds images, and the model was fitted on vectors.")
    if wishes.size == "auto":
        wishes = replace(wishes, size=DEFAULT_SIZE)
    loaded = load_digits_dataset() if name == "digits" else load_idx_dataset(name, data_dir, bar)
    loaded = loaded if limit is None else loaded.limit(limit)
    parts = Parts(loaded.train.X, loaded.train.labels, loaded.test.X, loaded.test.labels)
    return ArrayReader(name, parts, wishes, class_names=loaded.class_names)


def _read_path(path: Path, wishes: Wishes) -> Reader:
    """The reader of a file or a folder."""
    try:
        if path.is_dir():
            return _read_folder(path, wishes)
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
    read = _READERS.get(path.suffix.lower())
    if read is None and "-ubyte" in path.name:
        read = read_idx_file
    if read is None:
        image = " For a single image, name the folder it is in." if path.suffix.lower() in SUFFIXES else ""
        raise DatasetError(
            f"{path} is of no kind that can be read: a folder of images, or a file ending in "
            f"{', '.join(sorted(_READERS))}.{image}"
        )
    return read(path, wishes)


def _read_folder(folder: Path, wishes: Wishes) -> Reader:
    """The reader of a folder: of images, unless it holds IDX or Parquet files and no images."""
    if idx_images(folder, "train") is not None:
        return read_idx_folder(folder, wishes)
    images, notes = find_images(folder)
    if not images and parquet_shards(folder):
        return read_parquet(folder, wishes)
    return read_folder(folder, images, notes, wishes)


def _nothing_there(path: Path) -> str:
    """Say that there is no such source, and what is nearest to it."""
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
