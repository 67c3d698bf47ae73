"""Models of all kinds of data with random weights and statistics: what they compute depends on every one."""

import math

import numpy as np
import torch
from torch import nn

from latentmap.data.preprocessing import Preprocessing
from latentmap.models import MODELS
from latentmap.models.base import AutoencoderModule, build
from latentmap.models.fitted import FittedModel

SAMPLES = {
    "gray": ((12, 8, 1), "uint8"),
    "gray without channels": ((9, 14), "float32"),
    "colour": ((16, 16, 3), "uint8"),
    "colour of odd size": ((13, 7, 3), "uint8"),
    "large": ((37, 40, 3), "uint8"),
    "vectors": ((11,), "float32"),
    "vectors in mixed units": ((6,), "float64"),
}

CASES = [
    (name, kind)
    for name, architecture in sorted(MODELS.items())
    for kind, (shape, _) in SAMPLES.items()
    if len(shape) > 1 or not architecture.images_only
]
"""Every architecture with every kind of samples that it takes."""


def samples(kind, n=40):
    """Smooth samples with some noise, so that codes and components mean something."""
    shape, dtype = SAMPLES[kind]
    rng = np.random.default_rng(0)
    X = rng.random((n, 4)) @ rng.random((4, math.prod(shape))) / 4 + 0.2 * rng.random((n, math.prod(shape)))
    if "mixed" in kind:
        X = X * 10.0 ** np.arange(len(X.T)) + 2000
    return (X * (255 if dtype == "uint8" else 1)).astype(dtype).reshape(n, *shape)


def random_model(name, X, latent_dim, **config):
    """An architecture with all of its weights and statistics random, as no training would leave them."""
    preprocessing = Preprocessing.fit(X)
    facts = {"sample_shape": preprocessing.tensor_shape, "latent_dim": latent_dim, **config}
    module = build(MODELS[name], 0, **{key: fact for key, fact in facts.items() if fact is not None}).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in module.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(layer.running_mean, std=0.3)
                nn.init.uniform_(layer.running_var, 0.2, 3)
                nn.init.normal_(layer.weight, 1, 0.3)
                nn.init.normal_(layer.bias, std=0.3)
    return FittedModel(name, module, preprocessing, {})


class Odd(AutoencoderModule):
    """Layers that no architecture of ours has."""

    def __init__(self, sample_shape, latent_dim):
        super().__init__(sample_shape, latent_dim)
        rise = [nn.Conv2d(3, 6, (2, 5), stride=(1, 3), padding=(2, 0)), nn.BatchNorm2d(6), nn.SiLU(), nn.Dropout(0.5)]
        through = nn.Sequential(nn.Linear(6 * 16, latent_dim, bias=False))
        self.encoder = nn.Sequential(*rise, nn.Flatten(), through)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 16), nn.LeakyReLU(0.2), nn.Linear(16, 6 * 15), nn.Tanh(),
            nn.Unflatten(1, (6, 15, 1)),
            nn.ConvTranspose2d(6, 3, (1, 7), stride=(1, 3), padding=(1, 0), bias=False), nn.GELU(),
        )  # fmt: skip
