"""Every architecture at every size, colour and kind of data that is promised, through the estimator."""

import itertools

import numpy as np
import pytest
import torch

from latentmap import Autoencoder
from latentmap.models import MODELS

SIZES = [(8, 8), (9, 13), (31, 64), (64, 31), (97, 40), (128, 128), (255, 8), (8, 256), (256, 256), (201, 233)]


@pytest.mark.parametrize(
    ("name", "size", "channels"), list(itertools.product(sorted(MODELS), SIZES, [1, 3, 4])), ids=str
)
def test_what_comes_out_has_the_shape_of_what_goes_in(name, size, channels):
    module = MODELS[name](sample_shape=(channels, *size), latent_dim=3).eval()
    x = torch.rand(2, channels, *size)
    with torch.no_grad():
        assert module.encode(x).shape == (2, 3)
        assert module(x).shape == x.shape


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("shape", [(11, 9), (16, 24, 3), (9, 8, 4)])
def test_a_little_training_works_at_odd_sizes_and_in_colour(name, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    shifts = np.random.default_rng(0).random(40)[:, None, None] * 6
    images = (120 + 100 * np.sin(x / 3 + shifts) * np.cos(y / 4)).astype(np.uint8)
    if len(shape) == 3:
        images = np.stack([images] * shape[2], axis=-1)
    ae = Autoencoder(name, 2, epochs=4, random_state=0).fit(images)
    assert ae.inverse_transform(ae.transform(images)).shape == images.shape
    assert -ae.score(images) < np.var(images.astype(float), axis=0).mean()


@pytest.mark.parametrize("name", sorted(name for name, kind in MODELS.items() if not kind.images_only))
@pytest.mark.parametrize("n_features", [1, 2, 30, 3000])
def test_vectors_of_any_width_and_scale(name, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2)) @ rng.normal(size=(2, n_features)) * 10.0 ** rng.uniform(-6, 6, n_features)
    X[:, n_features // 2 :: 7] = 5.0 if n_features > 2 else X[:, n_features // 2 :: 7]  # constant features
    ae = Autoencoder(name, min(2, n_features), epochs=12 if n_features < 3000 else 4, random_state=0).fit(X)
    X_hat = ae.inverse_transform(ae.transform(X))
    assert X_hat.shape == X.shape
    assert np.isfinite(X_hat).all()
    scale = np.where(X.std(0) > 1e-12 * np.abs(X.mean(0)), X.std(0), 1.0)
    assert np.mean(((X - X_hat) / scale) ** 2) < 0.7
