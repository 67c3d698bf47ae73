"""
New samples from a variational autoencoder
==========================================

A decoder turns any code into a sample, so that new samples need no more than new codes. But which?
The codes of a plain autoencoder lie where they happen to lie, with holes between them. A
*variational* autoencoder (``objective="variational"``) blurs each code a little while it learns,
and keeps all of them together near a standard normal distribution: codes drawn from that
distribution then fall on places that the decoder knows.
"""

import numpy as np

from latentmap import Autoencoder, load_dataset, report

digits = load_dataset("digits")
X = digits.train.images

vae = Autoencoder("dense", 8, objective="variational", objective_params={"beta": 60}, epochs=30, random_state=0).fit(X)
plain = Autoencoder("dense", 8, epochs=30, random_state=0).fit(X)

# %%
# ``beta`` says how much being normal counts beside drawing well. At 1, the default, it counts for
# little here: these images were enlarged, so that each pixel is there many times and drawing well
# counts as often. The codes of test images have means near 0 and standard deviations near 1:

Z_test = vae.transform(digits.test.images)
print("mean", Z_test.mean(axis=0).round(1), " standard deviation", Z_test.std(axis=0).round(1))
for name, model in {"variational": vae, "plain": plain}.items():
    print(f"{name:12}error {-model.score(digits.test.images) / 255**2:.4f}")

# %%
# ``sample`` draws codes and decodes them: of a variational model from the normal distribution.

new = vae.sample(36, random_state=0)
report.sample_sheet(new, 255, detail="variational, codes from a standard normal distribution")

# %%
# Codes of a plain autoencoder drawn in the same way, with the spread that its codes have:

Z = plain.transform(X)
rng = np.random.default_rng(0)
naive = plain.inverse_transform(rng.normal(Z.mean(axis=0), Z.std(axis=0), size=(36, Z.shape[1])))
report.sample_sheet(naive, 255, detail="plain, codes from a normal distribution of the same spread")

# %%
# That is why ``sample`` does something else for such models: it fits a mixture of ten normal
# distributions to the training codes, and draws from it.

mixed = plain.sample(36, random_state=0)
report.sample_sheet(mixed, 255, detail="plain, codes from a mixture fitted to the training codes")

# %%
# Are they like digits?
# ---------------------
# Of each new image, the mean squared error to the nearest training image, and how many of its ten
# nearest training images are of one class. For comparison the same of real test images.

from sklearn.neighbors import NearestNeighbors

rows = X.reshape(len(X), -1) / 255.0
neighbours = NearestNeighbors(n_neighbors=10).fit(rows)


def judge(name, images):
    """Print how near images are to real ones, and how sure their class is."""
    distances, nearest = neighbours.kneighbors(images.reshape(len(images), -1) / 255.0)
    votes = [np.bincount(classes).max() for classes in digits.train.labels[nearest]]
    error = np.mean(distances[:, 0] ** 2) / rows.shape[1]
    print(f"{name:26}{error:.4f} from a real one, {np.mean(votes):.1f} of 10 neighbours agree")


judge("variational", vae.sample(500, random_state=0))
judge("plain, normal", plain.inverse_transform(rng.normal(Z.mean(0), Z.std(0), (500, 8))))
judge("plain, mixture", plain.sample(500, random_state=0))
judge("real test images", digits.test.images)

# %%
# **What to see:** drawn from the same kind of distribution, the variational model's samples are
# nearer to real digits and surer of their class than the plain one's. **What to bear in mind:**
# look at the figures: with as few numbers as here the mixture on top of a plain model does better
# still. It needs codes of few numbers and enough of them; of many numbers neither draws well. And
# being near to a real image is no proof of a good sample: the safest sample is a blurred mean.
