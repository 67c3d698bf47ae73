import functools
import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest

from latentmap import load_dataset
from latentmap.data import BUILTIN_NAMES, builtin
from latentmap.data.builtin import IDX_DATASETS, IdxDataset, IdxFile
from latentmap.errors import DatasetError

from .test_npy_and_idx import idx_bytes

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
RNG = np.random.default_rng(0)
ARRAYS = dict(
    zip(
        NAMES,
        (
            RNG.integers(0, 256, (12, 28, 28), dtype=np.uint8),
            RNG.integers(0, 10, 12, dtype=np.uint8),
            RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8),
            RNG.integers(0, 10, 5, dtype=np.uint8),
        ),
        strict=True,
    )
)
CONTENT = {name: idx_bytes(array) for name, array in ARRAYS.items()}
ZIPPED = {name: gzip.compress(content, mtime=0) for name, content in CONTENT.items()}


def sha(content):
    return hashlib.sha256(content).hexdigest()


def small_mnist(digest="content", mirrors=()):
    """MNIST's layout with few images, checked by the digest of the content or of the gzip file."""
    files = tuple(
        IdxFile(name, array.shape, **{f"{digest}_sha256": sha((CONTENT if digest == "content" else ZIPPED)[name])})
        for name, array in ARRAYS.items()
    )
    return IdxDataset("few digits", tuple("0123456789"), tuple(mirrors), files, "MNIST")


def write(folder, contents=ZIPPED, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}{suffix}").write_bytes(content)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no $LATENTMAP_DATA, and a MNIST of few images that no mirror has."""
    monkeypatch.delenv("LATENTMAP_DATA", raising=False)
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "cache")
    monkeypatch.setitem(IDX_DATASETS, "mnist", small_mnist())
    return tmp_path / "cache"


# ---- digits --------------------------------------------------------------------------------------------------------


def test_digits_are_all_of_scikit_learns_in_a_stratified_split(digits):
    from sklearn.datasets import load_digits

    assert digits.train.images.shape == (1437, 32, 32, 1)
    assert digits.test.images.shape == (360, 32, 32, 1)
    assert digits.train.images.dtype == np.uint8
    assert digits.train.labels.dtype == np.int64
    both = np.concatenate([digits.train.labels, digits.test.labels])
    wanted = np.bincount(load_digits().target)
    np.testing.assert_array_equal(np.bincount(both), wanted)
    np.testing.assert_allclose(np.bincount(digits.test.labels), wanted / 5, atol=1)
    assert digits.class_names == tuple("0123456789")


def test_digits_at_their_own_size_are_scikit_learns_pixels():
    from sklearn.datasets import load_digits

    data = load_dataset("digits", size=None)
    found = np.concatenate([data.train.images, data.test.images])[..., 0]
    wanted = np.round(load_digits().images * 255 / 16).astype(np.uint8)
    key = lambda images: sorted(image.tobytes() for image in images)  # noqa: E731
    assert key(found) == key(wanted)


def test_the_split_of_digits_is_fixed_and_has_nothing_twice(digits):
    again = load_dataset("digits")
    np.testing.assert_array_equal(again.train.images, digits.train.images)
    np.testing.assert_array_equal(again.test.labels, digits.test.labels)
    small = load_dataset("digits", size=None)
    train = {image.tobytes() for image in small.train.images}
    assert not any(image.tobytes() in train for image in small.test.images)


@pytest.mark.parametrize("size", [8, 17, 64])
def test_any_size_may_be_asked_for(size):
    assert load_dataset("digits", size=size).test.images.shape == (360, size, size, 1)


# ---- names and sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, 257, 0, -1, 32.0, "32", (32,)])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(ValueError, match=r"size must be a whole number from 8 to 256 or None, got"):
        load_dataset("digits", size=size)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("mnits", "mnist"), ("digit", "digits"), ("fashion-mnist", "fashion_mnist"), ("KMNIST", None)],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, nearest):
    hint = f"Did you mean '{nearest}'" if nearest else "The built-in ones are digits, mnist, fashion_mnist, kmnist"
    with pytest.raises(DatasetError, match=f"there is no dataset '{name}'. {hint}"):
        load_dataset(name)


