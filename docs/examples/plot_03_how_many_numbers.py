"""
How many numbers should a code have?
====================================

Two numbers make a map. For anything else (to compress, to search, to hand on to a classifier) take
as many as the data needs, and no more: the *size of the bottleneck* is the one setting of an
autoencoder that nobody can choose for you without looking.
"""

from latentmap import Autoencoder, analysis, load_dataset, plot, report

digits = load_dataset("digits")

# %%
# See it first
# ------------
# The same test images as they come back from codes of more and more numbers, with PCA of as many
# components below. Small networks are fitted for it, in a few passes each: a picture, no
# measurement.

plot.growth(digits, sizes=(1, 4, 16, 32))

# %%
# Then measure
# ------------
# `latentmap.analysis.sweep` fits one model a size and sets PCA beside each. It recommends the
# smallest size from which twice as many numbers would gain less than 2% of the variance; it
# decides on samples that no model learned from, and not on the test samples in the table.


def make(size):
    """Make the model to be tried with codes of `size` numbers."""
    return Autoencoder("dense", size, epochs=10, random_state=0)


result = analysis.sweep(digits, [2, 4, 8, 16, 32, 64], make)

print(f"{'numbers':>7}{'error':>10}{'PCA':>10}{'kNN':>10}{'PCA':>10}")
for ours, pca in zip(result.model, result.pca, strict=True):
    print(
        f"{ours.latent_dim:7}{ours.test_mse:10.4f}{pca.test_mse:10.4f}"
        f"{ours.knn_accuracy:10.1%}{pca.knn_accuracy:10.1%}"
    )

# %%
# What it says of these digits:

import textwrap

print(textwrap.fill(result.reason, 90))

# %%
# The same as a picture: the error (lower is better) and the accuracy of the ten nearest
# neighbours (higher is better), by size.

report.sweep(result)

# %%
# **What to see:** with few numbers a network errs much less than PCA. The gain vanishes as codes
# grow, for these images hold no more than 8x8 = 64 numbers to begin with.
# **What to bear in mind:** the best size depends on what it is for. To tell classes apart far
# fewer numbers do than to draw every stroke, and where PCA is as good, take PCA.
