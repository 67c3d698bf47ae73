"""Arrays, tensors, frames, PyTorch's datasets, and the files of arrays."""

import datetime
import gzip
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_array

from latentmap import Autoencoder, load_dataset
from latentmap.data.cache import stores_size
from latentmap.errors import DatasetError

from .test_npy_and_idx import peak_memory

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 9, 10), dtype=np.uint8)
VECTORS = RNG.normal(size=(40, 6)) * 100


def everything(dataset):
    """All samples, in the order of the source."""
    return dataset.train.X if not len(dataset.test) else np.concatenate([dataset.train.X, dataset.test.X])


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


# ---- arrays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 9, 10), (40, 9, 10, 1), (40, 9, 10, 3), (40, 9, 10, 4)])
def test_images_of_bytes_stay_as_they_are(shape):
    images = RNG.integers(0, 256, shape, dtype=np.uint8)
    dataset = load_dataset(images, test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images.reshape(shape), images)
    assert dataset.sample_shape == (*shape[1:3], shape[3] if len(shape) > 3 else 1)


@pytest.mark.parametrize(("low", "high", "dtype"), [
    (0, 1, bool), (0, 255, np.int64), (-100, 100, np.int32), (0, 255, np.uint16), (0, 255, np.float32),
    (0, 1, np.float32), (0, 16, np.float64),
])  # fmt: skip
def test_pixels_of_at_most_256_values_come_to_bytes_by_their_range(low, high, dtype):
    images = (
        np.round(RNG.uniform(low, high, (20, 8, 8)) * 255) / 255
        if high == 1
        else RNG.integers(low, high, (20, 8, 8), endpoint=True)
    )
    images[0, 0, 0], images[0, 0, 1] = low, high
    images = images.astype(dtype)
    dataset = load_dataset(images, test_fraction=0)
    assert dataset.train.X.dtype == np.uint8
    wanted = (images.astype(float) - low) / (high - low) * 255
    np.testing.assert_allclose(dataset.train.images[..., 0], wanted, atol=0.51)


@pytest.mark.parametrize(("low", "high", "dtype"), [
    (0, 1, np.float64), (0, 255, np.float32), (0, 4095, np.uint16), (0, 65535, np.uint16), (-3, 5, np.float64),
    (-1000, 3000, np.int16), (-1, 1, np.float32),
])  # fmt: skip
def test_pixels_of_more_values_keep_them_as_floats_from_0_to_1(low, high, dtype):
    images = RNG.uniform(low, high, (20, 8, 8)).astype(dtype)
    images[0, 0, 0], images[0, 0, 1] = low, high
    dataset = load_dataset(images, test_fraction=0)
    assert dataset.train.X.dtype == np.float32
    np.testing.assert_allclose(dataset.train.X[..., 0], (images.astype(float) - low) / (high - low), atol=1e-6)
    assert (dataset.train.images == np.round(dataset.train.X * 255)).all()
    assert dataset.train.images.dtype == np.uint8
    assert dataset.reading.pixel_range == (low, high)
    assert dataset.notes == (
        f"pixels from {low:,} to {high:,} are taken as black to white, with more than 256 levels.",
    )


def test_one_float_pixel_just_above_1_makes_no_difference():
    images = RNG.random((20, 8, 8), dtype=np.float32)
    images[3, 3, 3] = 1.0000002
    np.testing.assert_array_equal(load_dataset(images, test_fraction=0).train.X[..., 0], images)


def test_the_range_is_that_of_all_samples_those_for_testing_too(tmp_path):
    dark, bright = (RNG.integers(0, top, (9, 8, 8), dtype=np.uint16) for top in (900, 4000))
    np.savez(tmp_path / "m.npz", x_train=dark, x_test=bright)
    dataset = load_dataset(tmp_path / "m.npz")
    np.testing.assert_allclose(dataset.train.X[..., 0], dark / 4095, atol=1e-6)
    np.testing.assert_allclose(dataset.test.X[..., 0], bright / 4095, atol=1e-6)


