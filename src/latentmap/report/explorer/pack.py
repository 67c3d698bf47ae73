"""What the page holds of samples and models: numbers as text that a script reads back, images in sheets."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA

from latentmap.analysis import reconstruction_errors
from latentmap.data.images import resize_images
from latentmap.data.preprocessing import CHANNELS
from latentmap.errors import DatasetError
from latentmap.models.layers import describe
from latentmap.report.explorer.weights import halved

_TILE = 64  # pixels across, at most, of an image in a sheet
_SHEET = 4096  # pixels across, at most, of a sheet: every browser holds these
_QUALITY = 82  # of colour images, which would take four times the space without loss
_NEIGHBORS = 10
_DIRECTIONS = 10  # of codes, for sliders and maps


def numbers(array: NDArray[Any]) -> dict[str, Any]:
    """An array as its type, its shape, and its bytes as text."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {"type": array.dtype.name, "shape": list(array.shape), "bytes": base64.b64encode(little.tobytes()).decode()}


def quantized(Z: NDArray[Any]) -> dict[str, Any]:
    """Numbers (n, k) in 65,536 steps from the lowest to the highest of each column."""
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
    made = []
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
        picture.save(buffer, "webp", quality=_QUALITY, lossless=channels == 1)
        made.append(f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}")
    return {"tile": [height, width], "across": across, "each": each, "sheets": made}


def packed_model(name: str, model: Any, X: NDArray[Any], labels: NDArray[np.int64] | None) -> dict[str, Any]:
    """A model's layers, and the codes, errors and odd labels of samples."""
    description = describe(model)
    Z = np.asarray(model.transform(X), np.float32).reshape(len(X), -1)
    center, axes = np.zeros(Z.shape[1]), np.eye(Z.shape[1])
    if Z.shape[1] > 2 and len(Z) > 1:
        pca = PCA(min(_DIRECTIONS, *Z.shape), random_state=0).fit(Z)
        center, axes = pca.mean_, pca.components_
    return {
        "name": name,
        "facts": description.facts,
        "weights": [numbers(weight) for weight in halved(description.weights)],
        "codes": quantized(Z),
        "errors": numbers(np.asarray(reconstruction_errors(model, X), np.float32)),
        "odd": None if labels is None else numbers(_disagreement(Z, labels)),
        "center": center.tolist(),
        "axes": axes.tolist(),
        "spread": ((Z - center) @ axes.T).std(axis=0).tolist(),
    }


def _disagreement(Z: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The share of each sample's ten nearest codes that are of other classes."""
    from sklearn.neighbors import NearestNeighbors

    k = min(_NEIGHBORS, len(Z) - 1)
    if k < 1:
        return np.zeros(len(Z), np.float32)
    rows = NearestNeighbors(n_neighbors=k).fit(Z).kneighbors(return_distance=False)
    return np.asarray((labels[rows] != labels[:, None]).mean(axis=1), np.float32)