def test_a_link_that_points_at_nothing_is_called_one(tmp_path):
    link = tmp_path / "x.csv"
    link.symlink_to("nowhere.csv")
    with pytest.raises(DatasetError, match=r"x.csv is a link to nowhere.csv, which is not there"):
        load_dataset(link)


def test_every_builtin_has_ten_classes_and_four_checked_files_over_mirrors():
    assert set(BUILTIN_NAMES) == {"digits", *IDX_DATASETS}
    for spec in IDX_DATASETS.values():
        assert len(spec.class_names) == 10
        assert [file.name for file in spec.files] == list(NAMES)
        assert len(spec.mirrors) >= 2
        assert all(mirror.endswith("/") for mirror in spec.mirrors)
        for file in spec.files:
            (digest,) = (d for d in (file.content_sha256, file.gzip_sha256) if d is not None)
            assert len(bytes.fromhex(digest)) == 32


# ---- finding files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contents", "suffix"), [(ZIPPED, ".gz"), (CONTENT, ""), (CONTENT, ".gz"), (ZIPPED, "")])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw"])
def test_files_are_read_compressed_or_not_from_either_layout(cache, tmp_path, contents, suffix, folder):
    write(tmp_path / "data" / folder, contents, suffix)
    data = load_dataset("mnist", size=None, data_dir=tmp_path / "data")
    np.testing.assert_array_equal(data.train.images[..., 0], ARRAYS[NAMES[0]])
    np.testing.assert_array_equal(data.train.labels, ARRAYS[NAMES[1]])
    np.testing.assert_array_equal(data.test.images[..., 0], ARRAYS[NAMES[2]])
    np.testing.assert_array_equal(data.test.labels, ARRAYS[NAMES[3]])


def test_images_are_brought_to_32_pixels_by_default(cache, tmp_path):
    from latentmap.data.images import resize_images

    write(tmp_path / "mnist")
    data = load_dataset("mnist", data_dir=tmp_path)
    np.testing.assert_array_equal(data.train.images, resize_images(ARRAYS[NAMES[0]][..., None], 32, 32))


def test_a_recompressed_file_is_still_right(cache, tmp_path):
    write(tmp_path / "mnist", {name: gzip.compress(c, compresslevel=1, mtime=9) for name, c in CONTENT.items()})
    assert len(load_dataset("mnist", data_dir=tmp_path).train) == 12


def test_data_dir_comes_before_the_environment_and_that_before_the_cache(cache, tmp_path, monkeypatch):
    folders = [write(root / "mnist") for root in (tmp_path / "a", tmp_path / "b", cache)]
    monkeypatch.setenv("LATENTMAP_DATA", str(tmp_path / "b"))
    assert builtin.find_folder("mnist", tmp_path / "a") == folders[0]
    assert builtin.find_folder("mnist") == folders[1]
    monkeypatch.delenv("LATENTMAP_DATA")
    assert builtin.find_folder("mnist") == folders[2]


@pytest.mark.parametrize("source", ["digits", np.zeros((5, 3))])
@pytest.mark.parametrize(("wrong", "message"), [
    ({"memory": "-1"}, "memory must be a number of bytes"),
    ({"memory": float("nan")}, "memory must be a number of bytes"),
    ({"data_dir": "nowhere"}, "data_dir must be an existing folder, got nowhere"),
])  # fmt: skip
def test_options_are_checked_even_where_they_do_nothing(source, wrong, message):
    with pytest.raises((ValueError, DatasetError), match=message):
        load_dataset(source, **wrong)


@pytest.mark.parametrize("by", ["data_dir", r"\$LATENTMAP_DATA"])
def test_a_missing_directory_is_refused(cache, tmp_path, monkeypatch, by):
    missing = tmp_path / "nowhere"
    if by != "data_dir":
        monkeypatch.setenv("LATENTMAP_DATA", str(missing))
    with pytest.raises(DatasetError, match=f"{by} must be an existing folder, got .*nowhere. Create it, or leave"):
        load_dataset("mnist", data_dir=missing if by == "data_dir" else None)