def test_new_images_are_taken_in_the_units_of_the_first():
    first = load_dataset(RNG.uniform(-2, 2, (20, 8, 8)))
    low, high = first.reading.low, first.reading.high
    reading = first.reading.to_config()
    new = load_dataset(np.full((3, 8, 8), 1.0), reading=reading, test_fraction=0)
    assert new.train.X[0, 0, 0, 0] == pytest.approx((1 - low) / (high - low))
    bytes_ = load_dataset(np.full((3, 8, 8), 51, np.uint8), reading=reading, test_fraction=0)
    np.testing.assert_allclose(bytes_.train.X, 0.2)
    assert "pixels from 0 to 255 are taken as black to white, as -2 to 2 were" in bytes_.notes[0]
    assert bytes_.reading == first.reading


def test_a_reading_that_says_no_type_gives_bytes():
    reading = {"height": 8, "width": 8, "channels": 1, "low": 0.0, "high": 1.0}  # as models of version 0.1.0 have it
    images = RNG.random((5, 8, 8))
    found = load_dataset(images, reading=reading, test_fraction=0).train.X
    np.testing.assert_array_equal(found[..., 0], np.round(images * 255).astype(np.uint8))


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e30])
def test_pixels_of_any_size_keep_their_levels(scale):
    images = RNG.random((5, 8, 8))
    images[0, 0, :2] = 0, 1
    found = load_dataset(images * scale, test_fraction=0)
    np.testing.assert_allclose(found.train.X[..., 0], images, atol=1e-6)


@pytest.mark.parametrize(("fitted", "given", "fault"), [
    ("0 to 1", "0 to 255", "0 to 1, got 0 to 255: codes of what lies far outside mean nothing"),
    ("0 to 255", "0 to 1", "0 to 255, got 0 to 1: these are taken as almost black images"),
    ("0 to 4095", "0 to 1", "0 to 4,095, got 0 to 1: these are taken as almost black images"),
    ("0 to 4095", "16 bits", "0 to 4,095, got 0 to 65,535: codes of what lies far outside mean nothing"),
    ("16 bits", "0 to 4095", "0 to 65,535, got 0 to 4,095: these are taken as almost black images"),
    ("-1 to 1", "0 to 1", "-1 to 1, got 0 to 1: these are taken as images without any shadows"),
    ("0 to 1", "0 to 4000", "0 to 1, got .* to [34],.*: codes of what lies far outside mean nothing"),
])  # fmt: skip
def test_new_images_in_other_units_are_noticed_both_ways(fitted, given, fault):
    kinds = {
        "0 to 1": lambda n: RNG.random((n, 8, 8)),
        "-1 to 1": lambda n: RNG.random((n, 8, 8)) * 2 - 1,
        "0 to 255": lambda n: RNG.random((n, 8, 8)) * 255,
        "0 to 4000": lambda n: RNG.random((n, 8, 8)) * 4000,
        "0 to 4095": lambda n: RNG.integers(0, 4096, (n, 8, 8), dtype=np.uint16),
        "16 bits": lambda n: RNG.integers(0, 65536, (n, 8, 8), dtype=np.uint16),
    }
    reading = load_dataset(kinds[fitted](20)).reading
    with pytest.warns(UserWarning, match=f"^pixels must be in the units that fit saw, {fault}"):
        assert len(load_dataset(kinds[given](20), reading=reading).train) == 16


def test_deeper_whole_numbers_say_their_range_to_a_model_of_bytes():
    images = np.full((3, 8, 8), 4095, np.uint16)
    new = load_dataset(images, reading=load_dataset(IMAGES, size=8).reading, test_fraction=0)
    assert (new.train.X == 255).all()
    assert (
        "pixels from 0 to 4,095 are taken as black to white, as 0 to 255 were where the model was fitted." in new.notes
    )


def test_floats_are_brought_to_size_and_channels_as_bytes_are():
    images = RNG.integers(0, 256, (10, 20, 10, 4), dtype=np.uint8)
    floats = images / 255 + np.where(np.arange(10)[:, None, None, None] == 0, 1e-5, 0)  # more than 256 levels
    for wishes in ({"color": False}, {"color": True, "size": 12, "fit": "pad"}, {"size": (9, 12)}):
        wanted = load_dataset(images, test_fraction=0, **wishes).train.X
        found = load_dataset(floats, test_fraction=0, **wishes).train.X
        assert found.dtype == np.float32
        np.testing.assert_allclose(found * 255, wanted, atol=2)


