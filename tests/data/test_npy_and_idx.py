import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentmap.data.npy_and_idx import parse_idx, read_content, read_idx
from latentmap.errors import DatasetError

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx_bytes(array, code=None):
    """The IDX file of an array, written from the format's description."""
    big = array.dtype.newbyteorder(">")
    code = CODES[big.str.replace("|", "")] if code is None else code
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(big).tobytes()


def peak_memory(work):
    """The most bytes that something held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (1, 1, 1)])
def test_an_array_comes_back_as_it_was_written(dtype, shape):
    values = np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)
    read = parse_idx(idx_bytes(values), "x")
    assert read.dtype == values.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, values)


def test_a_known_header_by_hand():
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(parse_idx(content, "x"), [[1, 2, 3], [4, 5, 6]])


def test_compression_is_told_by_content_not_by_name(tmp_path):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    plain, zipped = tmp_path / "plain.gz", tmp_path / "zipped-ubyte"
    plain.write_bytes(idx_bytes(values))
    zipped.write_bytes(gzip.compress(idx_bytes(values)))
    np.testing.assert_array_equal(read_idx(plain), values)
    np.testing.assert_array_equal(read_idx(zipped), values)


GOOD = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "n_dims", "message"),
    [
        (b"", None, r"x is not an IDX file: wrong magic number \(empty file\)"),
        (b"\x89PNG\r\n\x1a\n", None, "x is not an IDX file: wrong magic number 89 50 4e 47"),
        (b"\0\0\x07\x03" + GOOD[4:], None, "x is not an IDX file: wrong magic number 00 00 07 03"),
        (b"\0\0\x08\0", None, "x is not an IDX file: wrong magic number 00 00 08 00"),
        (GOOD, 1, r"x must have 1 dimension\(s\), got 3. Are images and labels swapped\?"),
        (GOOD[:9], None, "x is truncated: its header needs 16 bytes, got 9"),
        (GOOD[:-1], 3, r"x is truncated: dimensions \(2, 3, 4\) need 40 bytes, got 39. Fetch it again"),
        (GOOD + b"\0", 3, r"x is longer than its header says: dimensions \(2, 3, 4\) need 40 bytes, got 41"),
        (b"\0\0\x08\x01\0\0\0\0", None, r"x is empty: its dimensions are \(0,\)"),
        (b"\0\0\x0e\x04" + b"\xff" * 16, None, "x is truncated: dimensions"),  # sizes that no memory holds
    ],
)
def test_bad_content_is_refused_in_one_line_that_says_what_is_wrong(content, n_dims, message):
    with pytest.raises(DatasetError, match=message) as caught:
        parse_idx(content, "x", n_dims)
    assert "\n" not in str(caught.value)


def test_a_truncated_gzip_file_is_refused(tmp_path):
    path = tmp_path / "train-images.gz"
    path.write_bytes(gzip.compress(GOOD)[:-9])
    with pytest.raises(DatasetError, match=r"train-images\.gz is a truncated or corrupt gzip file .* Fetch it again"):
        read_content(path)


@pytest.mark.parametrize("position", [12, 25, -6, -2])  # in the stream, in its checksum, in its length
def test_a_corrupt_gzip_file_is_refused(tmp_path, position):
    damaged = bytearray(gzip.compress(bytes(range(256)) * 4, mtime=0))
    damaged[position] ^= 0xFF
    path = tmp_path / "labels.gz"
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match=r"labels\.gz is a truncated or corrupt gzip file"):
        read_content(path)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"gone cannot be read: No such file or directory"):
        read_content(tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"cannot be read: Is a directory"):
        read_content(tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("content", "message"), [
    (GOOD[:-1], r"is truncated: dimensions \(2, 3, 4\) need 40 bytes, got 39"),
    (GOOD + b"\0", r"is longer than its header says: dimensions \(2, 3, 4\) need 40 bytes, got 41"),
    (GOOD[:9], "is truncated: its header needs 16 bytes, got 9"),
    (b"\0\0\x08\x46" + b"\0\0\0\x01" * 70, "must have at most 32 dimensions, got 70"),
    (b"\0\0\x0e\x04" + b"\xff" * 160, "is truncated: dimensions|which no memory holds"),
])  # fmt: skip
def test_a_damaged_file_is_refused_as_its_content_is(tmp_path, compressed, content, message):
    path = tmp_path / "x-ubyte"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_idx(path)
    assert "\n" not in str(caught.value)


def test_a_plain_file_is_mapped_and_a_compressed_one_stops_where_its_header_says(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    (tmp_path / "plain").write_bytes(idx_bytes(values))
    mapped = read_idx(tmp_path / "plain")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, values)
    (tmp_path / "zipped").write_bytes(gzip.compress(idx_bytes(values)))
    assert read_idx(tmp_path / "zipped").dtype == np.float32
    (tmp_path / "endless").write_bytes(gzip.compress(idx_bytes(values) + bytes(20_000_000), 1))

    def refused():
        with pytest.raises(DatasetError, match="longer than its header says"):
            read_idx(tmp_path / "endless")

    assert peak_memory(refused) < 2**20
    assert peak_memory(lambda: read_content(tmp_path / "endless", 100)) < 2**20


@settings(max_examples=100, deadline=None)
@given(
    position=st.integers(0, len(GOOD) - 1),
    byte=st.integers(0, 255),
    cut=st.integers(0, len(GOOD)),
    n_dims=st.sampled_from([None, 1, 3]),
)
def test_any_change_gives_the_stated_array_or_a_dataset_error(position, byte, cut, n_dims):
    content = bytearray(GOOD)
    content[position] = byte
    content = bytes(content[:cut])
    try:
        array = parse_idx(content, "x", n_dims)
    except DatasetError:
        return
    assert idx_bytes(array, code=content[2]) == content


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=64).map(lambda tail: b"\0\0" + tail))
def test_any_bytes_give_an_array_that_is_written_the_same_or_a_dataset_error(content):
    try:
        array = parse_idx(content, "x")
    except DatasetError:
        return
    if array.dtype.kind != "f":  # a NaN need not keep its bits
        assert idx_bytes(array, code=content[2]) == content


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10**6), byte=st.integers(1, 255), cut=st.integers(0, 40))
def test_any_change_of_a_gzip_file_gives_its_content_or_a_dataset_error(tmp_path_factory, position, byte, cut):
    content = bytes(range(64)) * 8
    damaged = bytearray(gzip.compress(content, mtime=0))
    position %= len(damaged)
    damaged[position] ^= byte
    damaged = bytes(damaged[: len(damaged) - cut])
    path = tmp_path_factory.mktemp("gz") / "file.gz"
    path.write_bytes(damaged)
    try:
        read = read_content(path)
    except DatasetError:
        return
    # Its magic number gone, it is no gzip file but bytes like any other. A header's flags carry no content.
    assert read == (content if damaged[:2] == b"\x1f\x8b" else damaged)
