"""
Walks between samples
=====================

What lies half way between two images? If you blend their pixels you get both at once, one shining
through the other. An autoencoder can go another way: walk in a straight line from one *code* to the
other in the latent space, and decode every step. If the latent space is well organised the steps
look like samples in their own right.
"""

import numpy as np

from latentmap import Autoencoder, analysis, load_dataset, plot

digits = load_dataset("digits")
fitted = {
    "plain": Autoencoder("dense", 8, epochs=30, random_state=0),
    "variational": Autoencoder("dense", 8, objective="variational", epochs=30, random_state=0),
    "PCA": analysis.PcaBaseline(8),
}
for model in fitted.values():
    model.fit(digits.train.images)

# %%
# Pairs of test images of different classes. The ends of a walk are reconstructions; the last row of
# each pair is the plain blend of the two images.

plot.interpolation(fitted, digits, n_steps=9)

# %%
# Walks of your own choice: ``pairs`` takes rows of the samples that are shown.

labels = digits.test.labels
one, seven = np.flatnonzero(labels == 1)[0], np.flatnonzero(labels == 7)[0]
variational = {"variational": fitted["variational"]}
plot.interpolation(variational, digits, pairs=[(one, seven)], n_steps=11)

# %%
# Is the middle of a walk like a digit?
# -------------------------------------
# Measured on many walks: how far (in mean squared error) the middle of a walk is from the nearest
# real training image, and how far its ends are, which are reconstructions of real images.

rng = np.random.default_rng(0)
pairs = rng.integers(len(labels), size=(300, 2))
pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
walks = analysis.interpolate(fitted, digits, pairs, n_steps=3)

real = digits.train.images.reshape(len(digits.train), -1) / 255.0


def nearness(images):
    """Return the mean squared error to the nearest training image, on average."""
    rows = images.reshape(len(images), -1)
    squares = (rows**2).sum(1)[:, None] + (real**2).sum(1) - 2 * rows @ real.T
    return squares.min(axis=1).mean() / rows.shape[1]


print(f"{len(pairs)} walks{'middle':>14}{'ends':>9}")
for name, steps in {**walks.walks, "pixels, blended": walks.blend}.items():
    unit = digits.unit if steps.max() > 2 else 1.0
    middle = nearness(steps[:, 1] / unit)
    ends = (nearness(steps[:, 0] / unit) + nearness(steps[:, 2] / unit)) / 2
    print(f"{name:16}{middle:9.4f}{ends:9.4f}")

# %%
# **What to see:** the middle of a walk through the codes of a network is nearer to a real digit
# than a blend of pixels is, and than PCA's, whose walk is a blend too, of what its components can
# draw. **What to bear in mind:** a middle is still farther from real digits than the ends are.
# A straight line between two groups crosses places where nothing was ever seen, and what is drawn
# there is a guess.
