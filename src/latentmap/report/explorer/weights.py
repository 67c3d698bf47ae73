"""A network's weights in half the space, where nothing is lost that anybody could see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FEW = 4096  # numbers, that are not worth halving: biases, and all of a small network
_COARSEST = 2.0**-11  # float16's rounding, by a row's length; numbers out of its range are farther off


def halved(weights: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float16] | NDArray[np.float32]]:
    """Large weights as float16, others, and those that float16 can't hold, as they are."""
    return [_halved(weight) if weight.size > _FEW and weight.ndim > 1 else weight for weight in weights]


def _halved(weight: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """An array as float16, unless a row is farther off by that than rounding."""
    with np.errstate(over="ignore", invalid="ignore"):
        half = weight.astype(np.float16)
        rows = weight.reshape(len(weight), -1)
        lost = np.linalg.norm(half.reshape(rows.shape) - rows, axis=1)
        whole = np.linalg.norm(rows, axis=1)
        return half if (lost <= _COARSEST * whole).all() else weight
