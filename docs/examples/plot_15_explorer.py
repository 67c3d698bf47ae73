"""
The explorer: a map to be touched
=================================

`latentmap.explore` makes a page in which the latent space can be touched: move over the map, and
the network draws what is there. The page holds the network itself and computes in your browser; it
makes no request to anywhere.
"""

import latentmap

digits = latentmap.load_dataset("digits")
ae = latentmap.Autoencoder("dense", 2, objective="neighbors", random_state=0).fit(digits.train.images)

# %%
# In a notebook, and on this page, it shows itself in a frame. Point at the map to see what the
# decoder makes of that place; choose a sample to see it beside its reconstruction.

latentmap.explore(ae, digits.test.images, digits.test.labels, title="digits", limit=500)

# %%
# ``save`` writes it as one file, to be sent to someone who has none of this installed.

import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    page = latentmap.explore(ae, digits.test.images, digits.test.labels, limit=100)
    file = page.save(Path(folder) / "explorer.html")
    print(f"{file.name}: {file.stat().st_size / 2**20:.1f} MiB")

# %%
# **What to see:** between groups the drawing changes from one digit into another, and far outside
# it comes apart. **What to bear in mind:** the page holds the samples that it shows and the
# network, so do not send it to those who must not see the data; and its size grows with both
# (``limit`` keeps it small).
