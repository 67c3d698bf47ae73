"""The built-in datasets: where their files are looked for, how they are fetched and checked, and how they are read.

``digits`` comes with scikit-learn. The others are four IDX files each; they are looked for in the folder the caller
names, then ``$LATENTMAP_DATA``, then the cache, and only then downloaded.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from latentmap.data import cache
from latentmap.data.dataset import Dataset, Split
from latentmap.data.npy_and_idx import parse_idx, read_content
from latentmap.errors import DatasetError, warn

DEFAULT_SIZE = 32  # pixels: halves evenly three times, which 28 does not

ProgressBar = Any  # what pooch calls a progress bar: a `total`, `update(n)`, `reset()` and `close()`


@dataclass(frozen=True)
class IdxFile:
    """One of a dataset's files: its name, its shape, and the digests that prove it genuine."""

    name: str
    shape: tuple[int, ...]
    content_sha256: str | None = None
    gzip_sha256: str | None = None


@dataclass(frozen=True)
class IdxDataset:
    """A published dataset of four IDX files."""

    title: str
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: tuple[IdxFile, ...]  # images and labels to learn from, then those to test by
    torchvision_name: str  # the folder in which torchvision keeps the same files, NAME/raw


def _like_mnist(
    title: str, names: str, torchvision_name: str, mirrors: tuple[str, ...], kind: str, *digests: str
) -> IdxDataset:
    """A dataset in MNIST's layout, with the SHA-256 digests of its files, all of one `kind`: "content" or "gzip"."""
    shapes = {
        "train-images-idx3-ubyte": (60_000, 28, 28),
        "train-labels-idx1-ubyte": (60_000,),
        "t10k-images-idx3-ubyte": (10_000, 28, 28),
        "t10k-labels-idx1-ubyte": (10_000,),
    }
    files = tuple(
        IdxFile(name, shape, **{f"{kind}_sha256": digest})
        for (name, shape), digest in zip(shapes.items(), digests, strict=True)
    )
    return IdxDataset(title, tuple(names.split(", ")), mirrors, files, torchvision_name)


