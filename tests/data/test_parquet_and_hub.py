"""Datasets of the Hugging Face hub, offline: what its library wrote, and what it would download."""

import numpy as np
import pytest
from PIL import Image

from latentmap import load_dataset
from latentmap.errors import DatasetError

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.filterwarnings("default")  # the library's own

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 9, 9, 3), dtype=np.uint8)


def of_images(rows, labels=None):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    images = [Image.fromarray(IMAGES[i]) for i in rows]
    return datasets.Dataset.from_dict({"image": images, "label": labels or [i % 2 for i in rows]}, features=features)


def test_images_that_the_library_wrote(tmp_path):
    of_images(range(30)).save_to_disk(tmp_path / "pets")
    dataset = load_dataset(f"hf://{tmp_path}/pets", test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images, IMAGES)
    assert (dataset.name, dataset.class_names) == ("pets", ("cat", "dog"))
    assert dataset.train.labels.tolist() == [0, 1] * 15


def test_splits_that_the_library_wrote(tmp_path):
    splits = {"train": of_images(range(20)), "test": of_images(range(20, 28)), "validation": of_images([28, 29])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "pets")
    dataset = load_dataset(f"hf://{tmp_path}/pets", size=8, color=False)
    assert (len(dataset.train), len(dataset.test)) == (20, 8)
    assert dataset.sample_shape == (8, 8, 1)


def test_hidden_labels_are_never_the_last_class(tmp_path):
    splits = {"train": of_images(range(20), [-1, 0, 1, 0] * 5), "test": of_images(range(20, 28), [-1] * 8)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "pets")
    dataset = load_dataset(f"hf://{tmp_path}/pets")
    assert dataset.class_names == ("cat", "dog", "(no label)")
    assert dataset.train.labels.tolist() == [2, 0, 1, 0] * 5
    assert dataset.test.labels is None


def test_columns_of_numbers(tmp_path):
    columns = {"n": np.arange(20), "a": np.arange(20.0) ** 2, "b": [True, False] * 10, "kind": ["u", "v"] * 10}
    datasets.Dataset.from_dict(columns).save_to_disk(tmp_path / "table")
    dataset = load_dataset(f"hf://{tmp_path}/table", label="kind", test_fraction=0)
    np.testing.assert_array_equal(dataset.train.X, np.column_stack([np.arange(20) ** 2, [1, 0] * 10]))
    assert (dataset.class_names, dataset.reading.columns) == (("u", "v"), ("a", "b"))


def test_a_name_is_handed_to_the_library(monkeypatch):
    asked = []

    def load(name):
        asked.append(name)
        return datasets.DatasetDict({"train": of_images(range(30))})

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert load_dataset("hf://owner/pets").name == "pets"
    assert asked == ["owner/pets"]


def test_what_cannot_be_loaded_is_one_line(monkeypatch, tmp_path):
    def fail(_):
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DatasetError, match=r"^hf://owner/pets cannot be loaded: no network at all\.$"):
        load_dataset("hf://owner/pets")
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(tmp_path / "text")
    with pytest.raises(DatasetError, match="has no usable columns"):
        load_dataset(f"hf://{tmp_path}/text")
