"""Folders of images: every format, mode and orientation, classes and splits, and what cannot be read."""

import io
import os
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from latentmap import load_dataset
from latentmap.data import images as images_module
from latentmap.data.folder import natural_order
from latentmap.data.images import SUFFIXES, UnreadableImageError, decode, levels_of, probe
from latentmap.data.source import Reading, parse_size
from latentmap.errors import DatasetError

RNG = np.random.default_rng(0)


def picture(height=12, width=12, channels=3, seed=0):
    """A smooth picture, which JPEG keeps."""
    y, x = np.mgrid[:height, :width]
    planes = [(40 * np.sin((x + seed) / (3 + c)) + 40 * np.cos(y / (4 + c)) + 120) for c in range(channels)]
    return np.stack(planes, -1).astype(np.uint8).squeeze()


def save(path, array=None, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture() if array is None else array)
    (image.convert(mode) if mode else image).save(path, **options)


@pytest.fixture
def photos(tmp_path):
    """Thirty colour pictures in a flat folder."""
    for i in range(30):
        save(tmp_path / "photos" / f"{i}.png", picture(seed=i))
    return tmp_path / "photos"


# ---- formats and modes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read(tmp_path, suffix):
    for i in range(5):
        save(tmp_path / f"{i}{suffix}", picture(seed=i))
    dataset = load_dataset(tmp_path)
    assert dataset.sample_shape == (12, 12, 3)
    found = np.concatenate([dataset.train.images, dataset.test.images]).astype(int)
    wanted = np.stack([picture(seed=i) for i in range(5)]).astype(int)
    names = [*dataset.train.names, *dataset.test.names]
    assert np.abs(found[np.argsort(names)] - wanted).mean() < 12


