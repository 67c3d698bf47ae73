"""An architecture and an objective are one class and one entry each: all else asks the class."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentmap import Autoencoder
from latentmap.models import MODELS, AutoencoderModule
from latentmap.training import OBJECTIVES
from latentmap.training.objectives import Objective


class Shallow(AutoencoderModule):
    """One hidden layer each way."""

    def __init__(self, sample_shape=(1, 32, 32), latent_dim=2, width=16):
        super().__init__(sample_shape, latent_dim, width=width)
        n = int(np.prod(self.sample_shape))
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(n, width), nn.Tanh(), nn.Linear(width, self.latent_dim))
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, width), nn.Tanh(), nn.Linear(width, n), nn.Unflatten(1, self.sample_shape)
        )


class Absolute(Objective):
    """The mean absolute error, and a learned bias on top that nobody needs."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, module, batch, progress=1.0) -> Tensor:
        loss: Tensor = self.weight * functional.l1_loss(module(batch.x) + self.offset, batch.x)
        return loss


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(MODELS, "shallow", Shallow)
    monkeypatch.setitem(OBJECTIVES, "absolute", Absolute)


@pytest.mark.parametrize("kind", ["images", "vectors"])
def test_a_toy_of_each_kind_learns_and_comes_back_from_its_folder(registered, kind, small, vectors, tmp_path):
    X = small.train.images if kind == "images" else vectors
    options = {"model": "shallow", "objective": "absolute", "objective_params": {"weight": 2.0}, "random_state": 0}
    before, after = (Autoencoder(epochs=n, **options).fit(X) for n in (1, 30))
    assert after.score(X) > 1.2 * before.score(X)
    after.save(tmp_path / "m", metadata={"by": "me"})
    assert json.loads((tmp_path / "m" / "config.json").read_text())["architecture"]["width"] == 16
    loaded = Autoencoder.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.transform(X), after.transform(X))
    np.testing.assert_array_equal(loaded.sample(3, random_state=0), after.sample(3, random_state=0))
    assert loaded.get_params()["objective_params"] == {"weight": 2.0}
    assert loaded.describe()["objective"] == "absolute"
    loaded.partial_fit(X)


def test_a_toy_is_resumed_to_the_same_bits(registered, small, tmp_path):
    from latentmap.training import Callback

    class Stop(Callback):
        def on_epoch_end(self, record):
            if record.epoch == 2:
                raise KeyboardInterrupt

    options = {"model": "shallow", "objective": "absolute", "epochs": 4, "random_state": 0}
    X = small.train.images
    with pytest.raises(KeyboardInterrupt):
        Autoencoder(callbacks=[Stop()], **options).fit(X, checkpoint=tmp_path, checkpoint_every=0)
    resumed = Autoencoder(**options).fit(X, checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(resumed.transform(X), Autoencoder(**options).fit(X).transform(X))
    assert resumed.history_[0]["train_loss"] > resumed.history_[-1]["train_loss"]


def test_the_messages_know_of_it(registered, vectors):
    with pytest.raises(ValueError, match=r"model must be one of .*'shallow'.* got 'shalow'\. Did you mean 'shallow'"):
        Autoencoder("shalow").fit(vectors)
    with pytest.raises(
        ValueError, match=r"a key of objective_params for objective='absolute' .*Did you mean 'weight'"
    ):
        Autoencoder(objective="absolute", objective_params={"wight": 1}).fit(vectors)
