"""How codes are distributed: a Gaussian mixture, kept with a model, from which new ones are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CODES = 5000  # that a mixture is fitted to
_COMPONENTS = 10  # as in P. Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4
_CODES_EACH = 20  # codes that a component needs
_PIECE = 8192  # codes drawn at once
_MOST_FACTORS = 2**22  # numbers in all roots, which a model file holds
_NUMBERS_EACH = 5  # codes that a full covariance needs for each number of a code


@dataclass(frozen=True, eq=False)
class CodeMixture:
    """A mixture of normal distributions."""

    weights: NDArray[np.float64]  # (k,), adding up to 1
    means: NDArray[np.float64]  # (k, latent_dim)
    factors: NDArray[np.float64]  # (k, latent_dim, latent_dim): lower triangular roots of the covariances

    @classmethod
    def standard(cls, latent_dim: int) -> CodeMixture:
        """Return the standard normal distribution: the prior of variational autoencoders."""
        return cls(np.ones(1), np.zeros((1, latent_dim)), np.eye(latent_dim)[None])

    @classmethod
    def fit(cls, Z: NDArray[np.float32], *, seed: int = 0) -> CodeMixture:
        """A mixture like these codes (n, latent_dim), of 10 components where there are enough."""
        from sklearn.mixture import GaussianMixture

        codes = np.asarray(Z, np.float64)
        n, latent_dim = codes.shape
        # Fitted at one scale, so that what keeps covariances from vanishing means the same for all codes.
        offset, scale = codes.mean(axis=0), max(float(codes.std()), 1e-12)
        if n < 2:
            return cls(np.ones(1), codes[:1], np.zeros((1, latent_dim, latent_dim)))
        k = max(1, min(_COMPONENTS, n // _CODES_EACH, _MOST_FACTORS // latent_dim**2))
        full = n >= k * _NUMBERS_EACH * latent_dim
        # More iterations than a rough picture ever takes, and a start that can't run short of clusters: no warnings,
        # which could be silenced for the whole process only.
        mixture = GaussianMixture(
            k,
            covariance_type="full" if full else "diag",
            reg_covar=1e-6,
            tol=1e-2,
            max_iter=1000,
            init_params="k-means++",
            random_state=seed % 2**32,
        ).fit((codes - offset) / scale)
        covariances = mixture.covariances_
        factors = np.linalg.cholesky(covariances) if full else np.stack([np.diag(c**0.5) for c in covariances])
        numbers = (mixture.weights_, mixture.means_ * scale + offset, factors * scale)
        return cls(*(values.astype(np.float32).astype(np.float64) for values in numbers))  # as a model file has them

    def sample(self, n: int, seed: int) -> NDArray[np.float32]:
        """Return n new codes: float32, shape (n, latent_dim)."""
        rng = np.random.default_rng(seed)
        weights, codes = self.weights / self.weights.sum(), np.empty((n, self.means.shape[1]), np.float32)
        for piece in (codes[start : start + _PIECE] for start in range(0, n, _PIECE)):
            which = rng.choice(len(weights), size=len(piece), p=weights)
            noise = rng.standard_normal(piece.shape)
            for component in range(len(weights)):
                rows = which == component
                piece[rows] = self.means[component] + noise[rows] @ self.factors[component].T
        return codes

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], latent_dim: int) -> CodeMixture:
        """Return the mixture of these fields; `ValueError` with the name of what does not fit."""
        k = np.size(arrays.get("weights", ()))
        shapes = {"weights": (k,), "means": (k, latent_dim), "factors": (k, latent_dim, latent_dim)}
        for name, shape in shapes.items():
            value = arrays.get(name)
            if value is None or value.shape != shape or not np.isfinite(value).all() or k < 1:
                raise ValueError(name)
        if arrays["weights"].min() < 0 or arrays["weights"].sum() <= 0:
            raise ValueError("weights")
        return cls(*(np.asarray(arrays[name], np.float64) for name in shapes))
