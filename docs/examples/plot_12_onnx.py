"""
Running a model without PyTorch
===============================

To use a model in a web service, on a phone or in another language, PyTorch is not needed: ONNX is
a format for networks that many programs run. ``export_onnx`` writes two files, the encoder and the
decoder, with the preprocessing in them. (It needs the extra: ``pip install 'latentmap[onnx]'``.)
"""

import tempfile
from pathlib import Path

import numpy as np

from latentmap import Autoencoder, load_dataset

digits = load_dataset("digits")
ae = Autoencoder("dense", 8, random_state=0).fit(digits.train.images)

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "onnx"
difference = ae.export_onnx(folder)

# %%
# Both files are compared with PyTorch before they are kept; the largest difference is returned.

print(f"largest difference {difference:.1e}")
for file in sorted(folder.iterdir()):
    print(f"{file.name}: {file.stat().st_size / 1024:.0f} KiB")

# %%
# From here on neither Latentmap nor PyTorch has a part in it. What do the files take and give?

import onnxruntime

encoder = onnxruntime.InferenceSession(folder / "encoder.onnx")
decoder = onnxruntime.InferenceSession(folder / "decoder.onnx")
for name, session in {"encoder": encoder, "decoder": decoder}.items():
    for kind, ends in {"takes": session.get_inputs(), "gives": session.get_outputs()}.items():
        print(name, kind, *(f"{end.name}: {end.type} {end.shape}" for end in ends))

# %%
# They are given images as ``fit`` saw them, and give them back in the same units.

images = digits.test.images
given = encoder.get_inputs()[0]
X = images.astype(np.float32 if "float" in given.type else np.uint8)
(Z,) = encoder.run(None, {given.name: X})
(X_hat,) = decoder.run(None, {decoder.get_inputs()[0].name: Z})

print("codes", Z.shape, Z.dtype, "images", X_hat.shape, X_hat.dtype)
print("codes as before: ", np.allclose(Z, ae.transform(images), atol=1e-3))
print("images as before:", np.allclose(X_hat, ae.inverse_transform(Z), atol=0.1))

# %%
# A process of its own shows that PyTorch is not loaded:

import subprocess
import sys

code = f"""
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession({str(folder / "encoder.onnx")!r})
first = session.get_inputs()[0]
X = numpy.zeros((1, 32, 32, 1), numpy.{X.dtype.name})
print(session.run(None, {{first.name: X}})[0].shape, "torch" in sys.modules)
"""
done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
print(done.stdout)

# %%
# The images that came back this way:

import matplotlib.pyplot as plt

fig, axes = plt.subplots(2, 10, figsize=(8, 1.8), layout="constrained")
for column in range(10):
    i = np.flatnonzero(digits.test.labels == column)[0]
    for ax, pictures in zip(axes[:, column], (images, X_hat), strict=True):
        ax.imshow(pictures[i, ..., 0], cmap="gray", vmin=0, vmax=255)
        ax.axis("off")
temporary.cleanup()

# %%
# **What to see:** the same numbers as PyTorch's, but for rounding (above the images that went in,
# below those that came out). **What to bear in mind:** the files hold the network and no
# training; keep the folder that ``save`` writes too, to go on learning or to look at the model.
