"""Pictures: one encoded image to an array, many of them on all cores, and arrays of images to one size and colour."""

import io
import itertools
import os
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from latentmap.data.preprocessing import Levels, find_levels
from latentmap.data.source import Piece, Reading, ReadOptions, Samples, SourceInfo
from latentmap.data.storage import StoredFile
from latentmap.errors import DatasetError, LatentmapError, count, printable

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")

_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, height and width are exchanged
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # of more than 8 bits
_GREY_MODES = ("1", "L", "LA", "La", *_DEEP_MODES)
_STRIP = 2**20  # pixels looked at together
_BIG = 2**24  # pixels from which images are decoded one at a time, or those of all threads would fill the memory
_one_big = threading.Lock()
_DECODED_AT_ONCE = 256  # images between two looks at what is done
_BATCH = 16  # of them at once by one thread
_LOOKED_AT = 4096  # of images with more than 8 bits, evenly spaced, to find the range of their pixels
_RESIZED_AT_ONCE = 8192  # keeps the working memory at some tens of megabytes
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue, as Pillow weighs them (ITU-R 601)
_BILINEAR = Image.Resampling.BILINEAR  # antialiased when shrinking, as `resize_images` is

Encoded = Path | StoredFile | bytes | Image.Image
"""An image as it comes: a file, its bytes, or one that is open."""


class UnreadableImageError(Exception):
    """One image cannot be read; the message says why."""


