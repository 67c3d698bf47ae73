"""
An objective of your own
========================

The *objective* is what training makes small. Besides those that are built in, you can write one: a
class that takes the network and a batch of samples and returns a number, and one entry in the
registry. Here is one for maps whose *distances* can be trusted: to the usual error it adds how much
distances between codes differ from distances between samples.
"""

import numpy as np
import torch
from torch.nn import functional

from latentmap import Autoencoder, analysis, load_dataset, plot
from latentmap.training import OBJECTIVES
from latentmap.training.objectives import Objective


class Distances(Objective):
    """The error of reconstructions, and that of distances.

    Parameters
    ----------
    weight : float, default 1
        Of the second.
    """

    loss_name = "error and distances"

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, module, batch, progress=1.0):
        """Return what is to be made small: a tensor of one number."""
        z = module.encode(batch.x)
        error = functional.mse_loss(module.decode(z), batch.x)
        rows = batch.x.flatten(1)
        far = torch.pdist(rows) / rows.shape[1] ** 0.5  # of samples, a pixel
        return error + self.weight * functional.mse_loss(torch.pdist(z), far)


OBJECTIVES["distances"] = Distances

# %%
# From here on it is an objective like any other: its name and its settings are parameters.

digits = load_dataset("digits")
models = {
    "distances": Autoencoder("dense", 2, objective="distances", objective_params={"weight": 20.0}, random_state=0),
    "plain": Autoencoder("dense", 2, random_state=0),
    "PCA": analysis.PcaBaseline(2),
}
for model in models.values():
    model.fit(digits.train.images)

plot.compare(models, digits)

# %%
# Does it do what it was made for? Distances between test images and between their codes: how far do
# they go together (the correlation), and what does it cost in error?

from scipy.spatial.distance import pdist

far = pdist(digits.test.images.reshape(len(digits.test), -1) / 255.0)
near = {name: pdist(model.transform(digits.test.images)) for name, model in models.items()}
for name, model in models.items():
    error = analysis.evaluate(model, digits).test_mse
    print(f"{name:10} correlation {np.corrcoef(far, near[name])[0, 1]:.3f}   error {error:.4f}")

# %%
# A point is a pair of images: across, how far they are from each other; up, how far on the map.

import matplotlib.pyplot as plt

some = np.random.default_rng(0).choice(len(far), 4000, replace=False)
fig, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained", sharex=True)
axes[0].set_ylabel("between codes")
for ax, (name, distances) in zip(axes, near.items(), strict=True):
    ax.plot(far[some], distances[some], ".", ms=1.5, alpha=0.4, color="#00729c")
    ax.set(title=name, xlabel="between images", ylim=0)

# %%
# How training went. The loss of an objective of your own has a panel of its own.

plot.history({"distances": models["distances"], "plain": models["plain"]})

# %%
# **What to see:** some thirty lines, and everything else (training, pictures, saving) knows of it.
# **What to bear in mind:** two numbers cannot hold the distances of many; something always gives.
# Here groups mix, and the error is higher than the plain model's.
# To load a saved model, its objective must be registered again, as its class is not part of the
# file. Objectives that keep something of their own, or need companions for each sample, find their
# hooks in `latentmap.training.objectives.Objective`.