def test_vectors_become_float32_and_keep_their_units():
    dataset = load_dataset(VECTORS, test_fraction=0)
    assert dataset.train.X.dtype == np.float32
    np.testing.assert_allclose(dataset.train.X, VECTORS, rtol=1e-6)


def test_labels_of_any_kind_are_numbered_in_order():
    labels = np.array(["dog", "cat"] * 20)
    dataset = load_dataset(IMAGES, labels=labels, test_fraction=0)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.labels.tolist() == [1, 0] * 20
    assert load_dataset(IMAGES, labels=[10, 5] * 20).class_names == ("5", "10")
    assert load_dataset(IMAGES, labels=[1.0, 0.0] * 20).class_names == ("0", "1")


@pytest.mark.parametrize(("labels", "names", "hidden"), [
    ([0, None] * 20, ("0", "(no label)"), 20), ([1.0, np.nan] * 20, ("1", "(no label)"), 20),
    (["a", "b", ""] * 13 + ["a"], ("a", "b", "(no label)"), 13), ([-1, 1] * 20, ("-1", "1"), 0),
    ([0, 1, 2, -1] * 10, ("0", "1", "2", "(no label)"), 10), ([-2, -1, 0, 2] * 10, ("-2", "-1", "0", "2"), 0),
    ([-1, 0, 1, 1] * 10, ("-1", "0", "1"), 0),
])  # fmt: skip
def test_hidden_labels_are_a_class_of_their_own(labels, names, hidden):
    dataset = load_dataset(IMAGES, labels=np.array(labels, object), test_fraction=0)
    assert dataset.class_names == names
    assert np.sum(np.array(names)[dataset.train.labels] == "(no label)") == hidden
    said = f"{hidden} of 40 samples have no label (-1 or missing): their class is '(no label)'."
    if hidden:
        assert dataset.notes == (said,)
    elif set(labels) == {-1, 0, 1}:
        assert "-1 is taken for a class, as 0 and 1 are" in dataset.notes[0]
    else:
        assert dataset.notes == ()


@pytest.mark.parametrize("hidden", [-1, np.nan])
def test_a_split_whose_labels_are_all_hidden_has_none(tmp_path, hidden):
    np.savez(tmp_path / "m.npz", x_train=IMAGES[:30], y_train=np.arange(30) % 3, x_test=IMAGES[30:],
             y_test=np.full(10, hidden))  # fmt: skip
    dataset = load_dataset(tmp_path / "m.npz")
    assert (dataset.test.labels, dataset.class_names) == (None, ("0", "1", "2"))
    assert dataset.train.labels.tolist() == [0, 1, 2] * 10
    assert dataset.notes == ("every label of the test split is hidden (-1 or missing): it has none.",)
    alone = load_dataset(IMAGES, labels=np.full(40, hidden))
    assert (alone.train.labels, alone.class_names) == (None, None)
    assert alone.notes == ("every label is hidden (-1 or missing): the samples have none.",)


def test_each_class_gives_the_same_share_to_the_test_split():
    labels = np.repeat([0, 1, 2], [20, 15, 5])
    dataset = load_dataset(IMAGES, labels=labels)
    assert np.bincount(dataset.test.labels).tolist() == [4, 3, 1]
    assert len(dataset.train) == 32


def test_a_class_of_one_sample_is_learned_from():
    labels = np.repeat([0, 1], [39, 1])
    for _ in range(3):
        assert load_dataset(IMAGES, labels=labels).test.labels.tolist() == [0] * 8


def test_tensors_may_have_their_channels_first():
    tensor = torch.from_numpy(RNG.integers(0, 256, (12, 3, 9, 10), dtype=np.uint8))
    dataset = load_dataset(tensor, test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images, tensor.permute(0, 2, 3, 1))
    with pytest.raises(
        DatasetError, match=r"\(12, 3, 9, 10\)\..* Move the channels to the end: X\.transpose\(0, 2, 3, 1\)"
    ):
        load_dataset(tensor.numpy())


