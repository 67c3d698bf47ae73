"""Sources of many files: columns of arrays, patterns, and object storage behind a real server."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from latentmap import load_dataset
from latentmap.errors import DatasetError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 9, 8), dtype=np.uint8)
LABELS = np.arange(60) % 3


def tensors(images):
    return pa.FixedShapeTensorArray.from_numpy_ndarray(images)


def write_shards(folder, column, n_shards=3, **more):
    """A column in several files of two row groups each, with labels."""
    for shard, rows in enumerate(np.array_split(np.arange(len(IMAGES)), n_shards)):
        held = column(rows)
        table = pa.table({"x": held, "label": LABELS[rows], "id": rows}, **more)
        pq.write_table(table, folder / f"part-{shard}.parquet", row_group_size=11)


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


class TestColumnsOfArrays:
    @pytest.mark.parametrize(
        "column",
        [
            pytest.param(lambda rows: tensors(IMAGES[rows]), id="tensors"),
            pytest.param(lambda rows: pa.array(IMAGES[rows].tolist(), pa.list_(pa.list_(pa.uint8()))), id="lists"),
            pytest.param(
                lambda rows: pa.FixedSizeListArray.from_arrays(
                    pa.FixedSizeListArray.from_arrays(pa.array(IMAGES[rows].ravel()), 8), 9
                ),
                id="fixed lists",
            ),
        ],
    )
    def test_images_are_those_of_an_array(self, tmp_path, column):
        write_shards(tmp_path, column)
        found, wanted = load_dataset(tmp_path), load_dataset(IMAGES, labels=LABELS)
        np.testing.assert_array_equal(found.train.X, wanted.train.X)
        np.testing.assert_array_equal(found.test.labels, wanted.test.labels)
        assert found.reading.label == "label"

    def test_shapes_that_another_library_described_are_known(self, tmp_path):
        flat = pa.array(IMAGES.reshape(60, -1).tolist(), pa.list_(pa.uint8()))
        metadata = {"ARROW:extension:name": "ray.data.arrow_tensor", "ARROW:extension:metadata": "[9, 8]"}
        schema = pa.schema([pa.field("image", flat.type, metadata=metadata)])
        pq.write_table(pa.table([flat], schema), tmp_path / "a.parquet")
        assert load_dataset(tmp_path / "a.parquet").train.X.shape == (48, 9, 8, 1)

    def test_what_memory_does_not_hold_goes_through_the_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        write_shards(tmp_path, lambda rows: tensors(IMAGES[rows]))
        found = load_dataset(tmp_path, memory=1000)
        assert isinstance(found.train.X, np.memmap)
        np.testing.assert_array_equal(found.train.X, load_dataset(tmp_path).train.X)

    def test_floats_keep_their_range_and_rows_their_order(self, tmp_path):
        write_shards(tmp_path, lambda rows: tensors((IMAGES[rows] / 255).astype(np.float32)))
        np.testing.assert_allclose(load_dataset(tmp_path, test_fraction=0).train.X[..., 0], IMAGES)

    def test_lists_of_numbers_are_vectors_and_can_be_named(self, tmp_path):
        rows = IMAGES[:, 0].astype(float)
        table = pa.table({"n": range(60), "a": rows.tolist(), "b": (2 * rows).tolist(), "label": LABELS})
        pq.write_table(table, tmp_path / "a.parquet")
        np.testing.assert_array_equal(load_dataset(tmp_path / "a.parquet", test_fraction=0).train.X, rows)
        named = load_dataset(tmp_path / "a.parquet", test_fraction=0, columns=["b"])
        np.testing.assert_array_equal(named.train.X, 2 * rows)
        assert named.reading.columns == tuple(f"b[{i}]" for i in range(8))
        of_model = load_dataset(tmp_path / "a.parquet", test_fraction=0, reading=named.reading.to_config())
        np.testing.assert_array_equal(of_model.train.X, 2 * rows)
        # By the model's record of numbers, the columns of these are read.
        numbers = load_dataset(tmp_path / "a.parquet", columns=["n"])
        again = load_dataset(tmp_path / "a.parquet", reading=numbers.reading)
        assert again.train.X.shape == numbers.train.X.shape == (48, 1)

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            ([[1.0, 2.0], [1.0]], r"arrays must be of one shape, \(2,\)"),
            ([[1.0], None], "nothing in place of an array"),
        ],
    )
    def test_arrays_that_differ_or_lack_are_refused(self, tmp_path, cells, message):
        pq.write_table(pa.table({"x": cells}), tmp_path / "a.parquet")
        with pytest.raises(DatasetError, match=message):
            load_dataset(tmp_path / "a.parquet")

    def test_row_groups_without_rows_are_passed_over(self, tmp_path):
        table = pa.table({"x": tensors(IMAGES)})
        pq.write_table(table[:0], tmp_path / "0.parquet")
        pq.write_table(table, tmp_path / "1.parquet")
        assert len(load_dataset(tmp_path, test_fraction=0).train) == 60


class TestPatterns:
    def test_stand_for_the_files_that_match(self, tmp_path, monkeypatch):
        write_shards(tmp_path, lambda rows: tensors(IMAGES[rows]))
        monkeypatch.chdir(tmp_path)
        some = load_dataset("part-[01].parquet", test_fraction=0)
        np.testing.assert_array_equal(some.train.X[..., 0], IMAGES[:40])
        assert len(load_dataset(f"{tmp_path}/*.parquet", test_fraction=0).train) == 60

    def test_images_in_folders_have_classes(self, tmp_path):
        for name in ("cat", "dog"):
            (tmp_path / name).mkdir()
            for i in range(4):
                (tmp_path / name / f"{i}.png").write_bytes(png(IMAGES[i]))
                (tmp_path / name / f"{i}.txt").write_text("")
        found = load_dataset(f"{tmp_path}/**/[0-2].png", test_fraction=0)
        assert found.class_names == ("cat", "dog")
        assert found.train.names == ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png")

    def test_that_match_nothing_are_refused(self, tmp_path):
        with pytest.raises(DatasetError, match="no image and no Parquet file matches"):
            load_dataset(f"{tmp_path}/*.parquet")


class TestObjectStorage:
    def test_parquet_is_read_as_it_is_here(self, bucket, tmp_path):
        write_shards(tmp_path, lambda rows: tensors(IMAGES[rows]))
        bucket.upload(tmp_path, "shards")
        here = load_dataset(tmp_path)
        for source in ("shards", "shards/", "sha*/*.parquet", "**/part-*"):
            there = load_dataset(f"s3://{bucket.name}/{source}")
            np.testing.assert_array_equal(there.train.X, here.train.X)
            np.testing.assert_array_equal(there.test.labels, here.test.labels)
        assert len(load_dataset(f"s3://{bucket.name}/shards/part-0.parquet", test_fraction=0).train) == 20

    @pytest.mark.parametrize("kind", ["files", "cells"])
    def test_images_are_read_as_they_are_here(self, bucket, tmp_path, monkeypatch, kind):
        monkeypatch.setattr("latentmap.data.folder._LOOKED_AT", 7)
        monkeypatch.setattr("latentmap.data.parquet_and_hub._CELLS_LOOKED_AT", 2)
        if kind == "cells":
            write_shards(tmp_path, lambda rows: pa.array([png(image) for image in IMAGES[rows]]))
        else:
            for i, image in enumerate(IMAGES):
                (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
                (tmp_path / "ab"[i % 2] / f"{i}.png").write_bytes(png(image))
        (tmp_path / "_SUCCESS").write_text("")
        (tmp_path / "notes.txt").write_text("")
        bucket.upload(tmp_path, f"images of {kind}")
        here, there = load_dataset(tmp_path), load_dataset(f"s3://{bucket.name}/images of {kind}")
        np.testing.assert_array_equal(there.train.X, here.train.X)
        assert there.train.names == here.train.names
        assert there.class_names == here.class_names
        looked_at = "12 of 60" if kind == "cells" else "7 of 60"
        assert any(looked_at in note for note in there.notes)
        assert any("1 file passed over" in note for note in there.notes) == (kind == "files")

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("s3://{bucket}/nothing", "holds no images and no Parquet files"),
            ("s3://{bucket}/nothing/*.png", "holds no images and no Parquet files"),
            ("s3://no-such-bucket/x", "s3://no-such-bucket/x: .*NO_SUCH_BUCKET"),
            ("s3://", "s3:// names no bucket"),
        ],
    )
    def test_what_cannot_be_read_is_one_line(self, bucket, source, message):
        with pytest.raises(DatasetError, match=message):
            load_dataset(source.format(bucket=bucket.name))


def test_an_image_that_changed_is_read_anew(tmp_path):
    folder, address = tmp_path / "photos", f"file://{tmp_path}/photos"
    folder.mkdir()
    for i, image in enumerate(IMAGES[:6]):
        (folder / f"{i}.png").write_bytes(png(image))
    before = load_dataset(address, memory=1000, test_fraction=0).train.X.copy()
    (folder / "3.png").write_bytes(png(IMAGES[50]) + b" ")
    after = load_dataset(address, memory=1000, test_fraction=0).train.X
    assert [bool((a != b).any()) for a, b in zip(before, after, strict=True)] == [i == 3 for i in range(6)]


def test_lists_with_gaps_in_files_of_two_splits(tmp_path):
    X = RNG.normal(size=(40, 3))
    for name, rows, gap in (("train", range(30), 4), ("test", range(30, 40), 35)):
        some = X[list(rows)].copy()
        some[gap - rows[0], 1] = np.nan
        pq.write_table(pa.table({"x": pa.array(some.tolist(), pa.list_(pa.float64()))}), tmp_path / f"{name}.parquet")
    dataset = load_dataset(tmp_path, missing="drop")
    assert (len(dataset.train), len(dataset.test)) == (29, 9)
    np.testing.assert_allclose(dataset.test.X, X[[*range(30, 35), *range(36, 40)]], rtol=1e-6)
