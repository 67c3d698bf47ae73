"""
A map that separates, and decodes
=================================

With two numbers a plain autoencoder draws as well as two numbers allow, and mixes groups that look
alike. ``objective="neighbors"`` asks for one thing more: each sample is shown with one of its
nearest neighbours in the data, and the two are to lie nearer to each other on the map than to all
others. Labels are not used for it.
"""

from latentmap import Autoencoder, load_dataset, plot

digits = load_dataset("digits")

ae = Autoencoder("residual", 2, objective="neighbors", epochs=10, random_state=0)
ae.fit(digits.train.images)
plot.map(ae, digits)

# %%
# Beside a plain autoencoder with the same network. Above each: how often the ten nearest training
# codes have the right class, and how far neighbours on the map are neighbours in truth.

plain = Autoencoder("residual", 2, epochs=10, random_state=0).fit(digits.train.images)
plot.compare({"neighbors": ae, "plain": plain}, digits)

# %%
# The map decodes: this is what the network draws all over the plane. Faded cells are those where
# no training image lies; what is drawn there is a guess.

plot.latent_grid(ae, digits, n_cells=16)

# %%
# What it costs: the error of reconstructions on the test images.

from latentmap import analysis

for name, model in {"neighbors": ae, "plain": plain}.items():
    print(f"{name:10} error {analysis.evaluate(model, digits).test_mse:.4f}")

# %%
# One image per class, decoded from the middle of its group. Below each picture: what it looks like
# to its ten nearest training images.

plot.medians({"neighbors": ae, "plain": plain}, digits)

# %%
# **What to see:** islands where the plain map has a continent, and each island can be drawn.
# **What to bear in mind:** as in UMAP and t-SNE, who is near whom is what such a map shows; how
# far islands lie apart, how large they are and what lies between them means little. If you need
# distances, or the lowest error, take the plain objective.