def test_another_size_and_colour_can_be_asked_for():
    dataset = load_dataset(RNG.integers(0, 256, (10, 20, 10, 3), dtype=np.uint8), size=8, color=False)
    assert dataset.sample_shape == (8, 8, 1)


# ---- frames --------------------------------------------------------------------------------------------------------


def test_a_frame_gives_its_numbers_and_names_the_class():
    frame = pd.DataFrame(VECTORS, columns=list("abcdef")).assign(kind=["x", "y"] * 20)
    dataset = load_dataset(frame, label="kind", test_fraction=0)
    assert (dataset.class_names, dataset.reading.columns) == (("x", "y"), tuple("abcdef"))
    np.testing.assert_allclose(dataset.train.X, VECTORS, rtol=1e-6)
    unlabelled = load_dataset(frame)
    assert unlabelled.notes == ("1 column that holds no numbers is passed over: 'kind'.",)
    again = load_dataset(frame[["f", "e", "d", "c", "b", "a"]], reading=dataset.reading, test_fraction=0)
    np.testing.assert_array_equal(again.train.X, dataset.train.X)
    with pytest.raises(DatasetError, match=r"the data frame lacks the column\(s\) 'a'"):
        load_dataset(frame[list("bcdef")], reading=dataset.reading)


def test_a_model_says_the_same_of_a_frames_columns():
    frame = pd.DataFrame(VECTORS, columns=list("abcdef"))
    others = frame.assign(kind=["x", "y"] * 20, when=pd.date_range("2024-01-01", periods=40))
    dates = "1 column that holds dates: 'when'. Leave them out, or read X by load_dataset"
    for one, said in (
        (others, f"1 column that holds no numbers: 'kind'; {dates}"),
        (others.drop(columns="kind"), dates),
    ):
        with pytest.raises(ValueError, match=re.escape(f"X must hold numbers, got {said}")):
            Autoencoder("linear", 2, epochs=1).fit(one)
    frame["b"] = pd.array([1, None] * 20, dtype="Int64")
    with pytest.raises(ValueError, match=r"^Input X contains NaN\. The first is in row 1, column 'b'\. Fill it in"):
        Autoencoder("linear", 2, epochs=1).fit(frame)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_frames_of_objects_are_judged_by_their_values(library):
    frame = library({
        "a": [1.5, 2.5, None, 4.0], "flag": [True, None, False, True], "when": [datetime.date(2024, 1, 2)] * 4,
        "word": ["x", None, "y", "z"], "none": [None] * 4, "big": [Decimal("1.25")] * 4,
    })  # fmt: skip
    dataset = load_dataset(frame, missing="drop", test_fraction=0)
    assert dataset.reading.columns == ("a", "flag", "big")
    assert dataset.train.X.tolist() == [[1.5, 1, 1.25], [4, 1, 1.25]]
    assert [note.split(":")[1].split(".")[0] for note in dataset.notes[:3]] == [" 'word'", " 'when'", " 'none'"]


def test_two_columns_of_a_name_are_refused():
    with pytest.raises(DatasetError, match="the data frame has more than one column 'a'"):
        load_dataset(pd.DataFrame(VECTORS[:, :2], columns=["a", "a"]))


def test_a_likely_class_is_pointed_out():
    frame = pd.DataFrame(VECTORS, columns=["a", "b", "c", "d", "e", "target"])
    frame["target"] = np.arange(len(frame)) % 3
    assert load_dataset(frame).notes == ("should column 'target' name the class, add --label target.",)


# ---- PyTorch's datasets --------------------------------------------------------------------------------------------