def test_a_folder_with_some_of_the_files_is_refused_naming_the_others(cache, tmp_path):
    folder = write(tmp_path / "mnist")
    (folder / f"{NAMES[1]}.gz").unlink()
    (folder / f"{NAMES[2]}.gz").unlink()
    with pytest.raises(DatasetError, match=rf"mnist lacks {NAMES[1]}, {NAMES[2]} \(\.gz or not\)\. Add what is"):
        load_dataset("mnist", data_dir=tmp_path)


# ---- checking files ------------------------------------------------------------------------------------------------


def changed(content):
    """The same file with one pixel or label changed."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_checksum_is_refused(cache, tmp_path, name):
    write(tmp_path / "mnist", CONTENT | {name: changed(CONTENT[name])}, suffix="")
    with pytest.raises(DatasetError, match=rf"{name} has a wrong checksum: its content must have SHA-256 "):
        load_dataset("mnist", data_dir=tmp_path)


def test_other_dimensions_than_published_are_refused(cache, tmp_path):
    write(tmp_path / "mnist", CONTENT | {NAMES[0]: idx_bytes(ARRAYS[NAMES[0]][:11])}, suffix="")
    message = rf"{NAMES[0]} must have dimensions \(12, 28, 28\) of bytes, got \(11, 28, 28\) of uint8"
    with pytest.raises(DatasetError, match=message):
        load_dataset("mnist", data_dir=tmp_path)


def test_swapped_images_and_labels_are_refused(cache, tmp_path):
    write(tmp_path / "mnist", CONTENT | {NAMES[0]: CONTENT[NAMES[1]]}, suffix="")
    with pytest.raises(DatasetError, match=r"must have 3 dimension\(s\), got 1. Are images and labels swapped"):
        load_dataset("mnist", data_dir=tmp_path)


def test_a_truncated_gzip_file_is_refused_with_its_path(cache, tmp_path):
    write(tmp_path / "mnist", ZIPPED | {NAMES[2]: ZIPPED[NAMES[2]][:-20]})
    with pytest.raises(DatasetError, match=rf"mnist/{NAMES[2]}\.gz is a truncated or corrupt gzip file"):
        load_dataset("mnist", data_dir=tmp_path)


def test_a_recompressed_file_of_which_only_the_gzip_digest_is_known_is_used_with_a_warning(
    cache, tmp_path, monkeypatch
):
    monkeypatch.setitem(IDX_DATASETS, "mnist", small_mnist("gzip"))
    write(tmp_path / "mnist")
    assert len(load_dataset("mnist", data_dir=tmp_path).train) == 12  # as published: no warning
    write(tmp_path / "mnist", {NAMES[3]: gzip.compress(CONTENT[NAMES[3]], compresslevel=1)})
    with pytest.warns(UserWarning, match=rf"{NAMES[3]}\.gz is not the published gzip file; its content could not"):
        load_dataset("mnist", data_dir=tmp_path)


# ---- downloading ---------------------------------------------------------------------------------------------------


class Mirrors:
    """A web server with one folder per mirror, and what was asked of it."""

    def __init__(self, root):
        self.root = root
        self.asked = asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, *_):
                asked.append(self.path)

            def log_message(self, format, *arguments):  # noqa: A002
                pass  # a page not found is no news

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(root))
        )
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server.server_port}/{name}/"


@pytest.fixture
def mirrors(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    web = Mirrors(tmp_path)
    yield web
    web.server.shutdown()
    web.server.server_close()


def offer(monkeypatch, mirrors, names, digest="content"):
    monkeypatch.setitem(IDX_DATASETS, "mnist", small_mnist(digest, [mirrors.url(name) for name in names]))


@pytest.mark.parametrize("digest", ["content", "gzip"])
def test_what_is_not_at_hand_is_downloaded_into_the_cache_once(cache, tmp_path, monkeypatch, mirrors, digest):
    write(tmp_path / "first")
    offer(monkeypatch, mirrors, ["first"], digest)
    data = load_dataset("mnist", size=None)
    np.testing.assert_array_equal(data.train.images[..., 0], ARRAYS[NAMES[0]])
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(f"{name}.gz" for name in NAMES)
    asked = len(mirrors.asked)
    load_dataset("mnist")
    assert len(mirrors.asked) == asked


def test_the_next_mirror_is_tried_where_one_lacks_a_file_or_has_another(cache, tmp_path, monkeypatch, mirrors):
    write(tmp_path / "second", ZIPPED | {NAMES[0]: gzip.compress(changed(CONTENT[NAMES[0]]))})
    write(tmp_path / "third")
    offer(monkeypatch, mirrors, ["first", "second", "third"])
    data = load_dataset("mnist", size=None)
    np.testing.assert_array_equal(data.train.images[..., 0], ARRAYS[NAMES[0]])
    images = [path for path in mirrors.asked if NAMES[0] in path]
    assert images == [f"/{mirror}/{NAMES[0]}.gz" for mirror in ("first", "second", "third")]
    labels = [path for path in mirrors.asked if NAMES[1] in path]
    assert labels == [f"/{mirror}/{NAMES[1]}.gz" for mirror in ("first", "second")]


@pytest.mark.parametrize("digest", ["content", "gzip"])
@pytest.mark.parametrize("fault", ["changed", "truncated", "page"])
def test_a_download_that_is_not_the_published_file_is_refused_and_not_kept(
    cache, tmp_path, monkeypatch, mirrors, digest, fault
):
    bad = {
        "changed": gzip.compress(changed(CONTENT[NAMES[0]])),
        "truncated": ZIPPED[NAMES[0]][:-30],
        "page": b"<html>moved</html>",
    }[fault]
    write(tmp_path / "only", ZIPPED | {NAMES[0]: bad})
    offer(monkeypatch, mirrors, ["only"], digest)
    with pytest.raises(
        DatasetError, match=r"mnist is not at hand and cannot be downloaded \(.*Put .* or name the"
    ) as caught:
        load_dataset("mnist")
    assert "\n" not in str(caught.value)
    assert list((cache / "mnist").iterdir()) == []


def test_an_unreachable_mirror_is_one_line(cache, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(IDX_DATASETS, "mnist", small_mnist(mirrors=["http://127.0.0.1:9/"]))
    with pytest.raises(DatasetError, match="mnist is not at hand and cannot be downloaded") as caught:
        load_dataset("mnist")
    assert "\n" not in str(caught.value)


def test_an_interrupted_download_is_gone_on_with(cache, tmp_path, monkeypatch, mirrors):
    mirror = write(tmp_path / "only")
    last = mirror / f"{NAMES[3]}.gz"
    last.rename(tmp_path / "kept")
    offer(monkeypatch, mirrors, ["only"])
    with pytest.raises(DatasetError, match=f"Put {NAMES[3]}.gz and the other three"):
        load_dataset("mnist")
    (tmp_path / "kept").rename(last)
    mirrors.asked.clear()
    assert len(load_dataset("mnist").train) == 12
    assert mirrors.asked == [f"/only/{NAMES[3]}.gz"]


def test_a_cache_that_cannot_be_written_is_one_line(cache, monkeypatch, mirrors):
    offer(monkeypatch, mirrors, ["only"])
    cache.write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match=r"the cache .*cache/mnist cannot be written: Not a directory"):
        load_dataset("mnist")


def test_a_progress_bar_is_told_of_every_byte(cache, tmp_path, monkeypatch, mirrors):
    class Bar:
        total = 0
        seen = 0

        def update(self, n):
            self.seen += n

        def reset(self):
            pass

        def close(self):
            pass

    write(tmp_path / "only")
    offer(monkeypatch, mirrors, ["only"])
    bar = Bar()
    load_dataset("mnist", progress=bar)
    assert bar.seen >= sum(len(content) for content in ZIPPED.values())


# ---- the real ones -------------------------------------------------------------------------------------------------


@pytest.mark.mnist
def test_the_real_mnist():
    mnist = load_dataset("mnist")
    assert mnist.train.images.shape == (60_000, 32, 32, 1)
    assert mnist.test.images.shape == (10_000, 32, 32, 1)
    assert mnist.train.images.nbytes < 62e6
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(mnist.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