IDX_DATASETS = {
    "mnist": _like_mnist(
        "handwritten digits (LeCun, Cortes, Burges)",
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "MNIST",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        "content",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion_mnist": _like_mnist(
        "clothes (Zalando Research)",
        "T-shirt, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot",
        "FashionMNIST",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        "gzip",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    "kmnist": _like_mnist(
        "handwritten Japanese characters (CODH)",
        "o, ki, su, tsu, na, ha, ma, ya, re, wo",
        "KMNIST",
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
        "gzip",
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
}

BUILTIN_NAMES = ("digits", *IDX_DATASETS)


def load_digits_dataset() -> Dataset:
    """Return scikit-learn's 1,797 digits, uint8 (n, 8, 8, 1): 1,437 to learn from and 360 to test, stratified."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    names = tuple(str(name) for name in bunch.target_names)
    return Dataset("digits", Split(images[train], labels[train]), Split(images[test], labels[test]), names)


def load_idx_dataset(name: str, data_dir: Path | None = None, progress: ProgressBar | None = None) -> Dataset:
    """Return one of `IDX_DATASETS` at its own size, fetched into the cache where no copy of it is at hand."""
    spec = IDX_DATASETS[name]
    folder = find_folder(name, data_dir) or download(name, progress)
    paths = [_find_file(folder, file) or folder / file.name for file in spec.files]  # removed meanwhile, it is missed
    images, labels, test_images, test_labels = map(read_verified, paths, spec.files)
    train, test = Split(images[..., np.newaxis], labels), Split(test_images[..., np.newaxis], test_labels)
    return Dataset(name, train, test, spec.class_names)


def search_path(data_dir: Path | None = None) -> Iterator[Path]:
    """Yield the folders in which datasets are looked for, the first first."""
    from_environment = os.environ.get("LATENTMAP_DATA")
    for root, said_by in ((data_dir, "data_dir"), (from_environment, "$LATENTMAP_DATA")):
        if not root:
            continue
        if not Path(root).is_dir():
            raise DatasetError(f"{said_by} must be an existing folder, got {root}. Create it, or leave it out.")
        yield Path(root)
    yield cache.cache_root()


def find_folder(name: str, data_dir: Path | None = None) -> Path | None:
    """Return the folder that holds all of a dataset's files, or None where there is none."""
    spec = IDX_DATASETS[name]
    unfinished = cache.cache_root() / name
    for root in search_path(data_dir):
        for folder in (root / name, root / spec.torchvision_name / "raw"):
            missing = [file.name for file in spec.files if _find_file(folder, file) is None]
            if not missing:
                return folder
            if len(missing) < len(spec.files) and folder != unfinished:
                raise DatasetError(
                    f"{folder} lacks {', '.join(missing)} (.gz or not). Add what is missing, or remove the folder."
                )
    return None


def _find_file(folder: Path, file: IdxFile) -> Path | None:
    """The path of a dataset's file in a folder, compressed or not, or None."""
    for path in (folder / f"{file.name}.gz", folder / file.name):
        if path.is_file():
            return path
    return None


def read_verified(path: Path, file: IdxFile) -> np.ndarray:
    """Return the array of a dataset's file once its digest and shape are what was published."""
    content = read_content(path, 2 * (16 + prod(file.shape)))  # enough to see that it is too long
    array = parse_idx(content, str(path), n_dims=len(file.shape))
    if array.shape != file.shape or array.dtype != np.uint8:
        raise DatasetError(f"{path} must have dimensions {file.shape} of bytes, got {array.shape} of {array.dtype}.")
    if file.content_sha256 is not None:
        found, wanted = hashlib.sha256(content).hexdigest(), file.content_sha256
        if found != wanted:
            raise DatasetError(f"{path} has a wrong checksum: its content must have SHA-256 {wanted}, got {found}.")
    elif hashlib.sha256(path.read_bytes()).hexdigest() != file.gzip_sha256:
        # Only the digest of the published gzip file is known. Another compression of the same content is legitimate,
        # and cannot be told from changed content: the shape is right, so it is used, and this is said.
        warn(f"{path} is not the published gzip file; its content could not be verified.")
    return array


def download(name: str, progress: ProgressBar | None = None) -> Path:
    """Fetch a dataset's files into the cache and return their folder."""
    spec = IDX_DATASETS[name]
    folder = cache.cache_root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as part:
            for file in spec.files:
                target = folder / f"{file.name}.gz"
                if not target.exists():
                    shutil.move(_fetch(name, file, Path(part), progress), target)
    except OSError as error:
        raise DatasetError(f"the cache {folder} cannot be written: {error.strerror or error}.") from error
    return folder


def _fetch(name: str, file: IdxFile, folder: Path, progress: ProgressBar | None) -> Path:
    """Download one file from the first mirror that has it as published."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    fault = ""
    for mirror in IDX_DATASETS[name].mirrors:
        target = folder / f"{file.name}.gz"
        try:
            pooch.retrieve(
                f"{mirror}{file.name}.gz",
                # A digest of the content is checked below: a mirror may compress the same content differently.
                known_hash=file.gzip_sha256,
                fname=target.name,
                path=folder,
                # A timeout, so that a silent mirror is given up.
                downloader=pooch.HTTPDownloader(progressbar=progress or False, timeout=20),
            )
            read_verified(target, file)
        except (OSError, ValueError, DatasetError) as error:  # requests' errors are OSErrors; a bad hash is ValueError
            target.unlink(missing_ok=True)
            fault = str(error).splitlines()[0]
            continue
        return target
    raise DatasetError(
        f"{name} is not at hand and cannot be downloaded ({fault[:120]}). Put {file.name}.gz and the other three "
        f"files into {cache.cache_root() / name}, or name the folder above {name}/ with --data-dir or $LATENTMAP_DATA."
    )
