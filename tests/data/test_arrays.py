"""Arrays, tensors, frames, PyTorch's datasets, and the files of arrays."""

import gzip

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from latentmap import load_dataset
from latentmap.errors import DatasetError

from .test_idx import peak_memory

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
    (0, 1, bool), (0, 1, np.float32), (0, 255, np.float64), (0, 65535, np.uint16), (-3, 5, np.float64),
    (0, 255, np.int64), (-100, 1000, np.int32),
])  # fmt: skip
def test_other_pixels_come_to_bytes_by_their_range(low, high, dtype):
    images = RNG.uniform(low, high, (20, 8, 8)).astype(dtype) if dtype is not bool else RNG.random((20, 8, 8)) < 0.5
    images[0, 0, 0], images[0, 0, 1] = low, high
    dataset = load_dataset(images, test_fraction=0)
    assert dataset.train.images.dtype == np.uint8
    wanted = (images.astype(float) - low) / (high - low) * 255
    np.testing.assert_allclose(dataset.train.images[..., 0], wanted, atol=0.51)


def test_new_images_are_taken_in_the_units_of_the_first():
    first = load_dataset(RNG.uniform(-2, 2, (20, 8, 8)))
    low, high = first.reading.low, first.reading.high
    new = load_dataset(np.full((3, 8, 8), 1.0), reading=first.reading.to_config(), test_fraction=0)
    assert abs(int(new.train.images[0, 0, 0, 0]) - 255 * (1 - low) / (high - low)) < 1
    bytes_ = load_dataset(np.full((3, 8, 8), 7, np.uint8), reading=first.reading, test_fraction=0)
    assert (bytes_.train.images == 7).all()


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
    assert unlabelled.notes == ("1 columns that hold no numbers are passed over: 'kind'.",)
    again = load_dataset(frame[["f", "e", "d", "c", "b", "a"]], reading=dataset.reading, test_fraction=0)
    np.testing.assert_array_equal(again.train.X, dataset.train.X)
    with pytest.raises(DatasetError, match=r"the data frame lacks the column\(s\) 'a'"):
        load_dataset(frame[list("bcdef")], reading=dataset.reading)


def test_a_likely_class_is_pointed_out():
    frame = pd.DataFrame(VECTORS, columns=["a", "b", "c", "d", "e", "target"])
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


def test_a_dataset_of_tensors():
    tensors = torch.rand(20, 3, 8, 8)
    dataset = load_dataset(torch.utils.data.TensorDataset(tensors, torch.arange(20) % 3), test_fraction=0)
    np.testing.assert_allclose(dataset.train.images, tensors.permute(0, 2, 3, 1) * 255, atol=0.51)
    assert dataset.class_names == ("0", "1", "2")
    assert load_dataset(Items(list(torch.rand(20, 5)))).sample_shape == (5,)


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


@pytest.mark.parametrize("kind", ["npz", "npz split", "gz"])
def test_compressed_files_larger_than_the_memory_allowed_are_refused_by_their_header(tmp_path, kind):
    images = np.zeros((300, 256, 256), np.uint8)  # 18.75 MiB
    path = tmp_path / ("x.npz" if "npz" in kind else "train-images-idx3-ubyte.gz")
    if kind == "gz":
        write_idx(path, images)
    else:
        names = ("x_train", "x_test") if "split" in kind else ("X", "images")
        np.savez_compressed(path, **{names[0]: images, names[1]: images[:200]})
    takes = "31.2" if "split" in kind else "18.8"
    way = "Uncompress it, and it is read" if kind == "gz" else r"Save its arrays as \.npy, which is read"
    message = rf"must be held as a whole, and takes {takes} MiB, more than the 18\.0 MiB allowed\. {way} .* --memory"

    def refused():
        with pytest.raises(DatasetError, match=message):
            load_dataset(path, memory="18MiB")

    assert peak_memory(refused) < 2 * 2**20


def test_a_plain_idx_file_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.builtin.cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr("latentmap.data.arrays._CHUNK_BYTES", 2**20)
    images = np.zeros((300, 256, 256), np.uint8)
    images[::7] = 9
    write_idx(tmp_path / "train-images-idx3-ubyte", images)
    held = []
    assert peak_memory(lambda: held.append(load_dataset(tmp_path, memory="2MiB"))) < 6 * 2**20
    assert isinstance(held[0].train.X, np.memmap)
    assert (held[0].train.X[:, 0, 0, 0] == 9).sum() + (held[0].test.X[:, 0, 0, 0] == 9).sum() == 43


def test_changed_test_images_of_an_idx_folder_are_decoded_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.builtin.cache_dir", lambda: tmp_path / "cache")
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
        (np.zeros((5, 9, 9, 7), np.uint8), "must have 1, 3 or 4 channels in its last axis"),
        ([[1, 2], [3]], "must be an array of numbers"),
        (np.array([[1, 2], [3, np.nan], [4, 5]] * 3), r"has nan in row 1, column 1\. Fill it in"),
        (np.array([[1, 2], [3, 1], [np.inf, 5]] * 3), "has inf in row 2, column 0"),
        (np.array([[1e300, 2.0]] * 9), "has inf in row 0, column 0"),
    ],
)
def test_arrays_that_are_not_fit_for_use_say_why(X, message):
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(X, test_fraction=0)
    assert "\n" not in str(caught.value)


def test_a_pixel_that_is_no_number_is_named():
    images = np.zeros((6, 8, 8))
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
