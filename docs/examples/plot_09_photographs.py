"""
Colour photographs, in patches
==============================

Images may be in colour and of any size. Here are two photographs that come with scikit-learn, cut
into patches of 16x16 pixels: 768 values each, of which a code of 32 numbers is to be made. The
right part of each photograph is learned from; the left part is for judging.
"""

import numpy as np
from sklearn.datasets import load_sample_images

from latentmap import Autoencoder, analysis, plot

photographs = load_sample_images().images
side, edge = 16, 208
rng = np.random.default_rng(0)


def cut(photograph, n):
    """Return `n` patches from anywhere in the right part."""
    height, width, _ = photograph.shape
    corners = rng.integers((0, edge), (height - side, width - side), size=(n, 2))
    return [photograph[top : top + side, left : left + side] for top, left in corners]


def tiles(photograph):
    """Return the patches of the left part, row by row, each pixel once."""
    height, width = photograph.shape[0] // side, edge // side
    part = photograph[: height * side, :edge]
    return part.reshape(height, side, width, side, 3).swapaxes(1, 2)


X = np.concatenate([cut(photograph, 1250) for photograph in photographs])
X_test = np.concatenate([tiles(one).reshape(-1, side, side, 3) for one in photographs])
print("to learn from", X.shape, "to judge by", X_test.shape)

# %%
# For photographs there is an architecture of its own, ``"strided"``, which looks at small parts of
# an image first. It begins as PCA, and learns what PCA lacks: epoch 0 of its history is PCA.

ae = Autoencoder("strided", latent_dim=32, epochs=4, random_state=0).fit(X)
pca = analysis.PcaBaseline(32).fit(X)

unit = 255**2
X_pca = pca.inverse_transform(pca.transform(X_test))
print(f"mean squared error: autoencoder {-ae.score(X_test) / unit:.5f}, ", end="")
print(f"PCA {np.mean((X_pca - X_test) ** 2) / unit:.5f}")
print(f"best epoch of {ae.n_iter_}: {ae.best_epoch_}")

# %%
# Patches, and what comes back.

plot.reconstructions({"strided": ae, "PCA": pca}, X_test)

# %%
# The left part of a photograph, put together again from its patches: 768 values of each have
# gone through 32 numbers.

import matplotlib.pyplot as plt


def through(model, photograph):
    """Return the left part of a photograph as a model gives it back."""
    patches = tiles(photograph)
    codes = model.transform(patches.reshape(-1, side, side, 3))
    shown = np.clip(model.inverse_transform(codes), 0, 255).astype(np.uint8)
    shown = shown.reshape(patches.shape).swapaxes(1, 2)
    return shown.reshape(shown.shape[0] * side, -1, 3)


fig, axes = plt.subplots(2, 3, figsize=(7.5, 9.8), layout="constrained")
for line, photograph in zip(axes, photographs, strict=True):
    original = tiles(photograph).swapaxes(1, 2)
    original = original.reshape(original.shape[0] * side, -1, 3)
    found = {"strided": through(ae, photograph), "PCA": through(pca, photograph)}
    for ax, (name, picture) in zip(line, {"original": original, **found}.items(), strict=True):
        ax.imshow(picture)
        ax.set_title(name)
        ax.axis("off")

# %%
# **What to see:** colour needs no setting, codes of 32 numbers keep edges and colours, and fine
# texture is lost. **What to bear in mind:** look at the figures. From a few thousand patches of two
# photographs and in a few seconds, a network has nothing to gain over PCA, and where the best epoch
# is 0 it *is* PCA: that is what you get where nothing is better. To leave PCA behind, photographs
# ask for tens of thousands of images and some minutes; the README has the figures.