def probe(encoded: Encoded) -> tuple[tuple[int, int], bool, Literal["8 bits", "deep", "cut to 8 bits"], int]:
    """Return an image's (height, width), whether it is grey, how many bits are read, and its pages, by its header."""
    with _explained(), _open(encoded) as image, _alone(image):
        width, height = image.size
        deeper = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))  # gone once it is decoded
        # Of a PNG file this decodes the pixels: the tag may lie behind them.
        size = (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1  # films say what they are
        if image.mode in _DEEP_MODES:
            return size, True, "deep", pages
        return size, _is_grey(image), "cut to 8 bits" if deeper else "8 bits", pages


def levels_of(encoded: Encoded) -> tuple[np.dtype[Any], Levels]:
    """Return the type of the pixels of a deep image, and what `find_levels` says of them."""
    with _explained(), _open(encoded) as image, _alone(image):
        width, height = image.size
        step = max(1, _STRIP // width)  # in strips: the whole would be held twice
        strips = (np.asarray(image.crop((0, top, width, min(top + step, height)))) for top in range(0, height, step))
        return np.dtype({"F": np.float32, "I": np.int32}.get(image.mode, np.uint16)), find_levels(strips)


def decode(encoded: Encoded, reading: Reading, pixels: tuple[float, float] = (0.0, 255.0)) -> NDArray[Any]:
    """Return an image as its reading wants it: turned upright, without transparency, in size and channels.

    Of more than 8 bits, it is black and white at `pixels`.
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
    return found if reading.sample_dtype == np.uint8 else found / np.float32(255)


def _decode_deep(image: Image.Image, reading: Reading, pixels: tuple[float, float]) -> NDArray[Any]:
    """A grey image of more than 8 bits, made small before it is scaled."""
    height, width, channels = reading.shape
    black, white = pixels
    if image.mode != "F":
        image = (image if image.mode in ("I", "I;16") else image.convert("I")).convert("F")
    fitted = _fit(image, (width, height), reading.fit, black)
    levels = (np.asarray(fitted, np.float32) - np.float32(black)) / np.float32(white - black)
    if not np.isfinite(levels).all():
        raise UnreadableImageError("it has pixels that are no numbers (NaN or infinity)")
    if reading.sample_dtype == np.uint8:
        levels = np.clip(np.round(levels * 255), 0, 255).astype(np.uint8)
    return _in_channels(levels[None, ..., None], channels).reshape(reading.shape)


def _alone(image: Image.Image) -> AbstractContextManager[object]:
    """Wait until no other big image is being decoded, if this one is."""
    return _one_big if image.width * image.height > _BIG else nullcontext()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever Pillow raises at a damaged file into one error."""
    try:
        yield
    except LatentmapError:  # a file system's, which may have no fault the next time
        raise
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
    if not prefix:
        raise UnreadableImageError("empty")
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


# ---- arrays of images ---------------------------------------------------------------------------------------------


def bring_images(images: NDArray[Any], reading: Reading) -> NDArray[Any]:
    """Return images in the channels and the size that a reading wants."""
    height, width, channels = reading.shape
    images = _in_channels(images, channels)
    _, h, w, _ = images.shape
    if (h, w) != (height, width) and reading.fit != "stretch":  # to that shape, not yet to that size
        bound = min if reading.fit == "crop" else max
        new_h, new_w = bound(h, max(1, round(w * height / width))), bound(w, max(1, round(h * width / height)))
        top, left = abs(h - new_h) // 2, abs(w - new_w) // 2
        if reading.fit == "crop":
            images = images[:, top : top + new_h, left : left + new_w]
        else:
            images = np.pad(images, ((0, 0), (top, new_h - h - top), (left, new_w - w - left), (0, 0)))
    return resize_images(images, height, width)


def _in_channels(images: NDArray[Any], channels: int) -> NDArray[Any]:
    """Images with so many channels: opacity is laid on white, colours are weighed for grey."""
    if images.shape[3] == channels:
        return images
    in_bytes = images.dtype == np.uint8
    white = 255 if in_bytes else 1
    if images.shape[3] == 4:
        opacity = images[..., 3:].astype(np.float32) / white
        images = images[..., :3] * opacity + white * (1 - opacity)
        images = np.round(images).astype(np.uint8) if in_bytes else images
    if channels == 1:
        if images.shape[3] == 1:
            return images
        grey = (images @ _GREY)[..., None]
        return np.round(grey).astype(np.uint8) if in_bytes else grey
    colour = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    return colour if channels == 3 else np.concatenate([colour, np.full_like(colour[..., :1], white)], axis=3)


def resize_images(images: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resize images with the bilinear filter that Pillow uses (antialiased when shrinking)."""
    if images.shape[1:3] == (height, width):
        return images
    import torch
    from torch.nn.functional import interpolate

    n, _, _, channels = images.shape
    resized = np.empty((n, height, width, channels), images.dtype)
    for start in range(0, n, _RESIZED_AT_ONCE):
        # A copy, since PyTorch takes no read-only memory (files are often mapped so).
        chunk = torch.from_numpy(images[start : start + _RESIZED_AT_ONCE].copy()).permute(0, 3, 1, 2)
        chunk = interpolate(chunk, size=(height, width), mode="bilinear", antialias=True)
        resized[start : start + _RESIZED_AT_ONCE] = chunk.permute(0, 2, 3, 1).numpy()
    return resized


# ---- many encoded images -------------------------------------------------------------------------------------------


def read_encoded(
    name: str,
    n: int,
    fetch: Callable[[int], Encoded],  # asked in ascending order, by one thread; may raise `UnreadableImageError`
    options: ReadOptions,
    *,
    label: str | None = None,  # the column of a table that names the class
    classes: tuple[NDArray[np.int64] | None, tuple[str, ...] | None] = (None, None),  # the number of each, and names
    is_test: NDArray[np.bool_] | None = None,
    names: Sequence[str] | None = None,
    looked_at: NDArray[np.int64] | None = None,  # those whose headers say what all are like; None is all
    content: str = "",  # changes when the images do; empty where that cannot be told
    notes: Sequence[str] = (),
) -> Samples:
    """Return images in files of their own, or in a table's cells, and what is known of them by their headers."""
    told = list(notes)
    sizes: Counter[tuple[int, int]] = Counter()
    grey, n_stacks = True, 0
    depths: dict[str, list[int]] = {}
    unreadable: dict[int, str] = {}
    rows = np.arange(n) if looked_at is None else looked_at
    if options.pixels is not None:
        rows = rows[:0]
    for row, found in _in_parallel(fetch, rows, probe):
        if isinstance(found, UnreadableImageError):
            unreadable[row] = str(found)
        else:
            sizes[found[0]] += 1
            grey = grey and found[1]
            depths.setdefault(found[2], []).append(row)
            n_stacks += found[3] > 1
    if not sizes and options.pixels is None:
        first = printable(names[0]) if names else "image 0"
        raise DatasetError(
            f"none of the {len(rows):,} images in {name} can be read. The first is {first}: {unreadable.get(0, '')}."
        )
    if looked_at is not None and options.reading is None:
        told.append(f"{len(rows):,} of {n:,} images were looked at for their sizes and colours.")
    chosen = options.choose(sizes, grey=grey, notes=told)
    dtype, levels = _find_levels(name, fetch, depths.get("deep", []))
    reading, pixels = options.choose_range(replace(chosen, label=label), dtype, levels, told)
    if "deep" in depths and len(depths) > 1:
        told.append(f"{len(depths['deep']):,} images have more than 8 bits, the others are of 0 to 255.")
    if "cut to 8 bits" in depths:
        told.append(f"{len(depths['cut to 8 bits']):,} colour images of 16 bits are read by their upper 8.")
    if n_stacks:
        told.append(f"{count(n_stacks, 'image')} of several pages: only the first is read. Save each page by itself.")
    info = SourceInfo(name, n, reading, *classes, is_test, names, in_class_order=True, notes=tuple(told))
    return EncodedImages(info, pixels, content, unreadable, fetch)


@dataclass(eq=False)
class EncodedImages(Samples):
    """Encoded images, each decoded when it is read, on all cores."""

    fetch: Callable[[int], Encoded]

    def read(self, rows: NDArray[np.int64]) -> Iterator[Piece]:
        """Yield the images at these rows; those that are damaged are named."""
        results = _in_parallel(self.fetch, rows, lambda encoded: decode(encoded, self.info.reading, self.pixels))
        while piece := list(itertools.islice(results, _DECODED_AT_ONCE)):
            bad = {row: str(found) for row, found in piece if isinstance(found, UnreadableImageError)}
            good = [row for row, _ in piece if row not in bad]
            X = np.asarray([found for row, found in piece if row not in bad], self.dtype)
            yield np.asarray(good, np.int64), X.reshape(-1, *self.sample_shape), bad


def _find_levels(name: str, fetch: Callable[[int], Encoded], rows: list[int]) -> tuple[np.dtype[Any], Levels]:
    """The type and the levels of the pixels of deep images; of bytes where there are none."""
    some = np.asarray(rows, np.int64)[:: max(1, -(-len(rows) // _LOOKED_AT))]
    found = [result for _, result in _in_parallel(fetch, some, levels_of) if isinstance(result, tuple)]
    if not found:
        return np.dtype(np.uint8), (0.0, 255.0, 1.0)
    if len({dtype.kind == "f" for dtype, _ in found}) > 1:
        floats = max(high for dtype, (_, high, _) in found if dtype.kind == "f")
        whole = max(high for dtype, (_, high, _) in found if dtype.kind != "f")
        raise DatasetError(
            f"images in {name} are of floats, up to {floats:.4g}, and of whole numbers, up to {whole:,.0f}: in one "
            "range some would be black. Save all as one kind."
        )
    low, high, step = zip(*(levels for _, levels in found), strict=True)
    dtype = max((dtype for dtype, _ in found), key=lambda dtype: (dtype.kind == "f", dtype.itemsize))
    return dtype, (min(low), max(high), min(step))


def _in_parallel(
    fetch: Callable[[int], Encoded], rows: NDArray[np.int64], work: Callable[[Encoded], Any]
) -> Iterator[tuple[int, Any]]:
    """The work's result for each row, or the error of one that could not be read."""

    def attempt(do: Callable[[Any], Any], item: Any) -> Any:
        try:
            return item if isinstance(item, UnreadableImageError) else do(item)
        except UnreadableImageError as error:
            return error

    # Threads, since Pillow lets others run while it decodes; the items themselves are fetched in order.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(rows), _DECODED_AT_ONCE):
            piece = rows[start : start + _DECODED_AT_ONCE].tolist()
            items = [attempt(fetch, row) for row in piece]
            # Several at once: handing over a small image takes a thread longer than its work.
            batches = [items[i : i + _BATCH] for i in range(0, len(items), _BATCH)]
            done = pool.map(lambda batch: [attempt(work, item) for item in batch], batches)
            yield from zip(piece, itertools.chain.from_iterable(done), strict=True)