@pytest.mark.parametrize(("mode", "channels"), [
    ("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("I;16", 1), ("CMYK", 3), ("F", 1), ("I", 1),
])  # fmt: skip
def test_every_mode_is_read_in_the_channels_it_has(tmp_path, mode, channels):
    suffix = "tif" if mode in ("CMYK", "F", "I", "I;16") else "png"
    for i in range(4):
        image = Image.fromarray(picture(seed=i))
        if mode == "I;16":
            image = Image.fromarray(picture(channels=1, seed=i).astype(np.uint16) * 257)
        elif mode in ("F", "I"):
            image = Image.fromarray(picture(channels=1, seed=i)).convert(mode)
        else:
            image = image.convert(mode)
        assert image.mode == mode
        image.save(tmp_path / f"{i}.{suffix}")
    dataset = load_dataset(tmp_path)
    assert dataset.sample_shape == (12, 12, channels)
    i = int(dataset.train.names[0].split(".")[0])
    wanted = picture(seed=i, channels=1 if mode in ("I;16", "F", "I") else 3)
    if channels == 1 and wanted.ndim == 3:
        wanted = np.asarray(Image.fromarray(wanted).convert("L"))
    if mode == "1":
        wanted = 255 * np.asarray(Image.fromarray(picture(seed=i)).convert("1"), int)
    assert np.abs(dataset.train.images[0].squeeze().astype(int) - wanted).mean() < (20 if mode == "P" else 12)


def save_deep(folder, tops, dtype=np.uint16, suffix="png", low=0):
    """One grey picture for each brightest value, and what they hold."""
    folder.mkdir(exist_ok=True)
    images = np.stack([low + picture(channels=1, seed=i) / 200 * (top - low) for i, top in enumerate(tops)])
    images[0, 0, :2] = low, max(tops)
    images = images.astype(dtype)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.{suffix}")
    return images


@pytest.mark.parametrize(("top", "dtype", "suffix", "low", "wanted"), [
    (4000, np.uint16, "png", 0, (0, 4095)), (60000, np.uint16, "tif", 0, (0, 65535)),
    (0.9, np.float32, "tif", 0, (0, 1)),
    (1.0000002, np.float32, "tif", 0, (0, 1)), (3000, np.float32, "tif", -1000, (-1000, 3000)),
    (70000, np.int32, "tif", 0, (0, 70000)),
])  # fmt: skip
def test_deep_images_keep_their_levels_in_the_range_of_all_of_them(tmp_path, top, dtype, suffix, low, wanted):
    dark = low + (top - low) / 20
    images = save_deep(tmp_path, [top, top, dark, top], dtype, suffix, low)
    dataset = load_dataset(tmp_path, test_fraction=0)
    black, white = wanted
    assert dataset.train.X.dtype == np.float32
    np.testing.assert_allclose(dataset.train.X[..., 0], (images.astype(float) - black) / (white - black), atol=1e-5)
    assert dataset.train.X[2].max() < 0.06  # a dark frame stays dark
    assert dataset.reading.pixel_range == pytest.approx(wanted, rel=1e-6)
    assert len(dataset.notes) == 1
    new = load_dataset(tmp_path, reading=dataset.reading.to_config(), test_fraction=0)
    np.testing.assert_array_equal(new.train.X, dataset.train.X)


def test_eight_bits_in_sixteen_are_bytes(tmp_path):
    images = save_deep(tmp_path, [250, 200, 100])
    dataset = load_dataset(tmp_path, test_fraction=0)
    np.testing.assert_array_equal(dataset.train.X[..., 0], images)
    assert (dataset.train.X.dtype, dataset.notes) == (np.uint8, ("pixels from 0 to 255 are taken as black to white.",))


def test_a_dark_series_is_read_in_the_range_of_the_model(tmp_path):
    save_deep(tmp_path / "first", [4000, 3000, 2000])
    reading = load_dataset(tmp_path / "first").reading
    images = save_deep(tmp_path / "dark", [90, 80, 70])
    # Two hundredths of the range may be a dark series, or other units: it is read as the former, and this is said.
    with pytest.warns(UserWarning, match="0 to 4,095, got 0 to 255: these are taken as almost black images"):
        new = load_dataset(tmp_path / "dark", reading=reading, test_fraction=0)
    np.testing.assert_allclose(new.train.X[..., 0], images / 4095, atol=1e-6)
    save_deep(tmp_path / "bright", [60000, 3000, 2000])
    with pytest.warns(UserWarning, match="0 to 4,095, got 0 to 65,535: codes of what lies far outside"):
        load_dataset(tmp_path / "bright", reading=reading, test_fraction=0)


def test_deep_images_come_to_size_channels_and_bytes_where_a_model_wants_them(tmp_path):
    images = save_deep(tmp_path, [65535, 60000, 50000])
    for channels, fit in ((3, "pad"), (4, "crop")):
        new = load_dataset(tmp_path, reading=Reading(8, 16, channels, fit), test_fraction=0)
        assert (new.train.X.dtype, new.sample_shape) == (np.uint8, (8, 16, channels))
        assert "from 0 to 65,535 are taken as black to white, as 0 to 255 were" in new.notes[0]
    alone = decode(tmp_path / "0.png", Reading(12, 12, 1), (0, 65535))
    np.testing.assert_allclose(alone[..., 0], images[0] / 257, atol=0.51)
    padded = decode(tmp_path / "0.png", Reading(12, 24, 1, "pad", -1000, 3000, "float32"), (-1000, 3000))
    assert (padded[:, [0, -1]] == 0).all()


def test_images_of_different_depth_each_say_their_range(tmp_path):
    save_deep(tmp_path, [4000, 3000, 2000])
    save(tmp_path / "3.png", np.full((12, 12), 51, np.uint8))
    dataset = load_dataset(tmp_path, test_fraction=0)
    np.testing.assert_allclose(dataset.train.X[3], 0.2, atol=1e-6)
    assert dataset.notes[1] == "3 images have more than 8 bits, the others are of 0 to 255."


def test_floats_beside_whole_numbers_are_refused(tmp_path):
    save_deep(tmp_path, [4000, 3000])
    Image.fromarray(np.linspace(0, 0.9, 144, dtype=np.float32).reshape(12, 12)).save(tmp_path / "2.tif")
    with pytest.raises(
        DatasetError, match=r"are of floats, up to 0\.9, and of whole numbers, up to 4,000: in one range"
    ):
        load_dataset(tmp_path)


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    for i in range(12):
        save(tmp_path / f"{i}.png", np.full((12, 12), i, np.uint8))
    (tmp_path / "leer.png").touch()
    with pytest.warns(UserWarning, match=r"leer\.png \(empty\)"):
        load_dataset(tmp_path)


def test_colours_of_sixteen_bits_are_read_by_their_upper_half_and_this_is_said(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for i in range(3):
        rows = b"".join(b"\0" + (picture(seed=i)[y].astype(">u2") * 257).tobytes() for y in range(12))
        header = struct.pack(">IIBBBBB", 12, 12, 16, 2, 0, 0, 0)
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        (tmp_path / f"{i}.png").write_bytes(png)
    dataset = load_dataset(tmp_path, test_fraction=0)
    np.testing.assert_array_equal(dataset.train.X[1], picture(seed=1))
    assert dataset.notes == ("3 colour images of 16 bits are read by their upper 8.",)


def test_pixels_that_are_no_numbers_make_an_image_unreadable(tmp_path):
    save_deep(tmp_path, [1, 1, 1, 1], np.float32, "tif")
    Image.fromarray(np.full((12, 12), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.warns(UserWarning, match=r"1 of 5 .* nan\.tif \(it has pixels that are no numbers"):
        dataset = load_dataset(tmp_path, test_fraction=0, skip_bad=True)
    assert len(dataset.train) == 4


def test_a_large_deep_image_is_never_held_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.data.images._STRIP", 2**14)
    monkeypatch.setattr("latentmap.data.images._BIG", 2**14)
    y, x = np.mgrid[:600, :800].astype(np.float32)
    Image.fromarray((x + y) / 1400).save(tmp_path / "x.tif")
    n_bytes = 4 * x.size
    del x, y
    tracemalloc.start()
    dtype, levels = levels_of(tmp_path / "x.tif")
    small = decode(tmp_path / "x.tif", Reading(32, 32, 1, dtype="float32"), (0, 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (dtype, small.shape) == (np.float32, (32, 32, 1))
    assert levels == pytest.approx((0, 1398 / 1400, 0), abs=1e-3)
    assert peak < 0.5 * n_bytes  # Pillow's own memory aside: copies of ours would be here


def test_one_large_image_is_decoded_at_a_time(tmp_path, monkeypatch):
    at_once, most = [], []
    whole = images_module._fit

    def fit(*arguments):
        at_once.append(1)
        most.append(len(at_once))
        found = whole(*arguments)
        at_once.pop()
        return found

    for i in range(12):
        save(tmp_path / f"{i}.png", picture(60, 60, seed=i))
    monkeypatch.setattr(images_module, "_BIG", 1000)
    monkeypatch.setattr(images_module, "_fit", fit)
    assert len(load_dataset(tmp_path, size=8, test_fraction=0).train) == 12
    assert max(most) == 1


def test_an_image_that_is_open_is_left_as_it_is(tmp_path):
    save(tmp_path / "x.jpg", picture(200, 160))
    with Image.open(tmp_path / "x.jpg") as image:
        assert decode(image, Reading(16, 16, 3)).shape == (16, 16, 3)
        assert image.size == (160, 200)


def test_a_grey_palette_is_grey_and_a_coloured_one_is_not(tmp_path):
    grey = Image.fromarray(picture(channels=1)).convert("P")
    grey.save(tmp_path / "grey.gif")
    assert probe(tmp_path / "grey.gif")[1]
    Image.fromarray(picture()).convert("P").save(tmp_path / "colour.png")
    assert not probe(tmp_path / "colour.png")[1]


def test_transparent_pixels_lie_on_white():
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4, :, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "png")
    found = decode(buffer.getvalue(), Reading(8, 8, 3))
    assert (found[:4] == 0).all()
    assert (found[4:] == 255).all()
    assert (decode(buffer.getvalue(), Reading(8, 8, 4)) == rgba).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path, orientation):
    upright = np.zeros((10, 20, 3), np.uint8)
    upright[:5, :10] = 255  # white above on the left
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Image.Transpose that makes it so
    image = Image.fromarray(upright)
    stored = image if undo is None else image.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "x.png", exif=exif)
    assert probe(tmp_path / "x.png")[0] == (10, 20)
    np.testing.assert_array_equal(decode(tmp_path / "x.png", Reading(10, 20, 3)), upright)


# ---- sizes ---------------------------------------------------------------------------------------------------------


def test_one_common_size_is_kept(tmp_path):
    for i in range(6):
        save(tmp_path / f"{i}.png", picture(17, 9, seed=i))
    dataset = load_dataset(tmp_path)
    assert dataset.sample_shape == (17, 9, 3)
    assert dataset.notes == ()


def test_mixed_sizes_go_to_their_median_side_and_this_is_said(tmp_path):
    for i, side in enumerate([10, 20, 30, 40, 50]):
        save(tmp_path / f"{i}.png", picture(side, side))
    dataset = load_dataset(tmp_path)
    assert dataset.sample_shape == (30, 30, 3)
    assert dataset.notes == ("images of 5 sizes are brought to 30x30 (crop); choose another with --size.",)
    save(tmp_path / "9.png", picture(200, 200))
    save(tmp_path / "8.png", picture(200, 201))
    save(tmp_path / "7.png", picture(200, 202))
    assert load_dataset(tmp_path).sample_shape[:2] == (45, 45)
    for i in range(10, 20):
        save(tmp_path / f"{i}.png", picture(210, 210))
    assert load_dataset(tmp_path).sample_shape[:2] == (64, 64)


@pytest.mark.parametrize(("fit", "wanted"), [("crop", [255, 255, 255]), ("pad", [0, 255, 0]), ("stretch", [255] * 3)])
def test_another_shape_is_cropped_padded_or_stretched(tmp_path, fit, wanted):
    for i in range(4):
        save(tmp_path / f"{i}.png", np.full((40, 20), 255, np.uint8) - i)
    dataset = load_dataset(tmp_path, size=(20, 20), fit=fit)
    assert dataset.sample_shape == (20, 20, 1)
    column = dataset.train.images[0, 10, [0, 10, 19], 0].astype(int)
    np.testing.assert_allclose(column, wanted, atol=4)
    assert dataset.reading.fit == fit


@pytest.mark.parametrize(("text", "size"), [("32", 32), ("24x32", (24, 32)), ("24X8", (24, 8))])
def test_sizes_are_written_as_one_or_two_numbers(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "3x", "axb", "1x2x3", "-4", "3.5"])
def test_other_sizes_are_refused(text):
    with pytest.raises(ValueError, match="size must be N or HEIGHTxWIDTH"):
        parse_size(text)


@pytest.mark.parametrize("size", [7, 257, (8, 300), (8, 8, 8), "32", 8.0])
def test_sizes_out_of_range_are_refused(photos, size):
    with pytest.raises(ValueError, match="size must be a whole number from 8 to 256"):
        load_dataset(photos, size=size)


def test_colour_is_read_in_grey_and_grey_in_colour_when_asked(tmp_path, photos):
    dataset = load_dataset(photos, color=False)
    assert dataset.sample_shape == (12, 12, 1)
    assert "colour images are read as grey ones." in dataset.notes
    for i in range(4):
        save(tmp_path / "grey" / f"{i}.png", picture(channels=1, seed=i))
    images = load_dataset(tmp_path / "grey", color=True).train.images
    assert images.shape[1:] == (12, 12, 3)
    assert (images[..., 0] == images[..., 2]).all()


# ---- classes and splits --------------------------------------------------------------------------------------------


def test_folders_one_level_down_are_classes_in_natural_order(tmp_path):
    for name in ("class10", "class2", "class1"):
        for i in range(10):
            save(tmp_path / name / f"{i}.png", picture(seed=i))
    dataset = load_dataset(tmp_path)
    assert dataset.class_names == ("class1", "class2", "class10")
    assert np.bincount(dataset.test.labels).tolist() == [2, 2, 2]
    for split in (dataset.train, dataset.test):
        folders = [dataset.class_names.index(name.split("/")[0]) for name in split.names]
        assert folders == split.labels.tolist()


def test_names_that_are_not_utf8_are_spelled_in_messages(tmp_path):
    for name in ("a", b"caf\xe9".decode("utf-8", "surrogateescape")):
        for i in range(12):
            save(tmp_path / "x\udcff" / name / f"{i}.png", picture(8, 8, seed=i))
    bad = tmp_path / "x\udcff" / "a" / "b\udcfe.png"
    bad.write_text("no picture")
    with pytest.warns(UserWarning, match=r"x\\xff/a/b\\xfe\.png \(not an image"):
        dataset = load_dataset(tmp_path)
    assert r"the folders in x\xff are the classes." in dataset.notes


def test_folders_are_no_classes_where_images_lie_at_different_depths(tmp_path):
    for name in ("a/1", "a/2", "b/1", "3", "4"):
        save(tmp_path / f"{name}.png")
        save(tmp_path / f"{name}x.png", picture(seed=3))
    dataset = load_dataset(tmp_path)
    assert dataset.class_names is None
    assert any("different depths" in note for note in dataset.notes)


@pytest.mark.parametrize(("layout", "classes", "note"), [
    (("one/cat/1", "one/cat/2", "two/dog/1"), ("cat", "dog"), "the innermost are the classes."),
    (("one/cat/1", "one/dog/1", "two/dog/1"), ("one/cat", "one/dog", "two/dog"), "called by their paths (one/cat)"),
    (("all/cat/1", "all/cat/2", "all/dog/1"), ("cat", "dog"), "the folders in all are the classes."),
    (("cat/1", "cat/old/2", "dog/old/older/1"), ("cat", "dog"), "different depths: the outermost folders are"),
    (("cat/.old/9", ".new/elk/9", "cat/1", "dog/1"), ("cat", "dog"), None),
    (("A/1", "a/1", "b/1"), ("A", "a", "b"), None),
    (("cat/1", "cat/2", "cat/old/3"), None, "some in no folder"),
    (("train/one/cat/1", "train/two/dog/1", "test/one/cat/2", "test/two/dog/2"), ("cat", "dog"), "innermost"),
    (("train/cat/1", "train/dog/1", "val/cat/2", "val/dog/2"), ("cat", "dog"), "images in val/ are the test split"),
])  # fmt: skip
def test_folders_in_folders_are_classes_and_this_is_said(tmp_path, layout, classes, note):
    for i, path in enumerate([*layout, *(f"{path}x" for path in layout)]):
        save(tmp_path / f"{path}.png", picture(seed=i))
    dataset = load_dataset(tmp_path)
    assert dataset.class_names == classes
    assert note is None or any(note in said for said in dataset.notes)
    assert bool(dataset.notes) == (note is not None)
    for split in (dataset.train, dataset.test):
        for i, name in enumerate(split.names):
            assert not classes or set(classes[split.labels[i]].split("/")) <= set(name.split("/"))


def test_one_folder_alone_is_no_class(tmp_path):
    for i in range(5):
        save(tmp_path / "images" / f"{i}.png", picture(seed=i))
    assert load_dataset(tmp_path).train.labels is None


def test_train_and_test_folders_are_the_splits(tmp_path):
    for split, n in (("train", 6), ("test", 3)):
        for name in ("cat", "dog"):
            for i in range(n):
                save(tmp_path / split / name / f"{i}.png", picture(seed=i))
    save(tmp_path / "other" / "x.png")
    dataset = load_dataset(tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (12, 6)
    assert dataset.class_names == ("cat", "dog")
    assert all(name.startswith("train/") for name in dataset.train.names)
    assert dataset.split == "given"
    assert any("1 images outside of train/ and test/" in note for note in dataset.notes)


def test_hidden_and_other_files_are_passed_over_and_counted(photos):
    (photos / ".hidden.png").write_bytes(b"x")
    (photos / ".cache").mkdir()
    save(photos / ".cache" / "x.png")
    (photos / "notes.txt").write_text("x")
    (photos / "Thumbs.db").write_text("x")
    dataset = load_dataset(photos)
    assert len(dataset.train) + len(dataset.test) == 30
    assert dataset.notes == ("2 files passed over: no images.",)


def test_the_split_is_the_same_every_time_and_the_test_part_in_no_order(photos):
    first, again = load_dataset(photos), load_dataset(photos)
    assert first.test.names == again.test.names
    assert len(first.test) == 6
    assert sorted(first.test.names) != list(first.test.names)
    assert not set(first.train.names) & set(first.test.names)


def test_without_a_test_part_everything_stays_in_order(photos):
    dataset = load_dataset(photos, test_fraction=0)
    assert len(dataset.test) == 0
    assert list(dataset.train.names) == [f"{i}.png" for i in range(30)]


def test_a_limit_takes_evenly_spaced_samples(tmp_path):
    for name in "ab":
        for i in range(20):
            save(tmp_path / name / f"{i}.png", picture(seed=i))
    dataset = load_dataset(tmp_path, limit=4)
    assert np.bincount(dataset.train.labels).tolist() == [2, 2]


def test_numbers_in_names_are_sorted_as_numbers():
    names = ["10", "2", "a", "1b", "", "1", "b2", "b10"]
    assert sorted(names, key=natural_order) == ["", "1", "1b", "2", "10", "a", "b2", "b10"] or sorted(
        names, key=natural_order
    )[-3:] == ["a", "b2", "b10"]


def test_a_reading_brings_other_images_alike(tmp_path, photos):
    reading = load_dataset(photos, size=16, color=False).reading
    for i in range(3):
        save(tmp_path / "new" / f"{i}.png", picture(40, 30, seed=i))
    new = load_dataset(tmp_path / "new", reading=reading.to_config(), test_fraction=0)
    assert new.sample_shape == (16, 16, 1)
    assert new.notes == ("colour images are read as grey ones, as the model was fitted on.",)


# ---- what cannot be read -------------------------------------------------------------------------------------------


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="holds no images"):
        load_dataset(tmp_path)


def test_a_folder_without_a_readable_image_is_refused(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_text("not an image")
    with pytest.raises(DatasetError, match=r"none of the 3 images in .* 0\.png: not an image that can be read"):
        load_dataset(tmp_path)


def test_some_unreadable_images_are_named_and_passed_over(photos):
    whole = (photos / "0.png").read_bytes()
    (photos / "text.png").write_text("not an image")
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"2 of 32 images in photos cannot be read: .*cut\.png .*text\.png"):
        dataset = load_dataset(photos)
    assert len(dataset.train) + len(dataset.test) == 30


def test_only_regular_files_are_opened_and_others_are_unreadable_images(tmp_path):
    for i in range(40):
        save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png", picture(seed=i))
    photos = tmp_path / "photos"
    (photos / "gone.png").symlink_to("/nowhere/at/all")
    (photos / "loop.png").symlink_to("loop.png")
    os.mkfifo(photos / "pipe.png")
    (photos / "notes").symlink_to("/nowhere")
    said = r"3 of 43 .*gone\.png \(a link to what is not there\); loop\.png \(Too many .*pipe\.png \(no regular file\)"
    with pytest.warns(UserWarning, match=said):
        dataset = load_dataset(photos, test_fraction=0)
    assert dataset.class_names == ("a", "b")  # whatever lies beside them
    assert [dataset.class_names[label] for label in dataset.train.labels] == [name[0] for name in dataset.train.names]
    assert len(dataset.train) == 40
    assert dataset.notes == ("1 file passed over: no images.",)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    for name in ("data/cat", "elsewhere"):
        for i in range(4):
            save(tmp_path / name / f"{i}.png", picture(seed=i + len(name)))
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "dog" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "self").symlink_to(".")
    dataset = load_dataset(tmp_path / "data", test_fraction=0)
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset.train) == 8
    assert dataset.notes == ("links back to a folder that they lie in are not followed: dog/back, self.",)


