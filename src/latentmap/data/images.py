"""From one image file to an array of bytes: every mode and orientation that Pillow reads.

What belongs here: a single image. Which images there are is the business of ``folder`` and ``tables``.
"""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from latentmap.data.preprocessing import Levels, find_levels, pixel_range
from latentmap.data.reading import Reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, height and width are exchanged
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # of more than 8 bits
_GREY_MODES = ("1", "L", "LA", "La", *_DEEP_MODES)
_STRIP = 2**20  # pixels looked at together
_BIG = 2**24  # pixels from which images are decoded one at a time, or those of all threads would fill the memory
_one_big = threading.Lock()
_BILINEAR = Image.Resampling.BILINEAR  # antialiased when shrinking, as `resize_images` is

Encoded = Path | bytes | Image.Image
"""An image as it comes: a file, its bytes, or one that is open."""


class UnreadableImageError(Exception):
    """One image cannot be read; the message says why."""


def probe(encoded: Encoded) -> tuple[tuple[int, int], bool, Literal["8 bits", "deep", "cut to 8 bits"]]:
    """Return an image's (height, width), whether it is grey, and how many bits are read, from its header alone.

    Raises
    ------
    UnreadableImageError
        If it is no image, or too large.
    """
    with _explained(), _open(encoded) as image, _alone(image):
        width, height = image.size
        deeper = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))  # gone once it is decoded
        # Of a PNG file this decodes the pixels: the tag may lie behind them.
        size = (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)
        if image.mode in _DEEP_MODES:
            return size, True, "deep"
        return size, _is_grey(image), "cut to 8 bits" if deeper else "8 bits"


def levels_of(encoded: Encoded) -> tuple[np.dtype[Any], Levels]:
    """Return the type of the pixels of a deep image, and what `find_levels` says of them.

    Raises
    ------
    UnreadableImageError
        If it is no image, damaged, or too large.
    """
    with _explained(), _open(encoded) as image, _alone(image):
        return _levels(image)


def decode(encoded: Encoded, reading: Reading, pixels: tuple[float, float] | None = None) -> NDArray[Any]:
    """Return an image as its reading wants it: turned upright, without transparency, in size and channels.

    Parameters
    ----------
    encoded : path, bytes or Image
        The image; of several pictures in one file, the first.
    reading : Reading
        Size, channels, fit, and whether bytes or floats are wanted.
    pixels : (float, float), optional
        Which values are black and white where the image has more than 8 bits; by default those of its own range.

    Returns
    -------
    ndarray of uint8 (0 to 255) or float32 (0 to 1), shape (height, width, channels)
        Transparent pixels on white, unless `reading` has 4 channels.

    Raises
    ------
    UnreadableImageError
        If it is no image, damaged, or too large, or has pixels that are no numbers.
    """
    height, width, channels = reading.shape
    with _explained(), _open(encoded) as image:
        if image is not encoded:  # one that is open belongs to the user
            image.draft(None, (2 * max(height, width),) * 2)  # a JPEG is decoded at half or a quarter where that does
        with _alone(image):
            turned = image.getexif().get(_ORIENTATION, 1) > 1  # else a copy would be made
            upright = ImageOps.exif_transpose(image) if turned else image
            if upright.mode in _DEEP_MODES:
                return _decode_deep(upright, reading, pixels)
            fitted = _fit(_in_mode(upright, channels), (width, height), reading.fit)
            found = np.asarray(fitted, np.uint8).reshape(height, width, channels)
    return found if reading.pixel_type is np.uint8 else found / np.float32(255)


def _levels(image: Image.Image) -> tuple[np.dtype[Any], Levels]:
    """The type of a deep image's pixels and their levels, in strips: the whole would be held twice."""
    width, height = image.size
    step = max(1, _STRIP // width)
    strips = (np.asarray(image.crop((0, top, width, min(top + step, height)))) for top in range(0, height, step))
    return np.dtype({"F": np.float32, "I": np.int32}.get(image.mode, np.uint16)), find_levels(strips)


def _decode_deep(image: Image.Image, reading: Reading, pixels: tuple[float, float] | None) -> NDArray[Any]:
    """A grey image of more than 8 bits, made small before it is scaled."""
    height, width, channels = reading.shape
    if pixels is None:
        dtype, (low, high, _) = _levels(image)
        pixels = pixel_range(dtype, low, high)
    black, white = pixels
    if image.mode != "F":
        image = (image if image.mode in ("I", "I;16") else image.convert("I")).convert("F")
    fitted = _fit(image, (width, height), reading.fit, black)
    levels = (np.asarray(fitted, np.float32) - np.float32(black)) / np.float32(white - black)
    if not np.isfinite(levels).all():
        raise UnreadableImageError("it has pixels that are no numbers (NaN or infinity)")
    if reading.pixel_type is np.uint8:
        levels = np.clip(np.round(levels * 255), 0, 255).astype(np.uint8)
    grey = np.repeat(levels[..., None], min(channels, 3), axis=2)
    opaque = np.full_like(grey[..., :1], 255 if reading.pixel_type is np.uint8 else 1)
    return np.concatenate([grey, opaque], axis=2) if channels == 4 else grey


def _alone(image: Image.Image) -> AbstractContextManager[object]:
    """Wait until no other big image is being decoded, if this one is."""
    return _one_big if image.width * image.height > _BIG else nullcontext()


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
    with io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded.open("rb") as file:
        image = _identify(file)
        most = Image.MAX_IMAGE_PIXELS
        if most is not None and image.width * image.height > most:
            raise UnreadableImageError(
                f"{image.width}x{image.height} pixels are more than {most:,}: it could be a decompression bomb"
            )
        yield image


def _identify(file: BinaryIO) -> Image.Image:
    """The image in a file, as `Image.open` finds it, without its warning: none is silenced in one thread alone."""
    Image.init()
    prefix = file.read(16)
    for name in Image.ID:
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(prefix)
        if accepted and not isinstance(accepted, str):  # a str says why not
            file.seek(0)
            try:
                return factory(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error):  # not of this kind after all
                continue
    raise UnidentifiedImageError


def _is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours to lose."""
    if image.mode != "P":
        return image.mode in _GREY_MODES
    palette = np.asarray(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _in_mode(image: Image.Image, channels: int) -> Image.Image:
    """The image in 8 bits a channel: grey, colour, or colour with opacity."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if channels != 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if channels == 1 and image.mode != "1":
        image = image.convert("RGB") if image.mode not in ("L", "RGB") else image
    return image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])


def _fit(image: Image.Image, size: tuple[int, int], fit: str, black: float | None = None) -> Image.Image:
    """The image at (width, height), with borders in black where they are needed."""
    if image.size == size:
        return image
    if fit == "crop":
        return ImageOps.fit(image, size, _BILINEAR)
    if fit == "pad":
        return ImageOps.pad(image, size, _BILINEAR, color=black)  # type: ignore[arg-type]  # of mode F
    return image.resize(size, _BILINEAR)
