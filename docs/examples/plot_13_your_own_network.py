"""
A network of your own
=====================

The built-in architectures are there so that you need not think of one. If you want to: change
their sizes, or bring an encoder and a decoder of your own. All else stays as it is: preprocessing,
training, pictures, files.
"""

from torch import nn

from latentmap import Autoencoder, load_dataset, plot

digits = load_dataset("digits")
X = digits.train.images

# %%
# Other sizes
# -----------
# ``model_params`` are the sizes of an architecture: here two layers of 256 and 64 units on the way
# to the code, and the same back.

wide = Autoencoder("dense", 8, model_params={"hidden": (256, 64)}, epochs=10, random_state=0).fit(X)

# %%
# Other layers
# ------------
# A pair of ``torch.nn.Module``: the encoder takes images as (n, channels, height, width) with
# pixels from 0 to 1 and gives codes (n, latent_dim); the decoder goes back. How many numbers a
# code has is what the encoder gives. (``torch.manual_seed`` makes its first weights the same every
# time.)

import torch

torch.manual_seed(0)
encoder = nn.Sequential(
    nn.Conv2d(1, 16, 4, stride=2, padding=1),  # 32x32 -> 16x16
    nn.GELU(),
    nn.Conv2d(16, 32, 4, stride=2, padding=1),  # -> 8x8
    nn.GELU(),
    nn.Flatten(),
    nn.Linear(32 * 8 * 8, 8),
)
decoder = nn.Sequential(
    nn.Linear(8, 32 * 8 * 8),
    nn.GELU(),
    nn.Unflatten(1, (32, 8, 8)),
    nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
    nn.GELU(),
    nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
    nn.Sigmoid(),  # pixels from 0 to 1
)
own = Autoencoder(model=(encoder, decoder), epochs=15, random_state=0).fit(X)

# %%
# What `fit` learned are copies: the modules that you gave keep their weights.

models = {"dense, 256-64": wide, "own": own}
plot.network(models)

# %%
# On the test images:

from latentmap import analysis

for name, model in models.items():
    scores = analysis.evaluate(model, digits)
    print(
        f"{name:14} {model.n_parameters_:8,} parameters   error {scores.test_mse:.4f}   "
        f"kNN accuracy {scores.knn_accuracy:.1%}"
    )
plot.reconstructions(models, digits)

# %%
# Saving and loading
# ------------------
# A saved model holds weights, no code. To load a network of your own, give modules of the same
# layers again, whatever their weights.

import tempfile
from pathlib import Path

import numpy as np

with tempfile.TemporaryDirectory() as folder:
    own.save(Path(folder) / "own")
    loaded = Autoencoder.load(Path(folder) / "own", model=(encoder, decoder))
same = np.array_equal(loaded.transform(digits.test.images), own.transform(digits.test.images))
print("the same codes, bit for bit:", same)

# %%
# **What to see:** a network of your own is used like any other. **What to bear in mind:** it
# begins with the weights it has, where the built-in ones begin at PCA or near it, and the learning
# rate that suits it is yours to find (``learning_rate``). A network with a name, which others can
# choose, is one class and one entry in ``latentmap.models.MODELS``: see CONTRIBUTING.md.
