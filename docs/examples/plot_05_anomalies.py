"""
Strange rows in a table
=======================

An autoencoder that has learned one kind of sample gives this kind back well, and what is unlike it
badly. The *reconstruction error* of a sample therefore says how strange it is: ``anomaly_score``.
No examples of what is strange are needed. It works for tables as for images.

Here is a table of readings of an engine (made up): eight sensors, all of which follow from how fast
it runs and how hard it works. In the strange rows one sensor shows what it showed in another
row. Every single value is quite usual then; what is wrong is how the values go together.
"""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from latentmap import Autoencoder, plot

rng = np.random.default_rng(0)


def readings(n):
    """Return readings of `n` moments at which nothing is wrong."""
    load, speed = rng.uniform(0, 1, n), rng.uniform(0.3, 1, n)
    table = pd.DataFrame(
        {
            "power": load * speed,
            "fuel": np.sqrt(load) * speed,
            "oil heat": 20 + 60 * load**2,
            "exhaust": 200 + 400 * load * speed,
            "vibration": np.sin(3 * load) + speed,
            "air flow": speed**3,
            "period": 1 / (0.3 + speed),
            "torque": load / speed,
        }
    )
    return table + 0.03 * table.std().to_numpy() * rng.normal(size=table.shape)


X_train, X_usual = readings(2000), readings(400)
X_strange = X_usual.copy()
broken = rng.integers(X_usual.shape[1], size=len(X_usual))  # which sensor, in each row
for row, (sensor, other) in enumerate(zip(broken, rng.permutation(len(X_usual)), strict=True)):
    X_strange.iat[row, sensor] = X_usual.iat[other, sensor]
X_test = pd.concat([X_usual, X_strange], ignore_index=True)
y_test = np.repeat([False, True], len(X_usual))

# %%
# Features in different units need no scaling beforehand: it is done inside, and the score counts
# each feature in its standard deviations.

ae = Autoencoder(latent_dim=2, random_state=0).fit(X_train)
scores = ae.anomaly_score(X_test)

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
bins = np.geomspace(scores.min(), scores.max(), 40)
ax.hist(scores[~y_test], bins, alpha=0.7, label="usual, not learned from", color="#00729c")
ax.hist(scores[y_test], bins, alpha=0.7, label="one sensor wrong", color="#e17718")
ax.set(xscale="log", xlabel="anomaly score (log scale)", ylabel="rows")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# A measure that needs no threshold is the area under the ROC curve: how often a strange row has a
# higher score than a usual one (0.5 is guessing). Beside it the reconstruction error of PCA with as
# many numbers, and an isolation forest, which looks for rows that are easily told from the rest.


def compare(X_train, X_test, y_test, sizes):
    """Print how well strange rows are told by autoencoders, PCA, and an isolation forest."""
    scaler = StandardScaler().fit(X_train)
    S_train, S_test = scaler.transform(X_train), scaler.transform(X_test)
    print(f"{'numbers':>8}{'autoencoder':>14}{'PCA':>10}")
    for size in sizes:
        ours = Autoencoder(latent_dim=size, random_state=0).fit(X_train).anomaly_score(X_test)
        pca = PCA(size, random_state=0).fit(S_train)
        theirs = ((pca.inverse_transform(pca.transform(S_test)) - S_test) ** 2).mean(axis=1)
        print(f"{size:8}{roc_auc_score(y_test, ours):14.3f}{roc_auc_score(y_test, theirs):10.3f}")
    forest = IsolationForest(random_state=0).fit(S_train)
    print(f"isolation forest {roc_auc_score(y_test, -forest.score_samples(S_test)):10.3f}")


compare(X_train, X_test, y_test, sizes=(1, 2, 3, 4))

# %%
# Which sensor is it?
# -------------------
# The reading that differs most from its reconstruction, in standard deviations.

X_hat = ae.inverse_transform(ae.transform(X_strange))
found = (np.abs(X_strange - X_hat) / X_train.std()).to_numpy().argmax(axis=1)
print(f"the right sensor is named in {np.mean(found == broken):.0%} of the strange rows")

# %%
# The strangest rows, and what the network makes of each (the line; the dots are the readings).

plot.strangest(ae, X_test, np.where(y_test, "wrong", "usual"), n=5)

# %%
# A real table
# ------------
# 569 tumours, 30 measurements each. The models see benign ones only, and are to find the others.

from sklearn.datasets import load_breast_cancer

X, y = load_breast_cancer(return_X_y=True)
malignant = y == 0
learned = np.flatnonzero(~malignant)[::2]
others = np.setdiff1d(np.arange(len(X)), learned)
print(f"learned from {len(learned)} benign; to judge {len(others)}, {malignant.sum()} malignant")
compare(X[learned], X[others], malignant[others], sizes=(2, 6, 10))

# %%
# **What to see:** where the strange breaks relations, and these are bent, an autoencoder finds it,
# PCA less often, and the isolation forest, which judges by how far out a row lies, hardly at
# all. **What to bear in mind:** the second table is the other way round. Malignant tumours are
# simply larger in most respects, the isolation forest is the better choice, and among so few
# rows the autoencoder finds nothing that PCA would not find. Take enough numbers to hold what
# varies, and no more: a model that can draw everything is surprised by nothing.
