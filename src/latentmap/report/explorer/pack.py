"""What the page holds of samples and models: numbers as text that a script reads back, images in sheets."""

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from latentmap.analysis import TsneResult, embed_tsne, reconstruction_errors
from latentmap.analysis.transformers import encode
from latentmap.data.images import resize_images
from latentmap.data.preprocessing import CHANNELS
from latentmap.errors import DatasetError
from latentmap.models.layers import describe
from latentmap.report.figures.style import far_out
from latentmap.training import CodeFilm

_TILE = 64  # pixels across, at most, of an image in a sheet
_SHEET = 4096  # pixels across, at most, of a sheet: every browser holds these
_QUALITY = 82  # of colour images where they are many, which would take four times the space without loss
_EFFORT = 50  # of 100, which would save 0.2% of the space in ten times as long
_LOSSLESS = 2**22  # numbers of colour images that are kept as they are: some megabytes at most
_NEIGHBORS = 10
_DIRECTIONS = 10  # of codes, for sliders and maps
_FRAMES = 60  # of a film, at most
_LAID_OUT = 2000  # samples, by t-SNE: a few seconds
_NOT_HALVED = 4096  # numbers, not worth halving: biases, and all of a small network
_COARSEST = 2.0**-11  # float16's rounding, by a row's length; numbers out of its range are farther off


def numbers(array: NDArray[Any]) -> dict[str, Any]:
    """An array as its type, its shape, and its bytes as text."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {"type": array.dtype.name, "shape": list(array.shape), "bytes": as_text(little.tobytes())}


def as_text(content: bytes) -> str:
    """Bytes as text of 85 characters, none of which JSON escapes: a sixteenth shorter than of the usual 64."""
    return base64.b85encode(content).decode()


def quantized(Z: NDArray[Any]) -> dict[str, Any]:
    """Numbers (n, k) in 65,536 steps from lowest to highest of each column; as they are where some are far out."""
    if far_out(Z).any():  # the steps would be too long for the others
        return {"low": [0.0] * Z.shape[1], "step": [1.0] * Z.shape[1], **numbers(Z.astype(np.float32))}
    low, high = Z.min(axis=0, initial=np.inf).astype(float), Z.max(axis=0, initial=-np.inf).astype(float)
    step = np.where(high > low, (high - low) / 65535, 1.0)
    return {"low": low.tolist(), "step": step.tolist(), **numbers(np.round((Z - low) / step).astype(np.uint16))}


def sheets(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Images (n, height, width, channels) side by side in a few large ones, no larger than need be."""
    _, height, width, channels = images.shape
    if channels not in CHANNELS:
        raise DatasetError(f"images must have 1, 3 or 4 channels to be shown, got {channels}.")
    scale = min(1.0, _TILE / max(height, width))
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    tiles = resize_images(images, height, width)
    across, each = _SHEET // width, (_SHEET // width) * (_SHEET // height)
    made, exact = [], channels == 1 or tiles.size <= _LOSSLESS
    for start in range(0, len(tiles), each):
        some = tiles[start : start + each]
        columns = min(across, len(some))
        rows = -(-len(some) // columns)
        grid = np.zeros((rows * columns, height, width, channels), np.uint8)
        grid[: len(some)] = some
        sheet = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
        sheet = sheet.reshape(rows * height, columns * width, channels)
        buffer = io.BytesIO()
        picture = Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)
        picture.save(buffer, "webp", quality=_EFFORT if exact else _QUALITY, lossless=exact)
        made.append(as_text(buffer.getvalue()))
    return {"tile": [height, width], "across": across, "each": each, "sheets": made}


