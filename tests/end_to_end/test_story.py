"""The whole way in real processes, and what is promised of the real MNIST."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latentmap import Autoencoder, load_dataset
from latentmap.report.figures import FIGURES
from tests.processes import command

LATENTMAP = Path(sys.executable).with_name("latentmap")


def latentmap(folder, *arguments):
    done = subprocess.run(
        [LATENTMAP, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("latentmap: ") for line in done.stderr.splitlines())
    assert "warning" not in done.stderr
    return done.stdout


def test_what_a_process_fits_is_what_this_one_would(tmp_path):
    assert latentmap(tmp_path, "fit", "digits", "-o", "m", "--size", 8, "--epochs", 3, "--seed", 1) == "m\n"
    digits = load_dataset("digits", size=8)
    ae = Autoencoder.load(tmp_path / "m")
    codes = ae.transform(digits.test.images)
    again = Autoencoder(epochs=3, random_state=1).fit(digits.train.images)
    np.testing.assert_array_equal(again.transform(digits.test.images), codes)  # bit for bit, in another process
    errors = (digits.test.images - ae.inverse_transform(codes)) ** 2
    assert -ae.score(digits.test.images) == pytest.approx(errors.mean(), rel=1e-5)


@pytest.mark.mnist
def test_a_slice_of_mnist_is_learned_better_than_by_pca():
    from sklearn.decomposition import PCA

    mnist = load_dataset("mnist", size=None).limit(3000)
    train, test = (split.images.reshape(3000, -1).astype(np.float32) for split in (mnist.train, mnist.test))
    ae = Autoencoder("dense", 2, random_state=0).fit(mnist.train.images)
    pca = PCA(2, random_state=0).fit(train)
    by_pca = np.mean((test - pca.inverse_transform(pca.transform(test))) ** 2)
    assert -ae.score(mnist.test.images) < 0.85 * by_pca


@pytest.mark.mnist
def test_the_report_of_a_slice_of_mnist_is_whole(tmp_path):
    from latentmap.data.builtin import find_folder

    root = find_folder("mnist").parent
    status, out, err = command(tmp_path, "report", "mnist", "-o", "out", "--limit", 100, "--data-dir", root)
    assert (status, out) == (0, "out/report.html\n"), err
    assert all(line.startswith("latentmap: ") for line in err.splitlines())
    assert "warning" not in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "metrics.json", "figures", "models"} <= names
    figures = {path.stem for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert figures == {figure.name for figure in FIGURES}
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(metrics) >= {"dataset", "seconds", "models"}
    assert metrics["dataset"]["image_shape"] in ([32, 32, 1], [1, 32, 32])
    for name in ("dense", "conv", "linear", "pca-2", "pca-64"):
        row = metrics["models"][name]
        assert set(row) >= {
            "latent_dim", "test_mse", "knn_accuracy", "trustworthiness", "fit_seconds", "n_parameters",
        }  # fmt: skip
    ae = Autoencoder.load(tmp_path / "out" / "models" / "dense")
    assert ae.n_parameters_ == metrics["models"]["dense"]["n_parameters"] == 284_226
