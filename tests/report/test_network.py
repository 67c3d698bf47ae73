"""The network in the page computes what PyTorch computes, in a real browser, from the weights as the page has them."""

import base64
import json

import numpy as np
import pytest
import torch
from torch import nn

from latentmap.analysis import PcaBaseline
from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import LayerError
from latentmap.models import MODELS
from latentmap.models.fitted import FittedModel
from latentmap.models.layers import describe
from latentmap.report.explorer import FOLDER
from latentmap.report.explorer.pack import halved
from tests.random_models import CASES, SAMPLES, Odd, random_model, samples


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
    weights = [(str(one.dtype), base64.b64encode(one.tobytes()).decode()) for one in map(halved, description.weights)]
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


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_codes_and_samples_are_pytorchs(page, name, kind):
    X = samples(kind)
    model = random_model(name, X, 5)
    assert_the_page_agrees(page, model, model.encode, model.decode, X, model.preprocessing.scale)


@pytest.mark.parametrize(
    ("name", "kind"), [case for case in CASES if case[0] != "linear" and case[1] in ("colour of odd size", "vectors")]
)
def test_a_linear_path_beside_is_added(page, name, kind):
    X = samples(kind)
    model = random_model(name, X, 5, linear_path=True)
    assert_the_page_agrees(page, model, model.encode, model.decode, X, model.preprocessing.scale)


def test_the_innermost_map_as_code_is_pytorchs(page):
    X = samples("colour of odd size")
    model = random_model("conv", X, None)
    assert_the_page_agrees(page, model, model.encode, model.decode, X, 255)


@pytest.mark.parametrize("kind", SAMPLES)
def test_pca_is_scikit_learns(page, kind):
    X = samples(kind)
    pca = PcaBaseline(4).fit(X)
    assert_the_page_agrees(page, pca, pca.transform, pca.inverse_transform, X, pca.scale_.unit)


def test_a_fitted_model_is_itself(page, fitted, small):
    X = small.test.images
    assert_the_page_agrees(page, fitted, fitted.transform, fitted.inverse_transform, X, 255)


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
    kept = [halved(one) for one in (large, large[0], large[:5], tiny, huge, np.zeros_like(large))]
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
