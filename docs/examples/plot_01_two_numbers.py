"""
Digits in two numbers
=====================

An **autoencoder** is a pair of networks. The *encoder* turns a sample (here an image) into a few
numbers, its *code*; the *decoder* turns a code back into a sample. They learn together, and all
they are told is that what comes out should be what went in. Since everything has to pass through
the few numbers in the middle, the *bottleneck*, the two have to find out what tells samples apart.

With two numbers a code is a place in the plane, so that all samples make a map.
"""

from latentmap import Autoencoder, load_dataset, plot

digits = load_dataset("digits")  # 8x8 images that come with scikit-learn, enlarged to 32x32
digits

# %%
# Where ``sklearn.decomposition.PCA`` would stand, an `Autoencoder` can stand: ``fit`` learns,
# ``transform`` encodes, ``inverse_transform`` decodes. Labels are not used to learn.

ae = Autoencoder(model="dense", latent_dim=2, random_state=0).fit(digits.train.images)
Z = ae.transform(digits.test.images)
X_hat = ae.inverse_transform(Z)
print("images", digits.test.images.shape, "-> codes", Z.shape, "-> images", X_hat.shape)

# %%
# The network itself: layers that narrow to the bottleneck and widen again.

plot.network(ae)

# %%
# Did it learn? The *loss*, here the mean squared error of a pixel, falls with every pass over the
# training images (an *epoch*). The solid line is of images that were kept from learning
# (*validation*): as long as it falls too, the network learns digits and not just these images.

plot.history(ae)

# %%
# The map
# -------
# Each point is a test image at the place of its code. The colours are the classes, which the
# network has never seen. Images that look alike lie together.

plot.map(ae, digits)

# %%
# What is lost
# ------------
# The same images before and after the bottleneck. Two numbers are enough for the gist of most
# digits; the hand of the writer is gone, and some come back as another digit. At the end stand
# the best, the median and the worst of all.

plot.reconstructions(ae, digits)

# %%
# The decoder draws any place
# ---------------------------
# The plane of all codes is the *latent space*. Unlike a method that only places samples, a decoder
# can be asked about places where there is no sample.

plot.latent_grid(ae, digits, n_cells=16)

# %%
# In figures, on test images: the error, how often the ten nearest training codes have the right
# class, and how far neighbours on the map are neighbours in truth (*trustworthiness*, 1 is best).

from latentmap import analysis

models = {"autoencoder": ae, "PCA": analysis.PcaBaseline(2).fit(digits.train.images)}
for name, model in models.items():
    scores = analysis.evaluate(model, digits)
    print(
        f"{name:12} error {scores.test_mse:.4f}   kNN accuracy {scores.knn_accuracy:.1%}   "
        f"trustworthiness {scores.trustworthiness:.3f}"
    )

# %%
# **What to see:** one network places new images and draws from any place, and it makes more of two
# numbers than the straight axes of PCA do. **What to bear in mind:** two numbers are very few.
# Groups overlap here because nothing asked the network to keep them apart; the example on
# ``objective="neighbors"`` does.