class Items(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_a_dataset_of_pillow_images_and_classes():
    items = Items([(Image.fromarray(image), i % 2) for i, image in enumerate(IMAGES)])
    items.classes = ["even", "odd"]
    dataset = load_dataset(items, test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images[..., 0], IMAGES)
    assert dataset.class_names == ("even", "odd")
    assert dataset.train.labels.tolist() == [0, 1] * 20


@pytest.mark.parametrize("x", [Image.fromarray(IMAGES[0]), torch.rand(3, 8, 8), torch.rand(5)])
def test_each_item_of_a_dataset_is_asked_for_once(x):
    class Counted(Items):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    asked = []
    load_dataset(Counted([(x, i % 2) for i in range(10)]), test_fraction=0)
    assert sorted(asked) == list(range(10))


def test_labels_of_a_dataset_are_checked_against_its_names():
    items = Items([(torch.rand(5), i % 3 - 1) for i in range(30)])
    items.classes = ["cat", "dog"]
    dataset = load_dataset(items, test_fraction=0)
    assert dataset.class_names == ("cat", "dog", "(no label)")
    assert dataset.train.labels.tolist() == [2, 0, 1] * 10
    items.items[4] = (torch.rand(5), 2)
    with pytest.raises(DatasetError, match=r"whole numbers from 0 to 1, since there are 2 names .* got 2 in row 4"):
        load_dataset(items)


def test_masks_beside_the_samples_are_no_classes():
    dataset = load_dataset(Items([(Image.fromarray(image), Image.fromarray(image)) for image in IMAGES]))
    assert dataset.train.labels is None
    assert "neither numbers nor names" in dataset.notes[0]


def test_a_dataset_of_tensors():
    tensors = torch.rand(20, 3, 8, 8)
    dataset = load_dataset(torch.utils.data.TensorDataset(tensors, torch.arange(20) % 3), test_fraction=0)
    np.testing.assert_allclose(dataset.train.images, tensors.permute(0, 2, 3, 1) * 255, atol=0.51)
    assert dataset.class_names == ("0", "1", "2")
    assert load_dataset(Items(list(torch.rand(20, 5)))).sample_shape == (5,)
    rough = [x.bfloat16() for x in torch.rand(20, 5)]
    np.testing.assert_array_equal(load_dataset(Items(rough), test_fraction=0).train.X[3], rough[3].float().numpy())


def test_datasets_that_are_not_fit_for_use_say_so():
    with pytest.raises(DatasetError, match="Items is empty"):
        load_dataset(Items([]))
    with pytest.raises(DatasetError, match="Items must give samples of one shape"):
        load_dataset(Items([torch.rand(3), torch.rand(4)]))


# ---- files ---------------------------------------------------------------------------------------------------------


def test_npy_files(tmp_path):
    np.save(tmp_path / "faces.npy", IMAGES)
    dataset = load_dataset(tmp_path / "faces.npy", test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images[..., 0], IMAGES)
    assert (dataset.name, dataset.split) == ("faces", "none")
    np.save(tmp_path / "v.npy", VECTORS)
    assert load_dataset(str(tmp_path / "v.npy")).sample_shape == (6,)


@pytest.mark.parametrize(("x", "y"), [("X", "y"), ("images", "labels"), ("data", "y"), ("x", "targets")])
def test_npz_files_by_the_names_of_their_arrays(tmp_path, x, y):
    np.savez(tmp_path / "a.npz", **{x: IMAGES, y: np.arange(40) % 4})
    dataset = load_dataset(tmp_path / "a.npz", test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images[..., 0], IMAGES)
    assert dataset.train.labels.tolist() == [0, 1, 2, 3] * 10


def test_npz_files_with_splits(tmp_path):
    np.savez_compressed(
        tmp_path / "m.npz",
        x_train=IMAGES[:30],
        y_train=np.arange(30) % 3,
        x_test=IMAGES[30:],
        y_test=np.arange(10) % 3,
    )
    dataset = load_dataset(tmp_path / "m.npz")
    np.testing.assert_array_equal(dataset.train.images[..., 0], IMAGES[:30])
    np.testing.assert_array_equal(dataset.test.images[..., 0], IMAGES[30:])
    assert dataset.test.labels.tolist() == (np.arange(10) % 3).tolist()
    assert dataset.split == "given"


def test_npz_files_with_one_array_or_no_known_name(tmp_path):
    np.savez(tmp_path / "one.npz", whatever=IMAGES)
    assert len(load_dataset(tmp_path / "one.npz", test_fraction=0).train) == 40
    np.savez(tmp_path / "two.npz", a=IMAGES, b=IMAGES)
    with pytest.raises(DatasetError, match=r"must hold one of X, x, images, data \(and y or labels\), got a, b"):
        load_dataset(tmp_path / "two.npz")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_alone_with_labels_and_as_a_folder(tmp_path, suffix):
    write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", IMAGES)
    dataset = load_dataset(tmp_path / f"train-images-idx3-ubyte{suffix}", test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images[..., 0], IMAGES)
    assert dataset.train.labels is None
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", (np.arange(40) % 2).astype(np.uint8))
    assert load_dataset(tmp_path / f"train-images-idx3-ubyte{suffix}").class_names == ("0", "1")
    write_idx(tmp_path / f"t10k-images-idx3-ubyte{suffix}", IMAGES[:7])
    write_idx(tmp_path / f"t10k-labels-idx1-ubyte{suffix}", (np.arange(7) % 2).astype(np.uint8))
    dataset = load_dataset(tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (40, 7)
    assert dataset.test.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("kind", ["npz", "npz split", "npz fortran", "gz"])
def test_compressed_files_larger_than_the_memory_allowed_are_read_piece_by_piece(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    monkeypatch.setattr("latentmap.data.arrays._CHUNK_BYTES", 2**20)
    monkeypatch.setattr("latentmap.data.cache._PIECE_BYTES", 2**20)
    images = np.zeros((120, 256, 256), np.uint8)  # 7.5 MiB
    images[::7] = 9
    path = tmp_path / ("x.npz" if "npz" in kind else "train-images-idx3-ubyte.gz")
    if kind == "gz":
        write_idx(path, images)
    elif "split" in kind:
        np.savez_compressed(path, x_train=images, x_test=images[:20], y_train=np.zeros(120), y_test=np.zeros(20))
    else:
        np.savez(path, X=np.asfortranarray(images) if "fortran" in kind else images)
    held = []
    assert peak_memory(lambda: held.append(load_dataset(path, memory="2MiB", test_fraction=0))) < 5 * 2**20
    assert isinstance(held[0].train.X, np.memmap)
    np.testing.assert_array_equal(held[0].train.X[..., 0], images)
    if "split" in kind:
        np.testing.assert_array_equal(held[0].test.X[..., 0], images[:20])
    before = stores_size()
    np.testing.assert_array_equal(load_dataset(path, memory="2MiB", test_fraction=0).train.X[..., 0], images)
    assert stores_size() == before


def test_compressed_vectors_larger_than_the_memory_allowed_are_refused_by_their_header(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", X=np.zeros((3000, 3000)))
    message = r"must be held as a whole, and takes 68\.7 MiB, more than the 18 MiB allowed\. Allow more with --memory"

    def refused():
        with pytest.raises(DatasetError, match=message):
            load_dataset(tmp_path / "x.npz", memory="18MiB")

    assert peak_memory(refused) < 2 * 2**20


@pytest.mark.parametrize("kind", ["npz", "gz"])
def test_a_truncated_compressed_file_leaves_nothing_in_the_cache(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    images = np.random.default_rng(0).integers(0, 256, (30, 64, 64), np.uint8)
    path = tmp_path / f"x.{kind}"
    if kind == "npz":
        np.savez_compressed(path, X=images)
    else:
        write_idx(path, images)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"corrupt|CRC|cannot be read"):
        load_dataset(path, memory="10kB")
    assert stores_size() == 0


def test_a_plain_idx_file_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    monkeypatch.setattr("latentmap.data.arrays._CHUNK_BYTES", 2**20)
    images = np.zeros((300, 256, 256), np.uint8)
    images[::7] = 9
    write_idx(tmp_path / "train-images-idx3-ubyte", images)
    held = []
    assert peak_memory(lambda: held.append(load_dataset(tmp_path, memory="2MiB"))) < 6 * 2**20
    assert isinstance(held[0].train.X, np.memmap)
    assert (held[0].train.X[:, 0, 0, 0] == 9).sum() + (held[0].test.X[:, 0, 0, 0] == 9).sum() == 43


def test_changed_test_images_of_an_idx_folder_are_decoded_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    for test in (IMAGES[:7], 255 - IMAGES[:7]):
        write_idx(tmp_path / "t10k-images-idx3-ubyte", test)
        np.testing.assert_array_equal(load_dataset(tmp_path, memory=100).test.images[..., 0], test)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([["a", "b"]] * 5), r"must hold numbers, got an array of <U1\. Convert it first"),
        (np.array([[None, 1]] * 5), "must hold numbers, got an array of object"),
        (np.zeros((5, 3), complex), "must hold numbers, got an array of complex128"),
        (np.zeros(5), r"must be \(n, n_features\), .* got shape \(5,\)"),
        (np.zeros((5, 2, 2, 2, 2)), "got shape"),
        (np.zeros((0, 5)), r"is empty: its shape is \(0, 5\)"),
        (np.zeros((5, 0, 4), np.uint8), "is empty"),
        (pd.DataFrame({"a": ["u", "v"]}), "the data frame has no usable columns.* no numbers: 'a'"),
        (pd.DataFrame(index=range(5)), "the data frame has no columns"),
        (np.zeros((5, 9, 9, 7), np.uint8), "must have 1, 3 or 4 channels in its last axis"),
        ([[1, 2], [3]], "must be an array of numbers"),
        (csr_array(np.eye(9)), r"is sparse, which networks can.t take. Pass source.toarray\(\)"),
        (np.array([-1e308, 1e308] * 8).reshape(4, 2, 2), "must be numbers whose squares can be added up"),
        (np.array([[1, 2], [3, np.nan], [4, 5]] * 3), r"has nan in row 1, column 1\. Fill it in"),
        (np.array([[1, 2], [3, 1], [np.inf, 5]] * 3), "has inf in row 2, column 0"),
        (np.array([[1e300, 2.0]] * 9), "has inf in row 0, column 0"),
    ],
)
def test_arrays_that_are_not_fit_for_use_say_why(X, message):
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(X, test_fraction=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 8, 8, 1), (6, 8, 8, 3)])
def test_a_pixel_that_is_no_number_is_named(shape):
    images = np.zeros(shape)
    images[4, 2, 5] = np.nan
    images[0, 0, 0] = 1
    with pytest.raises(DatasetError, match=r"has nan in row 4, pixel \(2, 5\)"):
        load_dataset(images, test_fraction=0)


