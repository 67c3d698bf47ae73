"""Any damage to a file gives the right data or a `LatentmapError`: never another exception, a hang or a crash.

``LATENTMAP_MUTATIONS`` says how many damaged files of each kind are tried: 200 by default, 10,000 for a long run.
"""

import io
import json
import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentmap import Autoencoder, load_dataset
from latentmap.errors import LatentmapError

N = int(os.environ.get("LATENTMAP_MUTATIONS", "200"))
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)


def mutated(good):
    """Bytes changed, cut out, repeated or added somewhere."""
    place = st.integers(0, len(good))
    change = st.tuples(st.sampled_from(["set", "cut", "insert", "end"]), place, st.binary(min_size=1, max_size=8))

    def apply(changes):
        data = bytearray(good)
        for kind, at, new in changes:
            if kind == "set":
                data[at : at + len(new)] = new
            elif kind == "cut":
                del data[at : at + len(new)]
            elif kind == "insert":
                data[at:at] = new
            else:
                del data[at:]
        return bytes(data)

    return st.lists(change, min_size=1, max_size=4).map(apply)


def tried(read):
    """Read; a `LatentmapError` in one line is as good."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read()
        except LatentmapError as error:
            message = str(error)
    assert message
    assert "\n" not in message
    return None


many = settings(
    max_examples=N, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def npy():
    buffer = io.BytesIO()
    np.save(buffer, IMAGES)
    return buffer.getvalue()


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, X=IMAGES, y=np.arange(20) % 2)
    return buffer.getvalue()


IDX = bytes([0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 8, 0, 0, 0, 8]) + IMAGES.tobytes()


@pytest.mark.parametrize(
    ("name", "good"), [("x.npy", npy()), ("x.npz", npz()), ("x.idx", IDX)], ids=["npy", "npz", "idx"]
)
def test_damaged_arrays(tmp_path, name, good):
    path = tmp_path / name

    @many
    @given(mutated(good))
    def check(data):
        path.write_bytes(data)
        dataset = tried(lambda: load_dataset(path, test_fraction=0))
        if dataset is not None:
            assert np.isfinite(dataset.train.X).all()
            assert dataset.train.X.dtype in (np.uint8, np.float32)

    check()


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutations") / "model"
    Autoencoder("linear", 2, epochs=1, random_state=0).fit(IMAGES).save(folder)
    return folder


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "history.jsonl"])
def test_damaged_models(model_folder, name):
    path = model_folder / name
    good = path.read_bytes()
    wanted = Autoencoder.load(model_folder).transform(IMAGES)

    @many
    @given(mutated(good))
    def check(data):
        path.write_bytes(data)
        loaded = tried(lambda: Autoencoder.load(model_folder))
        if loaded is not None:
            Z = loaded.transform(IMAGES)
            assert Z.shape == wanted.shape
            if name != "model.safetensors":
                np.testing.assert_array_equal(Z, wanted)

    try:
        check()
    finally:
        path.write_bytes(good)


@many
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8),
       st.sampled_from(["format_version", "model", "architecture", "preprocessing", "parameters", "training",
                        "metadata", "seed", "settings", "feature_names"]))  # fmt: skip
def test_wrong_entries_of_a_config(model_folder, value, entry):
    path = model_folder / "config.json"
    good = path.read_bytes()
    try:
        path.write_text(json.dumps({**json.loads(good), entry: value}))
        loaded = tried(lambda: Autoencoder.load(model_folder))
        if loaded is not None:
            assert loaded.transform(IMAGES).shape == (20, 2)
    finally:
        path.write_bytes(good)
