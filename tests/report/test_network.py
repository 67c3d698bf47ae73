"""The network in the page computes what PyTorch computes, in a real browser, from the weights as the page has them."""

import base64
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from latentmap.analysis import PcaBaseline
from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import LayerError
from latentmap.models import MODELS
from latentmap.models.base import AutoencoderModule, build
from latentmap.models.fitted import FittedModel
from latentmap.models.layers import describe
from latentmap.report.explorer import FOLDER
from latentmap.report.explorer.weights import halved

SAMPLES = {
    "gray": ((12, 8, 1), "uint8"),
    "gray without channels": ((9, 14), "float32"),
    "colour": ((16, 16, 3), "uint8"),
    "colour of odd size": ((13, 7, 3), "uint8"),
    "large": ((37, 40, 3), "uint8"),
    "vectors": ((11,), "float32"),
    "vectors in mixed units": ((6,), "float64"),
}


def samples(kind, n=40):
    """Smooth samples with some noise, so that codes and components mean something."""
    shape, dtype = SAMPLES[kind]
    rng = np.random.default_rng(0)
    X = rng.random((n, 4)) @ rng.random((4, math.prod(shape))) / 4 + 0.2 * rng.random((n, math.prod(shape)))
    if "mixed" in kind:
        X = X * 10.0 ** np.arange(len(X.T)) + 2000
    return (X * (255 if dtype == "uint8" else 1)).astype(dtype).reshape(n, *shape)


def random_model(name, X, latent_dim, **config):
    """An architecture with all of its weights and statistics random, as no training leaves them."""
    preprocessing = Preprocessing.fit(X)
    facts = {"sample_shape": preprocessing.tensor_shape, "latent_dim": latent_dim, **config}
    module = build(MODELS[name], 0, **{key: fact for key, fact in facts.items() if fact is not None}).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in module.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(layer.running_mean, std=0.3)
                nn.init.uniform_(layer.running_var, 0.2, 3)
                nn.init.normal_(layer.weight, 1, 0.3)
                nn.init.normal_(layer.bias, std=0.3)
    return FittedModel(name, module, preprocessing, {})


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A page in which networks are computed: `load` gives it one."""
    page = browser.new_page()
    page.path = tmp_path_factory.mktemp("network") / "page.html"
    load(page, random_model("linear", samples("vectors"), 2))
    yield page
    page.close()


def load(page, model):
    """Open a page that has a model, its weights as they are written; sent to an open one they'd take seconds."""
    description = describe(model)
    weights = [(str(one.dtype), base64.b64encode(one.tobytes()).decode()) for one in halved(description.weights)]
    page.path.write_text(f"""<script>
      {(FOLDER / "network.js").read_text()}
      const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
      const TYPES = {{ float16: Float16Array, float32: Float32Array }};
      const weights = {json.dumps(weights)}.map(([type, text]) => Float32Array.from(new TYPES[type](bytes(text))));
      const network = new Network({json.dumps(description.facts)}, weights);
    </script>""")
    page.goto(page.path.as_uri())


def computed(page, method, rows):
    """What the page's network gives for each of some rows."""
    script = "([method, rows]) => JSON.stringify(JSON.parse(rows).map((row) => Array.from(network[method](row))))"
    rows = json.dumps(rows.reshape(len(rows), -1).astype(float).tolist())  # quicker as text than number by number
    return np.array(json.loads(page.evaluate(script, [method, rows])))


def assert_the_page_agrees(page, model, transform, inverse_transform, X, unit):
    load(page, model)
    Z = transform(X)
    differences = np.abs(computed(page, "encode", X[:3]) - Z[:3])
    assert (differences <= 1e-2 * Z.std(axis=0)).all()
    X_hat = inverse_transform(Z[:3]).reshape(3, -1)
    assert (np.abs(computed(page, "decode", Z[:3]) - X_hat) <= unit / 255).all()
    assert page.evaluate("network.costs()") >= Z.shape[1]


@pytest.mark.parametrize("path", ["alone", "beside a linear path"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name, architecture in sorted(MODELS.items())
        for kind, (shape, _) in SAMPLES.items()
        if len(shape) > 1 or not architecture.images_only
    ],
)
def test_codes_and_samples_are_pytorchs(page, name, kind, path):
    X = samples(kind)
    beside = path != "alone" and name != "linear"
    model = random_model(name, X, 5, **({"linear_path": True} if beside else {}))
    assert_the_page_agrees(page, model, model.encode, model.decode, X, model.preprocessing.scale)


def test_the_innermost_map_as_code_is_pytorchs(page):
    X = samples("colour of odd size")
    model = random_model("conv", X, None)
    assert_the_page_agrees(page, model, model.encode, model.decode, X, 255)


@pytest.mark.parametrize("kind", SAMPLES)
def test_pca_is_scikit_learns(page, kind):
    X = samples(kind)
    pca = PcaBaseline(4).fit(X)
    assert_the_page_agrees(page, pca, pca.transform, pca.inverse_transform, X, pca.scale_)


