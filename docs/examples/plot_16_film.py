"""
How training organises the codes: a film
========================================

Before the first step a network knows nothing, and its codes are a heap. What happens then? A
*callback* is told of every epoch; `CodeFilm` is one that keeps the codes of some samples each time.
"""

from latentmap import Autoencoder, load_dataset
from latentmap.training import CodeFilm

digits = load_dataset("digits")
film = CodeFilm(digits.test.images)  # of samples that are not learned from
ae = Autoencoder("dense", 2, objective="neighbors", callbacks=[film], random_state=0)
ae.fit(digits.train.images)
print(f"{len(film.epochs)} pictures, after epoch {film.epochs[0]:g} to {film.epochs[-1]:g}")

# %%
# Some of the pictures. The colours are the classes, which training has never seen. Above each: how
# often a nearest neighbour among the others has the same class.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import pairwise_distances

labels = digits.test.labels[film.rows]
last = len(film.epochs) - 1
chosen = [0, 1, 2, 4, 8, 14, 20, last]

fig, axes = plt.subplots(2, 4, figsize=(8, 4.4), layout="constrained")
for ax, i in zip(axes.flat, chosen, strict=True):
    Z = film.codes[i]
    distances = pairwise_distances(Z)
    np.fill_diagonal(distances, np.inf)
    same = np.mean(labels[distances.argmin(axis=1)] == labels)
    ax.scatter(Z[:, 0], Z[:, 1], c=labels, cmap="tab10", s=4)
    ax.set_title(f"epoch {film.epochs[i]:g}: {same:.0%}", fontsize=10)
    ax.set(xticks=[], yticks=[], aspect="equal")

# %%
# How fast do the codes move? The mean way of a sample from one picture to the next, in widths of
# the map at the time.

moves = [
    np.linalg.norm(after - before, axis=1).mean() / after.std()
    for before, after in zip(film.codes, film.codes[1:], strict=False)
]
fig, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
ax.plot(film.epochs[1:], moves, color="#00729c")
ax.set(xlabel="epoch", ylabel="mean way of a code", ylim=0)
ax.spines[["top", "right"]].set_visible(False)

# %%
# **What to see:** the large groups part in the first epochs; after that the borders become clear,
# and at last, as the learning rate falls to nearly zero, hardly anything moves. **What to bear in
# mind:** the axes mean nothing and may turn from picture to picture. Give the film to the
# explorer, ``latentmap.explore(ae, digits.test.images, digits.test.labels, films=film)``, and the
# page plays it.
