"""A new format is one function and one entry in `READERS`: all else works as with any other."""

import json

import numpy as np
import pytest

from latentmap import Autoencoder, load_dataset
from latentmap.cli.app import main
from latentmap.data.arrays import read_arrays
from latentmap.data.cache import file_state
from latentmap.data.loading import READERS
from latentmap.errors import DatasetError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


def read_json_lines(path, options):
    """The whole of a toy format: a line a sample, with its pixels and its class."""
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        X, y = np.array([row["pixels"] for row in rows], np.uint8), np.array([row["class"] for row in rows])
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as JSON lines: {error}. Mend it.") from error
    return read_arrays(path.stem, [(X, y)], options, content=file_state(path))


@pytest.fixture(autouse=True)
def registered(tmp_path, monkeypatch):
    monkeypatch.setitem(READERS, ".jsonl", read_json_lines)
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    rows = [{"pixels": x.tolist(), "class": f"c{i % 2}"} for i, x in enumerate(IMAGES)]
    (tmp_path / "toy.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_it_gives_splits_classes_sizes_and_the_cache():
    dataset = load_dataset("toy.jsonl")
    assert repr(dataset) == "Dataset toy: 32 train + 8 test images 8x8x1, 2 classes"
    assert np.bincount(dataset.test.labels).tolist() == [4, 4]
    mapped = load_dataset("toy.jsonl", memory=1000)
    assert isinstance(mapped.train.X, np.memmap)
    np.testing.assert_array_equal(mapped.test.X, dataset.test.X)
    assert load_dataset("toy.jsonl", size=16, color=True, limit=10).train.X.shape == (10, 16, 16, 3)


def test_it_is_fitted_and_encoded_from_the_command_line():
    def run(*arguments):
        with pytest.raises(SystemExit) as done:
            main([*arguments])
        return done.value.code

    assert run("fit", "toy.jsonl", "-o", "m", "--model", "linear", "--epochs", "1", "--latent-dim", "2") == 0
    assert run("encode", "m", "toy.jsonl", "-o", "codes.npy") == 0
    ae = Autoencoder.load("m")
    assert ae.metadata_["class_names"] == ["c0", "c1"]
    np.testing.assert_array_equal(np.load("codes.npy"), ae.transform(IMAGES[..., None]))


def test_its_faults_are_one_line(tmp_path, capsys):
    (tmp_path / "toy.jsonl").write_text('{"pixels": 1}\n')
    with pytest.raises(SystemExit):
        main(["fit", "toy.jsonl", "-o", "m"])
    assert "error: toy.jsonl cannot be read as JSON lines: 'class'. Mend it." in capsys.readouterr().err