def test_a_pipe_or_nothing_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(
        DatasetError, match=r"pipe\.csv is no regular file and no folder\. Write what it gives to a file"
    ):
        load_dataset(tmp_path / "pipe.csv")
    for source in ("", "hf://"):
        with pytest.raises(ValueError, match="source must be a name or a path, got"):
            load_dataset(source)
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    os.mkfifo(tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="holds no images"):
        load_dataset(tmp_path)


def test_more_than_a_tenth_is_refused_unless_told_otherwise(photos):
    for i in range(4):
        (photos / f"bad{i}.png").write_text("not an image")
    with pytest.raises(DatasetError, match=r"4 of 34 .* and 1 more\. Mend or remove them, or .* --skip-bad"):
        load_dataset(photos)
    with pytest.warns(UserWarning, match="passed over"):
        assert len(load_dataset(photos, skip_bad=True, test_fraction=0).train) == 30


@pytest.mark.parametrize("times", [1.1, 2.5])  # Pillow warns of the one and refuses the other
def test_a_decompression_bomb_is_not_opened(photos, times, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(warnings, "catch_warnings", lambda: pytest.fail("silenced the warnings of all threads"))
    Image.new("1", (round(1000 * times), 1)).save(photos / "bomb.png")
    with pytest.warns(UserWarning, match=r"bomb\.png \(.*decompression bomb") as caught:
        dataset = load_dataset(photos)
    assert len(dataset.train) + len(dataset.test) == 30
    assert len(caught) == 1


def test_any_damage_is_one_error(tmp_path):
    save(tmp_path / "x.png", picture())
    good = (tmp_path / "x.png").read_bytes()
    words = []
    for i in range(0, len(good), 7):
        broken = bytearray(good)
        broken[i] ^= 0xFF
        try:
            assert decode(bytes(broken), Reading(12, 12, 3)).shape == (12, 12, 3)
        except UnreadableImageError as error:
            words.append(str(error))
    assert words
    assert not any("\n" in word for word in words)


def test_constant_images_are_refused(tmp_path):
    for i in range(5):
        save(tmp_path / f"{i}.png", np.full((9, 9, 3), 7, np.uint8))
    with pytest.raises(DatasetError, match=r"all 4 training images in .* are the same: there is nothing to learn"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_images_are_refused(tmp_path, n):
    for i in range(n):
        save(tmp_path / f"{i}.png", picture(seed=i))
    with pytest.raises(DatasetError, match="must have at least 3 samples"):
        load_dataset(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_without_permission_is_refused(photos):
    (photos / "private").mkdir()
    (photos / "private").chmod(0)
    with pytest.raises(DatasetError, match="private cannot be read: Permission denied"):
        load_dataset(photos)


def test_reading_a_folder_leaves_warnings_as_they_were(photos):
    before = list(warnings.filters)
    load_dataset(photos)
    assert warnings.filters == before


def test_images_beyond_the_limit_are_not_judged(photos):
    for i in range(8):
        (photos / f"zz{i}.png").write_text("not an image")
    with pytest.raises(DatasetError, match="8 of 38"):
        load_dataset(photos, test_fraction=0)
    with pytest.warns(UserWarning, match="1 of 2 images"):  # the first and the last
        assert load_dataset(photos, test_fraction=0, limit=2, skip_bad=True).train.names == ("0.png",)


def test_stacks_are_read_by_their_first_page_and_this_is_said(tmp_path):
    pages = [Image.fromarray(picture(seed=i)) for i in range(7)]
    for i in range(5):
        pages[i].save(tmp_path / f"{i}.tif", save_all=True, append_images=pages[5:] if i else [])
    dataset = load_dataset(tmp_path)
    assert len(dataset.train) + len(dataset.test) == 5
    assert "4 images of several pages: only the first is read. Save each page by itself." in dataset.notes


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "Validation"), ("TRAIN", "val")])
def test_splits_are_known_however_they_are_written(tmp_path, names):
    for name, n in zip(names, (8, 4), strict=True):
        for i in range(n):
            save(tmp_path / name / "ab"[i % 2] / f"{i}.png", picture(seed=i))
    dataset = load_dataset(tmp_path)
    assert (len(dataset.train), len(dataset.test), dataset.class_names) == (8, 4, ("a", "b"))


def test_large_images_of_one_size_keep_their_shape(tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.png", np.full((150, 300, 3), 60 * i, np.uint8))
    dataset = load_dataset(tmp_path)
    assert dataset.sample_shape == (32, 64, 3)
    assert "images of 150x300 are brought to 32x64; choose another with --size." in dataset.notes
