"""
Beside PCA and UMAP
===================

Three ways to a map of the same digits. **PCA** turns the cloud of samples and looks at it from its
widest side: quick, linear, and the same every time. **UMAP** lays samples out so that neighbours
stay neighbours: it separates groups, and its way back from the map to images is slow. An
**autoencoder** learns a way to the map and a way back; with ``objective="neighbors"`` it is also
asked to keep neighbours together.
"""

import warnings
from itertools import pairwise
from time import perf_counter

from sklearn.decomposition import PCA

from latentmap import Autoencoder, load_dataset, plot

digits = load_dataset("digits", size=8)
X_train, X_test = digits.train.images, digits.test.images
rows_train = X_train.reshape(len(X_train), -1)  # PCA and UMAP take rows of numbers
rows_test = X_test.reshape(len(X_test), -1)

unfitted = {
    "PCA": (PCA(2, random_state=0), rows_train, rows_test),
    "autoencoder": (Autoencoder("dense", 2, random_state=0), X_train, X_test),
    "neighbors": (Autoencoder("dense", 2, objective="neighbors", random_state=0), X_train, X_test),
}

# %%
# UMAP is an extra (``pip install 'latentmap[umap]'``); without it the page goes on with the rest.
# It compiles itself at its first fit, which is kept out of the times below.

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorFlow, which is not needed
        from umap import UMAP
except ImportError:
    print("umap-learn is not installed: left out")
else:
    start = perf_counter()
    UMAP(n_epochs=20, n_jobs=1, random_state=0).fit(rows_train[:300]).transform(rows_test[:20])
    print(f"compiling UMAP: {perf_counter() - start:.1f} s")
    unfitted["UMAP"] = (UMAP(n_jobs=1, random_state=0), rows_train, rows_test)

# %%
# How long does it take to fit, to place the test images, and to draw 10 of them from their codes?

codes = {}
print(f"{'':12}{'fit':>9}{'place':>9}{'draw 10':>9}")
for name, (model, train, test) in unfitted.items():
    ticks = [perf_counter()]
    model.fit(train)
    ticks.append(perf_counter())
    codes[name] = model.transform(test)
    ticks.append(perf_counter())
    model.inverse_transform(codes[name][:10])
    ticks.append(perf_counter())
    seconds = [after - before for before, after in pairwise(ticks)]
    print(f"{name:12}" + "".join(f"{value:7.2f} s" for value in seconds))

# %%
# The maps, of test images that no method has learned from. In place of models, ``plot.compare``
# takes their codes too. Above each map stands how often the ten nearest of the other codes have the
# right class (by cross-validation), and how far neighbours on the map are neighbours in truth.

plot.compare(codes, X_test, digits.test.labels)

# %%
# **What to see:** a plain autoencoder lies between PCA and UMAP; asked to keep neighbours together
# it comes nearer to UMAP, and it places and draws in no time. **What to bear in mind:** of these
# small images UMAP makes the clearest map. Where only the picture matters, and nothing is to be
# placed in it quickly or drawn from it, take UMAP; where two straight axes hold most of the
# variance, PCA is all you need. In UMAP's map and in that of ``"neighbors"``, distances between
# groups mean little.