def test_a_fitted_model_is_itself(page, fitted, small):
    X = small.test.images
    assert_the_page_agrees(page, fitted, fitted.transform, fitted.inverse_transform, X, 255)


class Odd(AutoencoderModule):
    """Layers that no architecture of ours has."""

    def __init__(self, sample_shape, latent_dim):
        super().__init__(sample_shape, latent_dim)
        rise = [nn.Conv2d(3, 6, (2, 5), stride=(1, 3), padding=(2, 0)), nn.BatchNorm2d(6), nn.SiLU(), nn.Dropout(0.5)]
        through = nn.Sequential(nn.Linear(6 * 16, latent_dim, bias=False))
        self.encoder = nn.Sequential(*rise, nn.Flatten(), through)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 16), nn.LeakyReLU(0.2), nn.Linear(16, 6 * 15), nn.Tanh(),
            nn.Unflatten(1, (6, 15, 1)),
            nn.ConvTranspose2d(6, 3, (1, 7), stride=(1, 3), padding=(1, 0), bias=False), nn.GELU(),
        )  # fmt: skip


def test_other_layers_than_ours_are_known(page, monkeypatch):
    monkeypatch.setitem(MODELS, "odd", Odd)
    X = samples("colour of odd size")
    model = random_model("odd", X, 3)
    assert_the_page_agrees(page, model, model.encode, model.decode, X, 255)


def test_gelu_is_exact(page):
    x = torch.linspace(-9, 9, 2001)
    layers = [{"kind": "gelu"}]
    facts = {"tensor_shape": [len(x)], "latent_dim": 1, "offset": 0, "scale": 1, "encoder": layers, "decoder": []}
    script = "([facts, x]) => Array.from(new Network(facts, []).encode(x))"
    np.testing.assert_allclose(page.evaluate(script, [facts, x.tolist()]), nn.functional.gelu(x), atol=1e-6)


def test_the_page_refuses_what_it_can_not_compute(page):
    facts = {"tensor_shape": [2], "latent_dim": 2, "offset": 0, "scale": 1, "encoder": [{"kind": "toString"}]}
    script = "(facts) => { try { new Network(facts, []); } catch (error) { return error.message; } }"
    assert page.evaluate(script, facts) == "this page can't compute layers of kind toString"


def test_a_result_is_not_overwritten_by_the_next(page):
    X = samples("gray")
    model = random_model("dense", X, 2)
    load(page, model)
    first, _ = page.evaluate("[[1, 2], [-3, 5]].map((code) => network.decode(code)).map((x) => Array.from(x))")
    np.testing.assert_allclose(first, model.decode(np.array([[1, 2]], np.float32)).ravel(), atol=1)


# ---- weights, and what is refused --------------------------------------------------------------------------------


def test_weights_are_halved_where_that_loses_nothing():
    rng = np.random.default_rng(0)
    large = rng.normal(size=(100, 100)).astype(np.float32)
    tiny, huge = large * 1e-7, large.copy()
    huge[3, 7] = 1e5
    kept = halved([large, large[0], large[:5], tiny, huge, np.zeros_like(large)])
    assert [weight.dtype for weight in kept] == ["float16", "float32", "float32", "float32", "float32", "float16"]
    np.testing.assert_array_equal(kept[4], huge)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            nn.Softplus(),
            r"the layer Softplus\(.*\) is not known outside of PyTorch\. Use other layers: Linear, Conv2d",
        ),
        (nn.Conv2d(4, 4, 3, groups=2), r"the layer Conv2d\(.*\) is only known without groups and dilation"),
        (nn.Conv2d(4, 4, 3, padding="same"), "is only known without groups and dilation"),
        (nn.GELU("tanh"), "is only known without approximation"),
        (nn.BatchNorm1d(3, track_running_stats=False), "is only known with statistics of its own"),
        (nn.Flatten(2), "is only known for whole samples"),
        (type("Mine", (nn.Linear,), {})(2, 2), r"the layer Mine\(.*\) is not known"),
    ],
)
def test_an_unknown_layer_is_refused_by_name(layer, message, vectors):
    model = random_model("dense", vectors, 2)
    model.module.encoder.append(layer)
    with pytest.raises(LayerError, match=message):
        describe(model)


def test_a_model_that_is_no_chain_of_layers_is_refused_by_name(vectors):
    class Other(MODELS["dense"]):
        def encode(self, x):
            return -super().encode(x)

    preprocessing = Preprocessing.fit(vectors)
    with pytest.raises(LayerError, match="the layers of Other are not known: it has an encode or a decode of its own"):
        describe(FittedModel("other", Other(preprocessing.tensor_shape, 2).eval(), preprocessing, {}))
    with pytest.raises(LayerError, match=r"the layers of dict are not known\. Use an Autoencoder or PCA"):
        describe({})
