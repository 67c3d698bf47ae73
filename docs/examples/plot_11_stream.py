"""
Learning from a stream
======================

Data does not always come at once. ``partial_fit`` learns from one piece in one pass, and can be
given the next as it comes: from a file too large for memory, a sensor, a queue.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA, IncrementalPCA

from latentmap import Autoencoder, load_dataset

digits = load_dataset("digits", size=8)
X_test = digits.test.images


def stream(n_pieces, size=256):
    """Yield pieces of the training images, in random order, again and again."""
    rng = np.random.default_rng(0)
    for _ in range(n_pieces):
        yield digits.train.images[rng.choice(len(digits.train), size, replace=False)]


# %%
# The first piece decides the network's size and how pixels are read, so it should be like the
# rest. Name the architecture: ``"auto"`` would choose by the first piece alone.

ae = Autoencoder("dense", latent_dim=4, random_state=0)
pca = IncrementalPCA(4)  # scikit-learn's way to learn PCA from a stream
errors, errors_pca = [], []

for X in stream(60):
    ae.partial_fit(X)
    errors.append(-ae.score(X_test) / 255**2)

    pca.partial_fit(X.reshape(len(X), -1))
    rows = X_test.reshape(len(X_test), -1)
    X_hat = pca.inverse_transform(pca.transform(rows))
    errors_pca.append(np.mean((X_hat - rows) ** 2) / 255**2)

# %%
# For comparison: PCA and an autoencoder that see all training images at once.

rows_train = digits.train.images.reshape(len(digits.train), -1)
all_pca = PCA(4, random_state=0).fit(rows_train)
pca_at_once = np.mean((all_pca.inverse_transform(all_pca.transform(rows)) - rows) ** 2) / 255**2
at_once = Autoencoder("dense", latent_dim=4, random_state=0).fit(digits.train.images)

print(f"autoencoder: stream {errors[-1]:.4f}, at once {-at_once.score(X_test) / 255**2:.4f}")
print(f"PCA:         stream {errors_pca[-1]:.4f}, at once {pca_at_once:.4f}")

fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
ax.plot(np.arange(1, len(errors) + 1), errors, color="#00729c", label="autoencoder, partial_fit")
ax.plot(np.arange(1, len(errors) + 1), errors_pca, "--", color="#e17718", label="IncrementalPCA")
ax.set(xlabel="pieces seen", ylabel="mean squared error, test images")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# What it has learned can be used at any time, and saved and gone on with.

import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    ae.save(Path(folder) / "model")
    later = Autoencoder.load(Path(folder) / "model")
later.partial_fit(next(stream(1)))
print("error after one more piece:", f"{-later.score(X_test) / 255**2:.4f}")

# %%
# **What to see:** the error falls with every piece, fast at first, and then goes up and down a
# little. **What to bear in mind:** a stream has no schedule, for nobody knows when it ends: the
# learning rate is constant, and no part is kept to judge by. So where all data fits in memory,
# ``fit`` is the better choice, as the figures above say. IncrementalPCA needs a few pieces only:
# where straight axes are enough, take it.
