"""Bringing images to one size. What belongs here: geometry on arrays of pixels, nothing about files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 8192  # images resized at once: keeps the working memory at some tens of megabytes


def resize_images(images: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resize images with the bilinear filter that Pillow uses (antialiased when shrinking).

    Parameters
    ----------
    images : ndarray of uint8 or float32, shape (n, h, w, channels)
        Pixels 0..255 or 0..1.
    height, width : int
        The size wanted, in pixels, at least 1.

    Returns
    -------
    ndarray of the same type, shape (n, height, width, channels)
        `images` itself where it has that size already.
    """
    if images.shape[1:3] == (height, width):
        return images
    import torch
    from torch.nn.functional import interpolate

    n, _, _, channels = images.shape
    resized = np.empty((n, height, width, channels), images.dtype)
    for start in range(0, n, _CHUNK):
        # A copy, since PyTorch takes no read-only memory (files are often mapped so).
        chunk = torch.from_numpy(images[start : start + _CHUNK].copy()).permute(0, 3, 1, 2)
        chunk = interpolate(chunk, size=(height, width), mode="bilinear", antialias=True)
        resized[start : start + _CHUNK] = chunk.permute(0, 2, 3, 1).numpy()
    return resized


def crop_images(images: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Return the middle of images, cut to the shape (not yet the size) of height x width."""
    _, h, w, _ = images.shape
    new_h, new_w = min(h, max(1, round(w * height / width))), min(w, max(1, round(h * width / height)))
    top, left = (h - new_h) // 2, (w - new_w) // 2
    return images[:, top : top + new_h, left : left + new_w]


def pad_images(images: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Return images with black borders, in the shape (not yet the size) of height x width."""
    _, h, w, _ = images.shape
    new_h, new_w = max(h, round(w * height / width)), max(w, round(h * width / height))
    top, left = (new_h - h) // 2, (new_w - w) // 2
    return np.pad(images, ((0, 0), (top, new_h - h - top), (left, new_w - w - left), (0, 0)))
