"""Any damage to a file gives the right data or a `LatentmapError`: never another exception, a hang or a crash.

``LATENTMAP_MUTATIONS`` says how many damaged files of each kind are tried: 60 by default, 10,000 for a long run.
"""

import gzip
import io
import json
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from latentmap import Autoencoder, load_dataset
from latentmap.data.codes import read_codes, write_codes
from latentmap.errors import LatentmapError
from latentmap.training import Callback

N = int(os.environ.get("LATENTMAP_MUTATIONS", "60"))
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


def held(write):
    """The bytes that something writes to a file."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


IDX = bytes([0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 8, 0, 0, 0, 8]) + IMAGES.tobytes()
FRAME = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 4)).round(3), columns=list("abcd"))
PNGS = [held(lambda file, x=x: Image.fromarray(x).save(file, "png")) for x in IMAGES]
FILES = {
    "x.npy": held(lambda file: np.save(file, IMAGES)),
    "x.npz": held(lambda file: np.savez(file, X=IMAGES, y=np.arange(20) % 2)),
    "packed.npz": held(lambda file: np.savez_compressed(file, X=IMAGES, y=np.arange(20) % 2)),
    "x.idx": IDX,
    "x.gz": gzip.compress(IDX, mtime=0),
    "x.csv": FRAME.assign(label=list("abcde") * 4).to_csv(index=False).encode(),
    "x.parquet": held(FRAME.to_parquet),
    "pictures.parquet": held(pd.DataFrame({"image": PNGS, "label": np.arange(20) % 2}).to_parquet),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")


def assert_fit_for_use(dataset):
    assert np.isfinite(dataset.train.X).all()
    assert dataset.train.X.dtype in (np.uint8, np.float32, np.float64)
    assert dataset.train.labels is None or 0 <= dataset.train.labels.min() <= dataset.train.labels.max() < len(
        dataset.class_names
    )


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(tmp_path, name):
    path = tmp_path / name

    @many
    @given(mutated(FILES[name]), st.sampled_from([None, 1000]))
    def check(data, memory):
        path.write_bytes(data)
        dataset = tried(lambda: load_dataset(path, test_fraction=0, memory=memory))
        if dataset is not None:
            assert_fit_for_use(dataset)

    check()


DEEP = np.random.default_rng(2).integers(0, 2**12, (8, 8), dtype=np.uint16)
PICTURES = {
    "png": (IMAGES[0], {}),
    "jpg": (IMAGES[0], {}),
    "tif": (IMAGES[0], {"compression": "tiff_lzw"}),
    "deep.tif": (DEEP, {}),
    "gif": (IMAGES[0], {}),
    "webp": (IMAGES[0], {}),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_damaged_pictures(tmp_path, kind):
    pixels, options = PICTURES[kind]
    for i in range(4):
        Image.fromarray(np.roll(pixels, i, axis=0)).save(tmp_path / f"{i}.{kind}", **options)
    path = tmp_path / f"1.{kind}"
    good = path.read_bytes()

    @many
    @given(mutated(good))
    def check(data):
        path.write_bytes(data)
        dataset = tried(lambda: load_dataset(tmp_path, size=8, test_fraction=0, skip_bad=True))
        assert dataset is not None  # of four pictures three are whole
        assert_fit_for_use(dataset)
        assert len(dataset.train) in (3, 4)

    check()


@pytest.mark.parametrize("kind", [".npy", ".csv", ".parquet"])
def test_damaged_codes(tmp_path, kind):
    path = tmp_path / f"codes{kind}"
    Z = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    write_codes(path, [(Z, {} if kind == ".npy" else {"label": list("abcde") * 4})], (20, 3))

    @many
    @given(mutated(path.read_bytes()))
    def check(data):
        path.write_bytes(data)
        codes = tried(lambda: read_codes(path, 3))
        if codes is not None:
            assert codes.dtype == np.float32
            assert codes.shape[1:] == (3,)

    check()


def test_damaged_checkpoints(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, record):
            if record.epoch == 2:
                raise InterruptedError

    folder = tmp_path / "unfinished"

    def fit(**options):
        ae = Autoencoder("linear", 2, epochs=4, random_state=0, callbacks=() if options else [Stop()])
        return ae.fit(IMAGES, checkpoint=folder, checkpoint_every=0, **options)

    with pytest.raises(InterruptedError):
        fit()
    path = folder / "checkpoint.safetensors"
    good = path.read_bytes()
    wanted = Autoencoder("linear", 2, epochs=4, random_state=0).fit(IMAGES).transform(IMAGES)

    @many
    @given(mutated(good))
    def check(data):
        folder.mkdir(exist_ok=True)
        path.write_bytes(data)
        ae = tried(lambda: fit(resume=True))
        if ae is not None:
            assert ae.transform(IMAGES).shape == wanted.shape
            if data == good:
                np.testing.assert_array_equal(ae.transform(IMAGES), wanted)

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
