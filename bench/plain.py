"""Two plain ways to do what PCA does and more: kernel PCA, and the autoencoder of a tutorial.

What belongs here: peers that need nothing but scikit-learn and PyTorch, with the face of every model.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
import torch
from sklearn.decomposition import KernelPCA
from torch import nn

from latentmap.analysis import measuring_unit


class _OnRows:
    """What both share: they know rows of numbers about 1, and samples of any shape and unit are brought to such."""

    def fit(self, X: np.ndarray) -> None:
        """Learn the scale, and the rest from the rows."""
        self.shape, unit = X.shape[1:], np.float32(measuring_unit(X))
        rows = X.reshape(len(X), -1).astype(np.float32)
        self.mean = rows.mean(axis=0)
        self.unit = unit * np.std((rows - self.mean) / unit)
        self._learn(self._rows(X))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Encode."""
        return self._encode(self._rows(X))

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Decode, to the shape and units of the samples."""
        return (self._decode(Z) * self.unit + self.mean).reshape(-1, *self.shape)

    def _rows(self, X: np.ndarray) -> np.ndarray:
        return (X.reshape(len(X), -1).astype(np.float32) - self.mean) / self.unit


class RbfKernelPca(_OnRows):
    """scikit-learn's kernel PCA of at most 2,000 rows, its pre-image learned by ridge regression.

    Width of the kernel and penalty are the best of 16 pairs on validation parts of six sets, ahead of the defaults.
    """

    def __init__(self, latent_dim: int) -> None:
        self.pca = KernelPCA(latent_dim, kernel="rbf", fit_inverse_transform=True, alpha=1e-4, random_state=0)

    def _learn(self, rows: np.ndarray) -> None:
        self.pca.gamma = 0.3 / rows.shape[1]
        some = np.random.default_rng(0).permutation(len(rows))[:2000]
        self.pca.fit(rows[some].astype(float))  # the regression is ill-conditioned in float32

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        return self.pca.transform(rows.astype(float))

    def _decode(self, Z: np.ndarray) -> np.ndarray:
        return self.pca.inverse_transform(Z)


class PlainNetwork(_OnRows):
    """The autoencoder of a tutorial: AdamW, one cycle up to 2e-3, batches of 64, colour images flipped at random.

    It makes `passes` over the data or, where none are given, about `n_steps` steps in at most 100 passes.
    """

    def __init__(self, latent_dim: int, passes: int | None, n_steps: int, seed: int) -> None:
        self.latent_dim, self.passes, self.n_steps, self.seed = latent_dim, passes, n_steps, seed

    def _build(self) -> None:
        """Two halves, each the mirror of the other."""
        if len(self.shape) == 1:
            widths = (*self.shape, 256, 128, self.latent_dim)
            down = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
            up = [part for pair in pairwise(widths[::-1]) for part in (nn.Linear(*pair), nn.ReLU())]
            self.encoder, self.decoder = nn.Sequential(*down[:-1]), nn.Sequential(*up[:-1])
            return
        height, width, channels = self.shape
        widths, inner = (channels, 32, 64, 128), (128, -(-height // 8), -(-width // 8))
        down = [part for pair in pairwise(widths) for part in (nn.Conv2d(*pair, 3, 2, 1), nn.GELU())]
        up = [part for pair in pairwise(widths[::-1]) for part in (nn.GELU(), nn.ConvTranspose2d(*pair, 4, 2, 1))]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(prod(inner), self.latent_dim))
        self.decoder = nn.Sequential(nn.Linear(self.latent_dim, prod(inner)), nn.Unflatten(1, inner), *up)

    def _learn(self, rows: np.ndarray) -> None:
        torch.manual_seed(self.seed)
        self._build()
        x = self._tensor(rows)
        passes = self.passes or max(1, min(100, round(self.n_steps * 64 / len(x))))
        batches = torch.cat([torch.randperm(len(x)) for _ in range(passes)]).split(64)
        optimizer = torch.optim.AdamW([*self.encoder.parameters(), *self.decoder.parameters()])
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=len(batches))
        for some in batches:
            batch = x[some]
            if len(self.shape) == 3 and self.shape[2] == 3:
                batch = torch.where(torch.rand(len(batch), 1, 1, 1) < 0.5, batch, batch.flip(3))
            optimizer.zero_grad()
            nn.functional.mse_loss(self._output(self.encoder(batch)), batch).backward()
            optimizer.step()
            schedule.step()

    def _tensor(self, rows: np.ndarray) -> torch.Tensor:
        """Rows as network input: images have their channels first."""
        x = torch.from_numpy(rows).float().reshape(-1, *self.shape)
        return x.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else x

    def _output(self, z: torch.Tensor) -> torch.Tensor:
        """What the decoder returns, images cut to their size: it makes sides that are multiples of 8."""
        x_hat = self.decoder(z)
        return x_hat[..., : self.shape[0], : self.shape[1]] if x_hat.ndim == 4 else x_hat

    @torch.inference_mode()
    def _encode(self, rows: np.ndarray) -> np.ndarray:
        return torch.cat([self.encoder(part) for part in self._tensor(rows).split(500)]).numpy()

    @torch.inference_mode()
    def _decode(self, Z: np.ndarray) -> np.ndarray:
        x_hat = torch.cat([self._output(part) for part in torch.from_numpy(Z).split(500)])
        return (x_hat.permute(0, 2, 3, 1) if x_hat.ndim == 4 else x_hat).flatten(1).numpy()
