"""What the decoder draws all over a 2-D latent space.

What belongs here: the grid, its pictures, and how far each lies from anything the model has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from latentmap.analysis.transformers import Brief, FloatArray, Transformer, decode
from latentmap.data.preprocessing import Unit


@dataclass(frozen=True, eq=False, repr=False)
class LatentGrid(Brief):
    """Pictures decoded from a grid of codes.

    Parameters
    ----------
    z1, z2 : ndarray of float32, shape (n_cells,)
        The grid's coordinates, ascending: quantiles of the first and the second number of the codes.
    pictures : ndarray, shape (n_cells, n_cells, ...)
        ``pictures[i, j]`` is decoded from ``(z1[j], z2[i])``, in the units of the data; row 0 is the lowest z2, so a
        figure draws the rows upward.
    distance : ndarray of float32, shape (n_cells, n_cells)
        How far each cell is from the nearest code, in widths of a typical cell.
    unit : float
        What full brightness, or one unit of reported error, is in the units of the data: 255 for uint8 images.
    """

    z1: FloatArray
    z2: FloatArray
    pictures: FloatArray
    distance: FloatArray
    unit: Unit

    @property
    def nearness(self) -> FloatArray:
        """How much each cell is backed by data: 1 where a code lies within a cell's width, 0 from three on."""
        return np.clip(1 - (self.distance - 1) / 2, 0, 1)


def latent_grid(
    transformer: Transformer, Z: NDArray[Any], *, n_cells: int = 20, outermost: float = 0.01, unit: Unit = 255.0
) -> LatentGrid:
    """Decode a grid of codes laid over the quantiles of known codes.

    Steps of equal share rather than of equal length: where codes crowd the grid is fine, and a few stray codes do
    not stretch it over empty space.

    Parameters
    ----------
    transformer : Transformer
        A fitted model with codes of 2 numbers.
    Z : ndarray, shape (n, 2)
        Known codes, usually of the training split.
    n_cells : int, default=20
        Cells along each side.
    outermost : float, default=0.01
        The quantile of the first row and column; the last ones mirror it.
    unit : float, default=255.0
        What full brightness is in the units of the data: `measuring_unit` of images.

    Returns
    -------
    LatentGrid
        Coordinates, pictures and distances.

    Raises
    ------
    ValueError
        If the codes have more or fewer than 2 numbers.
    """
    if Z.ndim != 2 or Z.shape[1] != 2:
        raise ValueError(f"Z must be of shape (n, 2), got {Z.shape}. A latent grid needs codes of 2 numbers.")
    Z = np.asarray(Z, dtype=np.float32)
    quantiles = np.quantile(Z, np.linspace(outermost, 1 - outermost, n_cells), axis=0).astype(np.float32)
    z1, z2 = quantiles[:, 0], quantiles[:, 1]
    codes = np.stack(np.meshgrid(z1, z2), axis=-1).reshape(-1, 2)  # z2 by rows, z1 by columns
    pictures = decode(transformer, codes)
    # A dimension in which nothing varies has no width to measure by.
    cell = (quantiles[-1] - quantiles[0]) / max(1, n_cells - 1)
    cell = np.where(cell > 0, cell, 1.0).astype(np.float32)
    nearest = NearestNeighbors(n_neighbors=1).fit(Z / cell)
    distance = nearest.kneighbors(codes / cell)[0].astype(np.float32)
    return LatentGrid(
        z1=z1,
        z2=z2,
        pictures=pictures.reshape(n_cells, n_cells, *pictures.shape[1:]),
        distance=distance.reshape(n_cells, n_cells),
        unit=unit,
    )
