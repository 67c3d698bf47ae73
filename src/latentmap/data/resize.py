"""Bringing images to one size. What belongs here: geometry on arrays of pixels, nothing about files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 8192  # images resized at once: keeps the working memory at some tens of megabytes


def resize_images(images: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize images with the bilinear filter that Pillow uses (antialiased when shrinking).

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, channels)
        Pixels 0..255.
    height, width : int
        The size wanted, in pixels, at least 1.

    Returns
    -------
    ndarray of uint8, shape (n, height, width, channels)
        `images` itself where it has that size already.
    """
    if images.shape[1:3] == (height, width):
        return images
    import torch
    from torch.nn.functional import interpolate

    n, _, _, channels = images.shape
    resized = np.empty((n, height, width, channels), np.uint8)
    for start in range(0, n, _CHUNK):
        # A copy, since PyTorch takes no read-only memory (files are often mapped so).
        chunk = torch.from_numpy(images[start : start + _CHUNK].copy()).permute(0, 3, 1, 2)
        chunk = interpolate(chunk, size=(height, width), mode="bilinear", antialias=True)
        resized[start : start + _CHUNK] = chunk.permute(0, 2, 3, 1).numpy()
    return resized
