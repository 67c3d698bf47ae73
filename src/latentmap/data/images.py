"""From one image file to an array of bytes: every mode and orientation that Pillow reads.

What belongs here: a single image. Which images there are is the business of ``folder`` and ``tables``.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from latentmap.data.reading import Reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, height and width are exchanged
_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_BILINEAR = Image.Resampling.BILINEAR  # antialiased when shrinking, as `resize_images` is

Encoded = Path | bytes | Image.Image
"""An image as it comes: a file, its bytes, or one that is open."""


class UnreadableImageError(Exception):
    """One image cannot be read; the message says why."""


@contextmanager
def no_bombs() -> Iterator[None]:
    """Have Pillow refuse images of more than 89 million pixels, rather than warn: they would fill the memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def probe(encoded: Encoded) -> tuple[tuple[int, int], bool]:
    """Return an image's (height, width) and whether it is grey, from its header alone.

    Raises
    ------
    UnreadableImageError
        If it is no image, or too large.
    """
    with _explained(), _open(encoded) as image:
        width, height = image.size
        size = (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)
        return size, _is_grey(image)


def decode(encoded: Encoded, reading: Reading) -> NDArray[np.uint8]:
    """Return an image as its reading wants it: turned upright, without transparency, in size and channels.

    Parameters
    ----------
    encoded : path, bytes or Image
        The image; of several pictures in one file, the first.
    reading : Reading
        Size, channels and fit.

    Returns
    -------
    ndarray of uint8, shape (height, width, channels)
        16-bit values by their upper half; transparent pixels on white, unless `reading` has 4 channels.

    Raises
    ------
    UnreadableImageError
        If it is no image, damaged, or too large.
    """
    height, width, channels = reading.shape
    with _explained(), _open(encoded) as image:
        image.draft(None, (2 * max(height, width),) * 2)  # a JPEG is decoded at half or a quarter where that does
        upright = ImageOps.exif_transpose(image)
        fitted = _fit(_in_mode(upright, channels), (width, height), reading.fit)
        return np.asarray(fitted, np.uint8).reshape(height, width, channels)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever Pillow raises at a damaged file into one error."""
    try:
        yield
    except Exception as error:  # a damaged file can make its reader fail in any way
        words = "not an image that can be read" if isinstance(error, UnidentifiedImageError) else str(error)
        raise UnreadableImageError(" ".join(words.split()).rstrip(".") or type(error).__name__) from error


@contextmanager
def _open(encoded: Encoded) -> Iterator[Image.Image]:
    """The image, closed in the end where it was opened here."""
    if isinstance(encoded, Image.Image):
        yield encoded
        return
    with Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded) as image:
        yield image


def _is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours to lose."""
    if image.mode != "P":
        return image.mode in _GREY_MODES
    palette = np.asarray(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _in_mode(image: Image.Image, channels: int) -> Image.Image:
    """The image in 8 bits a channel: grey, colour, or colour with opacity."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if channels != 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if channels == 1 and image.mode != "1":
        image = image.convert("RGB") if image.mode not in ("L", "RGB") else image
    return image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values of more than 8 bits, or floats (from 0 to 1, or up to 255), as bytes."""
    highest = float(pixels.max(initial=0))
    if pixels.dtype.kind == "f":
        scale = 255.0 if highest <= 1 else 1.0
    else:
        scale = 1.0 if pixels.dtype.itemsize > 2 and highest <= 255 else 255 / 65535
    return np.clip(np.round(np.nan_to_num(pixels.astype(np.float64)) * scale), 0, 255).astype(np.uint8)


def _fit(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """The image at (width, height)."""
    if image.size == size:
        return image
    if fit == "crop":
        return ImageOps.fit(image, size, _BILINEAR)
    if fit == "pad":
        return ImageOps.pad(image, size, _BILINEAR)
    return image.resize(size, _BILINEAR)
