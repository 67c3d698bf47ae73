"""Data larger than the memory allowed: decoded once into the cache, mapped from there, resumed when interrupted."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from latentmap import Autoencoder, load_dataset
from latentmap.data import cache as store_module
from latentmap.data.cache import clear_stores, file_region, stores_size
from latentmap.data.images import EncodedImages
from latentmap.data.source import memory_budget
from latentmap.errors import DatasetError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "stores"


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path / "photos"


class Bar:
    total, kind = 0, ""

    def __init__(self):
        self.done, self.closed = 0, False

    def update(self, n):
        self.done += n

    def close(self):
        self.closed = True


def test_what_is_read_from_the_cache_is_what_memory_would_hold(photos):
    held, mapped = load_dataset(photos), load_dataset(photos, memory=1000)
    assert isinstance(mapped.train.X, np.memmap)
    assert not isinstance(held.train.X, np.memmap)
    np.testing.assert_array_equal(mapped.train.X, held.train.X)
    assert mapped.train.names == held.train.names
    assert mapped.test.names == held.test.names
    np.testing.assert_array_equal(mapped.test.X, held.test.X)
    assert any("are read from the cache" in note for note in mapped.notes)


def test_deep_images_are_read_from_the_cache_with_all_their_levels(tmp_path):
    (tmp_path / "deep").mkdir()
    for i, image in enumerate(IMAGES[..., 0]):
        Image.fromarray(image.astype(np.uint16) * 16 + 3).save(tmp_path / "deep" / f"{i}.png")
    held, mapped = load_dataset(tmp_path / "deep"), load_dataset(tmp_path / "deep", memory=1000)
    assert isinstance(mapped.train.X, np.memmap)
    assert mapped.train.X.dtype == held.train.X.dtype == np.float32
    np.testing.assert_array_equal(mapped.train.X, held.train.X)
    ae = Autoencoder("linear", epochs=1, random_state=0).fit(mapped.train.X)
    np.testing.assert_array_equal(ae.transform(mapped.train.X), ae.transform(held.train.X))


def test_it_is_decoded_once(photos, monkeypatch):
    bar = Bar()
    first = load_dataset(photos, memory=1000, progress=bar)
    assert (bar.kind, bar.total, bar.done, bar.closed) == ("decoding", 60, 60, True)
    monkeypatch.setattr(EncodedImages, "read", lambda *_: pytest.fail("decoded again"))
    np.testing.assert_array_equal(load_dataset(photos, memory=1000).train.X, first.train.X)


def test_other_content_or_settings_are_decoded_anew(photos, cache):
    load_dataset(photos, memory=1000)
    load_dataset(photos, memory=1000, size=16)
    load_dataset(photos, memory=1000, color=False)
    assert len(list(cache.iterdir())) == 3
    Image.fromarray(255 - IMAGES[0]).save(photos / "0.png")
    changed = load_dataset(photos, memory=1000, test_fraction=0)
    np.testing.assert_array_equal(changed.train.X[0], 255 - IMAGES[0])


@pytest.mark.parametrize("stop_after", [1, 2])
def test_an_interrupted_build_is_gone_on_with(photos, cache, monkeypatch, stop_after):
    monkeypatch.setattr("latentmap.data.images._DECODED_AT_ONCE", 10)
    wanted = load_dataset(photos).train.X
    read = EncodedImages.read
    decoded = []

    def interrupted(self, rows):
        for number, chunk in enumerate(read(self, rows)):
            if number == stop_after and not decoded:
                raise KeyboardInterrupt
            yield chunk

    monkeypatch.setattr(EncodedImages, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_dataset(photos, memory=1000)
    (partial,) = cache.iterdir()
    with (partial / "train.bin").open("ab") as file:
        file.write(b"half an image")  # as a crash may leave it

    def counted(self, rows):
        for chunk in read(self, rows):
            decoded.extend(chunk[0])
            yield chunk

    monkeypatch.setattr(EncodedImages, "read", counted)
    np.testing.assert_array_equal(load_dataset(photos, memory=1000).train.X, wanted)
    assert len(decoded) == 60 - 10 * stop_after


def test_unreadable_images_leave_no_gap(photos):
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:90])
    with pytest.warns(UserWarning, match=r"1 of 60 .*3\.png"):
        mapped = load_dataset(photos, memory=1000, test_fraction=0)
    np.testing.assert_array_equal(mapped.train.X, np.delete(IMAGES, 3, axis=0))
    assert "3.png" not in mapped.train.names
    with pytest.warns(UserWarning, match=r"1 of 60 .*3\.png"):
        load_dataset(photos, memory=1000, test_fraction=0)


def test_arrays_are_stored_too(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = load_dataset(tmp_path / "x.npy", memory=100)
    assert isinstance(mapped.train.X, np.memmap)
    np.testing.assert_array_equal(mapped.train.X, load_dataset(tmp_path / "x.npy").train.X)


def in_class_folders(folder, split=""):
    for i, image in enumerate(IMAGES):
        path = folder / split / f"class{i // 20}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.mark.parametrize("given", [False, True])
def test_the_first_test_samples_of_the_cache_are_of_all_classes(tmp_path, given, monkeypatch):
    monkeypatch.setattr(store_module, "_PIECE_BYTES", 1000)
    for split in ("train", "test") if given else ("",):
        in_class_folders(tmp_path / "classes", split)
    held, mapped = (load_dataset(tmp_path / "classes", memory=memory, test_fraction=0.5) for memory in (None, 1000))
    assert isinstance(mapped.test.X, np.memmap)
    assert len(set(mapped.test.labels[:10].tolist())) == 3
    assert mapped.test.names == held.test.names
    np.testing.assert_array_equal(mapped.test.X, held.test.X)
    np.testing.assert_array_equal(mapped.test.labels, held.test.labels)
    np.testing.assert_array_equal(mapped.train.X, held.train.X)


def test_an_interrupted_shuffle_is_gone_on_with(photos, cache, monkeypatch):
    wanted = load_dataset(photos)
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_digest", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            load_dataset(photos, memory=1000)
    monkeypatch.setattr(EncodedImages, "read", lambda _, rows: iter(()) if not len(rows) else pytest.fail("decoded"))
    mapped = load_dataset(photos, memory=1000)
    np.testing.assert_array_equal(mapped.test.X, wanted.test.X)
    assert mapped.test.names == wanted.test.names
    assert sorted(file.name for file in next(cache.iterdir()).iterdir()) == [
        "done.json", "lock", "test.bin", "test.rows", "train.bin", "train.rows",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["train.rows", "test.rows", "train.bin", "test.bin", "done.json"])
@pytest.mark.parametrize("damage", ["half", "overwritten", "gone"])
def test_a_damaged_store_is_decoded_anew_and_this_is_said(photos, cache, name, damage):
    wanted = load_dataset(photos, memory=1000)
    X, names = wanted.train.X.copy(), wanted.test.names
    (path,) = cache.glob(f"*/{name}")
    content = path.read_bytes()
    path.unlink()  # the map of `wanted` keeps its file
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "half" else b"\xff" * len(content))
    again = load_dataset(photos, memory=1000)
    np.testing.assert_array_equal(again.train.X, X)
    assert again.test.names == names
    said = any("damaged, and is decoded anew" in note for note in again.notes)
    assert said == ((name, damage) != ("done.json", "gone"))  # without its record a store is merely unfinished
    np.testing.assert_array_equal(wanted.train.X, X)
    assert not any("damaged" in note for note in load_dataset(photos, memory=1000).notes)


def test_an_unfinished_store_whose_rows_are_not_its_own_is_begun_again(photos, cache):
    wanted = load_dataset(photos, memory=1000).train.X.copy()
    (done,) = cache.glob("*/done.json")
    done.unlink()
    np.full(48, -1).tofile(done.with_name("train.rows"))
    np.testing.assert_array_equal(load_dataset(photos, memory=1000).train.X, wanted)


def test_a_copied_store_is_still_whole(photos, cache, monkeypatch):
    wanted = load_dataset(photos, memory=1000).train.X.copy()
    for file in cache.glob("*/*.bin"):
        os.utime(file, ns=(0, 0))
    monkeypatch.setattr(EncodedImages, "read", lambda *_: pytest.fail("decoded again"))
    np.testing.assert_array_equal(load_dataset(photos, memory=1000).train.X, wanted)


def test_a_cache_or_source_that_fails_says_which(photos, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_build", full)
        with pytest.raises(DatasetError, match=r"cannot be written: No space left on device\. Make room"):
            load_dataset(photos, memory=1000)
    monkeypatch.setattr(EncodedImages, "read", full)
    with pytest.raises(DatasetError, match=r"^photos cannot be read: No space left"):
        load_dataset(photos, memory=1000)


def test_clearing_frees_what_the_stores_took(photos, cache):
    load_dataset(photos, memory=1000)
    size = stores_size()
    assert size > IMAGES.nbytes
    assert clear_stores() == size
    assert not cache.exists()
    assert stores_size() == 0


@pytest.mark.parametrize(("text", "n"), [
    ("2GiB", 2**31), ("500MB", 500_000_000), ("1.5 KiB", 1536), (1000, 1000), ("12", 12), ("3k", 3000),
    ("1tib", 2**40), ("9" * 400, 2**63),
])  # fmt: skip
def test_budgets_are_written_as_people_do(text, n):
    assert memory_budget(text) == n


@pytest.mark.parametrize("text", ["", "many", "-1", "2XB", "1,5GB", True, float("nan"), 0, "0.1"])
def test_other_budgets_are_refused(text):
    with pytest.raises(ValueError, match="memory must be a number of bytes, such as 2GiB"):
        memory_budget(text)


def test_the_default_budget_is_a_part_of_the_memory():
    assert 2**27 < memory_budget(None) < 2**50


# ---- regions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [slice(None), slice(7, 40), slice(59, 60)])
def test_a_region_finds_its_place_in_the_file(tmp_path, part):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")[part]
    for view in (mapped, np.asarray(mapped)):
        region = file_region(view)
        np.testing.assert_array_equal(region.read(0, len(view)), IMAGES[part])
        pieces = list(region.pieces(500))
        assert len(pieces) == -(-len(view) // 2)
        for rows, piece in pieces:
            np.testing.assert_array_equal(piece, IMAGES[part][rows])


def test_what_is_not_an_unbroken_piece_of_a_file_is_no_region(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for array in (IMAGES, mapped[::2], mapped[:, ::2], mapped[::-1], mapped.copy()):
        assert file_region(array) is None
    assert file_region(np.load(tmp_path / "x.npy", mmap_mode="r+")) is None
    assert file_region(np.load(tmp_path / "x.npy", mmap_mode="c")) is None


def test_a_store_says_which_images_it_left_out(photos, cache):
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:90])
    with pytest.warns(UserWarning, match="cannot be read"):
        load_dataset(photos, memory=1000)
    (done,) = cache.glob("*/done.json")
    assert list(json.loads(done.read_text())["unreadable"]) == ["3"]


def test_what_cannot_be_told_from_other_content_is_never_kept(cache):
    first = load_dataset(IMAGES, memory=100, test_fraction=0)
    second = load_dataset(255 - IMAGES, memory=100, test_fraction=0)
    np.testing.assert_array_equal(first.train.X, 255 - second.train.X)

    import torch

    class Pictures(torch.utils.data.Dataset):
        def __init__(self, images):
            self.images = images

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            return Image.fromarray(self.images[i])

    first, second = (load_dataset(Pictures(x), memory=100, test_fraction=0) for x in (IMAGES, 255 - IMAGES))
    np.testing.assert_array_equal(first.train.X, 255 - second.train.X)
    assert not cache.exists()


def test_mapped_arrays_are_told_apart_by_their_files(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    np.save(tmp_path / "b.npy", 255 - IMAGES)
    for part in (slice(None), slice(10, 50)):
        a, b = (np.load(tmp_path / f"{name}.npy", mmap_mode="r")[part] for name in "ab")
        first, second = (load_dataset(x, memory=100, test_fraction=0) for x in (a, b))
        assert isinstance(first.train.X, np.memmap)
        np.testing.assert_array_equal(first.train.X, IMAGES[part])
        np.testing.assert_array_equal(second.train.X, 255 - IMAGES[part])


def test_half_precision_is_read_from_the_cache_too(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((300, 16, 16, 1)).astype(np.float16))
    data = load_dataset(np.load(tmp_path / "x.npy", mmap_mode="r"), memory=2**16)
    assert file_region(data.train.X) is not None
