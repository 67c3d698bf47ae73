"""A new architecture, a new objective: one class and one entry each, and all else works as with any other.

So are a figure in `report/toy_figure.py` and a data format in `data/test_new_format.py`; CONTRIBUTING.md shows all four.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from torch import nn
from torch.nn import functional

from latentmap import Autoencoder
from latentmap.models import MODELS, AutoencoderModule
from latentmap.models.base import n_values
from latentmap.report import ModelSpec, build_report
from latentmap.training.objectives import OBJECTIVES, Objective


class Tanh(AutoencoderModule):
    """One hidden layer of few units."""

    def __init__(self, sample_shape, latent_dim=2, hidden=16):
        super().__init__(sample_shape, latent_dim, hidden=hidden)
        n = n_values(self.sample_shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(n, hidden), nn.Tanh(), nn.Linear(hidden, latent_dim))
        out = nn.Sequential(nn.Linear(latent_dim, hidden), nn.Tanh(), nn.Linear(hidden, n))
        self.decoder = nn.Sequential(out, nn.Unflatten(1, self.sample_shape))


class Absolute(Objective):
    """The mean absolute error, which outliers move less than the squared one."""

    def forward(self, module, batch, progress=1.0):
        """Return the loss."""
        return functional.l1_loss(module(batch.x), batch.x)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(MODELS, "tanh", Tanh)
    monkeypatch.setitem(OBJECTIVES, "absolute", Absolute)


TOYS = {"an architecture": {"model": "tanh"}, "an objective": {"model": "linear", "objective": "absolute"}}


@pytest.mark.parametrize("params", TOYS.values(), ids=TOYS)
def test_it_learns_is_saved_and_loaded(params, small, tmp_path):
    X = small.train.X
    ae = Autoencoder(**params, latent_dim=3, epochs=20, random_state=0).fit(X)
    assert ae.score(small.test.X) > Autoencoder(**params, latent_dim=3, epochs=1, random_state=0).fit(X).score(
        small.test.X
    )
    ae.save(tmp_path / "model")
    loaded = Autoencoder.load(tmp_path / "model")
    assert {key: loaded.get_params()[key] for key in params} == params
    np.testing.assert_array_equal(loaded.transform(X), ae.transform(X))


def test_a_report_shows_both(small, tmp_path):
    specs = [ModelSpec(name, {**params, "latent_dim": 2, "epochs": 2}, "", True) for name, params in TOYS.items()]
    report = build_report(small, tmp_path / "out", specs=specs)
    assert set(TOYS) < set(report.metrics["models"])
    for name in TOYS:
        assert name in report.page.read_text()


def test_contributing_shows_the_toys_as_they_are():
    here = Path(__file__).parent
    toys = [here / "test_toys.py", here / "report" / "toy_figure.py", here / "data" / "test_new_format.py"]
    code = "\n".join(path.read_text() for path in toys)
    shown = re.findall(r"```python\n(.*?)```", (here.parent / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert len(shown) == 4
    for block in shown:
        assert block in code