def packed_model(
    name: str,
    model: Any,
    X: NDArray[Any],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    film: CodeFilm | None,
    tsne: bool | TsneResult,
) -> dict[str, Any]:
    """A model's layers, and what becomes of samples, which are these rows of those that film and t-SNE are of."""
    description = describe(model)
    Z = encode(model, X)
    center, axes = np.zeros(Z.shape[1]), np.eye(Z.shape[1])
    if Z.shape[1] > 2 and len(Z) > 1:
        pca = PCA(min(_DIRECTIONS, *Z.shape), random_state=0).fit(Z)
        center, axes = pca.mean_, pca.components_
        if tsne is True and (found := embed_tsne(Z, n_samples=_LAID_OUT)) is not None:
            tsne = replace(found, rows=rows[found.rows])
    fitted = getattr(model, "_fitted", None)
    # Of vectors what fit saw, as score has it, and not these samples; images have full brightness.
    unit = None if fitted is None or X.ndim > 2 else fitted.error_unit
    errors = reconstruction_errors(model, X, Z, unit=unit)
    odd = None if labels is None else _disagreement(Z, labels)
    return {
        "name": name,
        "facts": description.facts,
        "merits": {
            "mean squared error": float(errors.mean()),
            **({} if odd is None else {"of the nearest codes, of a sample's class": float(1 - odd.mean())}),
        },
        "weights": [numbers(halved(weight)) for weight in description.weights],
        "codes": quantized(Z),
        "errors": numbers(errors),
        "odd": None if odd is None else numbers(odd),
        "center": center.tolist(),
        "axes": axes.tolist(),
        "spread": ((Z - center) @ axes.T).std(axis=0).tolist(),
        "film": None if film is None else _film(film, Z, rows, center, axes[:2]),
        "tsne": _tsne(tsne, rows) if isinstance(tsne, TsneResult) else None,
    }


def _film(
    film: CodeFilm, Z: NDArray[np.float32], rows: NDArray[np.int64], center: NDArray[Any], plane: NDArray[Any]
) -> dict[str, Any] | None:
    """Where samples lay epoch by epoch, in the plane in which their codes are first shown."""
    _, shown, kept = np.intersect1d(rows, film.rows, assume_unique=True, return_indices=True)
    if len(shown) < 2 or len(plane) < min(2, Z.shape[1]):
        return None
    chosen = np.unique(np.linspace(0, len(film.codes) - 1, _FRAMES).astype(int))
    frames = np.stack([film.codes[i][kept] for i in chosen]).astype(np.float64)
    last = frames[-1].std(axis=0)  # training ends with a change of each number's unit
    frames *= np.divide(Z[shown].std(axis=0), last, out=np.ones_like(last), where=last > 0)
    places = ((frames - center) @ plane.T).reshape(-1, len(plane))
    return {"shown": numbers(shown.astype(np.int32)), "epochs": [film.epochs[i] for i in chosen], **quantized(places)}


def _tsne(tsne: TsneResult, rows: NDArray[np.int64]) -> dict[str, Any] | None:
    """Where t-SNE lays those of the samples that it was made of."""
    _, shown, kept = np.intersect1d(rows, tsne.rows, assume_unique=True, return_indices=True)
    return {"shown": numbers(shown.astype(np.int32)), **quantized(tsne.Z[kept])} if len(shown) else None


def _disagreement(Z: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The share of each sample's ten nearest codes that are of other classes."""
    k = min(_NEIGHBORS, len(Z) - 1)
    if k < 1:
        return np.zeros(len(Z), np.float32)
    rows = NearestNeighbors(n_neighbors=k).fit(Z).kneighbors(return_distance=False)
    # Where a class isn't known, on either side, nothing disagrees.
    differ = (labels[rows] != labels[:, None]) & (labels[rows] >= 0) & (labels[:, None] >= 0)
    return np.asarray(differ.mean(axis=1), np.float32)


def halved(weight: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """A large weight as float16; one of which a row would be farther off than by rounding, and others, as they are."""
    if weight.size <= _NOT_HALVED or weight.ndim < 2:
        return weight
    with np.errstate(over="ignore", invalid="ignore"):
        half = weight.astype(np.float16)
        rows = weight.reshape(len(weight), -1)
        lost = np.linalg.norm(half.reshape(rows.shape) - rows, axis=1)
        whole = np.linalg.norm(rows, axis=1)
        return half if (lost <= _COARSEST * whole).all() else weight