def test_labels_of_another_length_are_refused():
    with pytest.raises(DatasetError, match="must be of the same length, got 40 samples and 39 labels"):
        load_dataset(IMAGES, labels=np.zeros(39))
    with pytest.raises(ValueError, match="labels are taken with arrays and frames only"):
        load_dataset("digits", labels=[1])


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match=r"o\.npy cannot be read as NumPy's: it holds Python objects"):
        load_dataset(tmp_path / "o.npy")


def test_images_and_vectors_are_not_taken_for_each_other():
    images, vectors = load_dataset(IMAGES), load_dataset(VECTORS)
    with pytest.raises(DatasetError, match="holds vectors of 6 numbers; images were wanted"):
        load_dataset(VECTORS, reading=images.reading)
    with pytest.raises(DatasetError, match="holds images, and the model was fitted on vectors"):
        load_dataset(IMAGES, reading=vectors.reading)
    with pytest.raises(DatasetError, match="digits holds images, and the model was fitted on vectors"):
        load_dataset("digits", reading=vectors.reading)


def test_splits_of_different_shapes_are_refused(tmp_path):
    np.savez(tmp_path / "m.npz", x_train=IMAGES, x_test=IMAGES[:, :5])
    with pytest.raises(DatasetError, match="must have one shape"):
        load_dataset(tmp_path / "m.npz")


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_impossible_test_fractions_are_refused(fraction):
    with pytest.raises(ValueError, match="test_fraction must be at least 0 and less than 1"):
        load_dataset(IMAGES, test_fraction=fraction)
