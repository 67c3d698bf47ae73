"""Writing single pictures to files: one figure, or a folder of decoded images."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import OutputError
from latentmap.files import holds_only, new_file, new_folder

_MARK = ("Software", "latentmap")
_DEEPEST = 65535  # that PNG holds
PICTURE_SUFFIXES = (".png", ".svg", ".pdf")


def write_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: int | None = None) -> None:
    """Write a figure to a file, whole or not at all.

    Parameters
    ----------
    figure : Figure
        What a function of `latentmap.report` drew.
    path : path
        Ends in .png, .svg or .pdf.
    dpi : int, optional
        Pixels an inch of a PNG file; by default the figure's own.

    Raises
    ------
    ValueError
        If `path` has another ending.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> from latentmap.report import training, write_figure
    >>> figure = training({"dense": [{"epoch": 1, "train_loss": 0.2}, {"epoch": 2, "train_loss": 0.1}]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_figure(figure, f"{folder}/losses.svg")
    ...     os.listdir(folder)
    ['losses.svg']
    """
    check_picture(path)
    with new_file(path) as temporary:
        figure.savefig(temporary, dpi=dpi or "figure")


def check_picture(path: str | os.PathLike[str]) -> None:
    """Refuse a file name that does not end as a picture's."""
    if Path(path).suffix not in PICTURE_SUFFIXES:
        raise ValueError(f"output must end in {', '.join(PICTURE_SUFFIXES)}, got {Path(path).name}.")


def write_images(
    path: str | os.PathLike[str],
    images: NDArray[Any],
    preprocessing: Preprocessing,
    pixel_range: tuple[float, float] | None = None,
) -> None:
    """Write decoded images as numbered PNG files in a new folder, of 16 bits where grey ones have more than 8.

    Parameters
    ----------
    path : path
        The folder to make; one that holds nothing but what this function wrote is replaced.
    images : ndarray, shape (n, height, width) or (n, height, width, channels)
        In the units that `fit` saw.
    preprocessing : Preprocessing
        Of the model that decoded them: knows those units.
    pixel_range : (float, float), optional
        What black and white were in the files that were read, where `fit` saw other units.

    Raises
    ------
    OutputError
        If the model decodes vectors, or the folder holds something else or cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.report import write_images
    >>> X = load_dataset("digits", size=8).limit(100).train.images
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_images(f"{folder}/new", ae.sample(2), ae.preprocessing_)
    ...     sorted(os.listdir(f"{folder}/new"))
    ['00000.png', '00001.png']
    """
    if not preprocessing.is_images:
        raise OutputError("this model decodes vectors, not images. Name a file ending in .npy to write them to.")
    brightness = (images - preprocessing.offset) / preprocessing.scale
    low, high = pixel_range or preprocessing.pixel_range
    is_grey = math.prod(images.shape[3:]) == 1  # Pillow writes no colours of more than 8 bits
    if is_grey and low >= 0 and 255 < high <= _DEEPEST:
        pixels = np.clip(np.round(low + brightness * (high - low)), 0, _DEEPEST).astype(np.uint16)
    else:
        pixels = np.clip(np.round(brightness * 255), 0, 255).astype(np.uint8)
    if pixels.ndim == 4 and pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    digits = max(5, len(str(len(pixels))))
    mark = PngInfo()
    mark.add_text(*_MARK)
    with new_folder(path, is_ours=_holds_decoded_images) as folder:
        for i, image in enumerate(pixels):
            Image.fromarray(image).save(folder / f"{i:0{digits}d}.png", pnginfo=mark)


def _holds_decoded_images(folder: Path) -> bool:
    """Whether a folder holds what `write_images` wrote and nothing else; the frames of a film are numbered too."""
    return holds_only(folder, ["[0-9]*.png"]) and all(map(_is_marked, folder.glob("*.png")))


def _is_marked(path: Path) -> bool:
    """Whether a picture says that we drew it."""
    try:
        with Image.open(path, formats=["png"]) as image:
            return image.info.get(_MARK[0]) == _MARK[1]
    except (OSError, ValueError, SyntaxError):
        return False
