"""
Taking noise away
=================

A *denoising* autoencoder learns from samples that are spoilt on purpose: it is given a noisy image
and must return the clean one (``objective="denoising"``). It never sees the noise
that it will be used on, only noise of that kind.

The other two here were not made for it, and clean nevertheless: what does not fit through a
bottleneck is left out, and noise is the first thing that does not fit.
"""

import numpy as np

from latentmap import Autoencoder, analysis, load_dataset

digits = load_dataset("digits", size=8)  # as they are: each pixel has its own noise
clean = digits.test.images / np.float32(255)
learn = digits.train.images / np.float32(255)

rng = np.random.default_rng(0)
noise = 0.3
noisy = np.clip(clean + noise * rng.normal(size=clean.shape), 0, 1).astype(np.float32)

# %%
# All have codes of 16 numbers. ``noise`` is in standard deviations of the data.

size = 16
denoising = {"noise": noise / learn.std(), "masking": 0}
models = {
    "denoising": Autoencoder(
        "dense", size, objective="denoising", objective_params=denoising, epochs=60, random_state=0
    ),
    "plain": Autoencoder("dense", size, epochs=60, random_state=0),
    "PCA": analysis.PcaBaseline(size),
}
for model in models.values():
    model.fit(learn)

# %%
# To clean an image is to encode and decode it. What counts is how far the outcome is from the
# *clean* image, which only we know.


def cleaned(model, images):
    """Return what a model makes of images."""
    return model.inverse_transform(model.transform(images))


def error(images):
    """Return the mean squared error from the clean images."""
    return float(np.mean((images - clean) ** 2))


print(f"{'as it was given':18}{error(noisy):.4f}")
for name, model in models.items():
    of_noisy, of_clean = (error(cleaned(model, images)) for images in (noisy, clean))
    print(f"{name:18}{of_noisy:.4f}   (given clean ones {of_clean:.4f})")

# %%
# Is that fair to PCA? Fewer components let less noise through, and draw less. At its best:

sizes = (2, 4, 8, 12, 16, 24, 32)
errors = [error(cleaned(analysis.PcaBaseline(k).fit(learn), noisy)) for k in sizes]
best = int(np.argmin(errors))
print(f"the best PCA of {sizes} components has {sizes[best]}: {errors[best]:.4f}")

# %%
# A row each: what was given, what the models make of it, and what it was.

import matplotlib.pyplot as plt

rows = {"noisy": noisy, **{name: cleaned(model, noisy) for name, model in models.items()}}
rows["clean"] = clean
shown = [np.flatnonzero(digits.test.labels == digit)[0] for digit in range(10)]
fig, axes = plt.subplots(len(rows), 10, figsize=(8, 4.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, image in zip(line, images[shown], strict=True):
        ax.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])

# %%
# **What to see:** trained for it, the network comes nearest to the clean images, and it pays with
# some sharpness: clean images come back a little worse than from a plain autoencoder.
# **What to bear in mind:** train with the noise you expect. PCA with few components is a strong and
# quick rival, and where pixels vary smoothly over many neighbours (as in enlarged images) an
# ordinary filter already removes most of such noise.
