"""
Classes from codes
==================

An autoencoder never sees a label, and yet its codes know of the classes: samples that look alike
get codes that lie together. How much of it can be used, to classify with few labels, or to find
groups where there are no labels at all?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier

from latentmap import Autoencoder, analysis, load_dataset

digits = load_dataset("digits")
y, y_test = digits.train.labels, digits.test.labels
sizes = (2, 4, 8, 16)

# %%
# The makers of codes, for each size. The last asks neighbours to stay together.

makers = {
    "PCA": analysis.PcaBaseline,
    "autoencoder": lambda size: Autoencoder("dense", size, epochs=10, random_state=0),
    "neighbors": lambda size: Autoencoder("dense", size, objective="neighbors", epochs=10, random_state=0),
}
few = np.concatenate([np.flatnonzero(y == digit)[:5] for digit in range(10)])  # five of each


def measures(Z, Z_test):
    """Return three measures of codes: two with labels, one without."""
    many = KNeighborsClassifier(10).fit(Z, y).score(Z_test, y_test)
    from_few = KNeighborsClassifier(1).fit(Z[few], y[few]).score(Z_test, y_test)
    groups = KMeans(10, n_init=3, random_state=0).fit(Z).predict(Z_test)
    return many, from_few, adjusted_rand_score(y_test, groups)


results = {}
for name, make in makers.items():
    results[name] = []
    for size in sizes:
        model = make(size).fit(digits.train.images)
        results[name].append(measures(model.transform(digits.train.images), model.transform(digits.test.images)))
pixels = [part.images.reshape(len(part), -1) / 255.0 for part in (digits.train, digits.test)]
of_pixels = measures(*pixels)

# %%
# The dotted line is what the pixels themselves give, all of them.

titles = (
    "all labels\n10 nearest neighbours",
    "five labels a class\nnearest neighbour",
    "no labels: k-means\nadjusted Rand index",
)
fig, axes = plt.subplots(1, 3, figsize=(8, 3.4), layout="constrained")
styles = {"PCA": ("--", "#e17718"), "autoencoder": ("-", "#00729c"), "neighbors": ("-", "#b80054")}
for i, (ax, title) in enumerate(zip(axes, titles, strict=True)):
    for name, (line, colour) in styles.items():
        values = [row[i] for row in results[name]]
        ax.plot(sizes, values, line, marker="o", color=colour, label=name)
    ax.axhline(of_pixels[i], color="#656d76", lw=1, ls=":", label="pixels")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("numbers a code")
    ax.spines[["top", "right"]].set_visible(False)
    if i == 0:
        ax.legend(frameon=False, fontsize=9)

# %%
# The same in figures:

print(f"{'':14}{'numbers':>8}{'all labels':>12}{'few labels':>12}{'k-means':>10}")
for name, rows in results.items():
    for size, (many, from_few, rand) in zip(sizes, rows, strict=True):
        print(f"{name:14}{size:8}{many:12.1%}{from_few:12.1%}{rand:10.2f}")
many, from_few, rand = of_pixels
print(f"{'pixels':14}{pixels[0].shape[1]:8}{many:12.1%}{from_few:12.1%}{rand:10.2f}")

# %%
# **What to see:** with few numbers a network's codes know more of the classes than PCA's, and
# those of ``"neighbors"`` most, above all where there are few labels or none. **What to bear in
# mind:** with more numbers PCA catches up with the plain autoencoder, and where all labels are at
# hand and pixels are few, neighbours among the pixels do as well. Classes are not what was
# learned: if they do not show in how samples look, no code has them.
