"""CSV and Parquet: of numbers, of images, with classes, in shards, and what is wrong with some."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from latentmap import load_dataset
from latentmap.errors import DatasetError

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(30, 3)).round(4)
IMAGES = RNG.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)


def encoded(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def write_csv(path, rows, header=None, delimiter=","):
    lines = [delimiter.join(map(str, row)) for row in ([header] if header else []) + list(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


# ---- CSV -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [["a", "b", "c"], None])
def test_numbers_with_a_header_or_without(tmp_path, delimiter, header):
    dataset = load_dataset(write_csv(tmp_path / "x.csv", VECTORS, header, delimiter), test_fraction=0)
    np.testing.assert_allclose(dataset.train.X, VECTORS, rtol=1e-6)
    assert dataset.reading.columns == (("a", "b", "c") if header else ("column 0", "column 1", "column 2"))


def test_a_column_of_text_or_numbers_names_the_class(tmp_path):
    rows = [(*row, "cat" if i % 3 else "dog") for i, row in enumerate(VECTORS)]
    path = write_csv(tmp_path / "x.csv", rows, ["a", "b", "c", "kind"])
    dataset = load_dataset(path, label="kind", test_fraction=0)
    assert (dataset.class_names, dataset.sample_shape) == (("cat", "dog"), (3,))
    assert dataset.reading.label == "kind"
    assert load_dataset(path).notes == ("1 columns that hold no numbers are passed over: 'kind'.",)
    numbered = write_csv(tmp_path / "n.csv", [(*row, i % 11) for i, row in enumerate(VECTORS)], ["a", "b", "c", "k"])
    assert load_dataset(numbered, label="k").class_names == tuple(map(str, range(11)))


def test_quotes_byte_order_marks_and_empty_lines_are_no_trouble(tmp_path):
    (tmp_path / "x.csv").write_text('\ufeff"a, b",c\n1,2\n\n3,4\n5,6.5\n', encoding="utf-8")
    dataset = load_dataset(tmp_path / "x.csv", test_fraction=0)
    assert dataset.reading.columns == ("a, b", "c")
    assert dataset.train.X.tolist() == [[1, 2], [3, 4], [5, 6.5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", r"x\.csv, line 3: 1 values in place of 2"),
        ("a,b\n1,2\n3,x\n5,6\n", r"x\.csv, line 3, column 'b': 'x' in place of a number\. Fill it in"),
        ("a,b\n1,2\n3,\n5,6\n", r"x\.csv, line 3, column 'b': nothing in place of a number"),
        ("a,b\n1,nan\n3,4\n5,6\n", r"has nan in row 0, column 'b'"),
        ("a,b\n", "has no rows"),
        ("a,a\n1,2\n3,4\n", r"more than one column 'a'"),
        ("x,y\nu,v\nw,z\n", "has no usable columns: neither images nor numbers, but 'x', 'y'"),
    ],
)
def test_tables_that_are_not_fit_for_use_say_where(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path / "x.csv", test_fraction=0)


def test_a_missing_label_column_and_other_encodings_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"has no column 'kind'\. It has 'a', 'b', 'c'"):
        load_dataset(write_csv(tmp_path / "x.csv", VECTORS, ["a", "b", "c"]), label="kind")
    (tmp_path / "u.csv").write_bytes("ä,b\n1,2\n".encode("utf-16"))
    with pytest.raises(DatasetError, match="is not UTF-8 text"):
        load_dataset(tmp_path / "u.csv")


# ---- Parquet -------------------------------------------------------------------------------------------------------


def test_numeric_columns_are_features_and_one_names_the_class(tmp_path):
    table = pa.table(
        {"a": VECTORS[:, 0], "b": VECTORS[:, 1].astype("f4"), "n": np.arange(30), "kind": ["u", "v"] * 15}
    )
    pq.write_table(table, tmp_path / "x.parquet")
    dataset = load_dataset(tmp_path / "x.parquet", label="kind", test_fraction=0)
    assert (dataset.reading.columns, dataset.class_names) == (("a", "b", "n"), ("u", "v"))
    np.testing.assert_allclose(dataset.train.X[:, 2], np.arange(30))


def hugging_face_table(rows, labels=None, names=("cat", "dog")):
    cells = [{"bytes": encoded(IMAGES[i]), "path": f"{i}.png"} for i in rows]
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    table = pa.table({"image": cells, "label": labels or [i % 2 for i in rows]})
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def test_images_as_hugging_face_writes_them_with_the_names_of_their_classes(tmp_path):
    pq.write_table(hugging_face_table(range(30)), tmp_path / "x.parquet", row_group_size=7)
    dataset = load_dataset(tmp_path / "x.parquet", test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images, IMAGES)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.labels.tolist() == [0, 1] * 15
    assert dataset.reading.label == "label"


def test_shards_are_one_dataset_and_their_names_the_splits(tmp_path):
    pq.write_table(hugging_face_table(range(20)), tmp_path / "data-00000.parquet")
    pq.write_table(hugging_face_table(range(20, 30)), tmp_path / "data-00001.parquet")
    dataset = load_dataset(tmp_path, test_fraction=0)
    np.testing.assert_array_equal(dataset.train.images, IMAGES)
    for name, rows in (
        ("train-0", range(12)),
        ("train-1", range(12, 20)),
        ("test-0", range(20, 28)),
        ("validation", [28]),
    ):
        pq.write_table(hugging_face_table(rows), tmp_path / f"{name}.parquet")
    for old in tmp_path.glob("data-*"):
        old.unlink()
    dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.train.images, IMAGES[:20])
    assert len(dataset.test) == 8
    assert dataset.notes == ("1 files of other splits than train and test are passed over.",)


def test_labels_are_checked_against_the_names_of_the_classes(tmp_path):
    pq.write_table(hugging_face_table(range(30), [0, -1, None] * 10), tmp_path / "x.parquet")
    dataset = load_dataset(tmp_path / "x.parquet", test_fraction=0)
    assert (dataset.class_names, dataset.train.labels.tolist()) == (("cat", "dog", "(no label)"), [0, 2, 2] * 10)
    pq.write_table(hugging_face_table(range(30), [0, 1, 7] * 10), tmp_path / "x.parquet")
    with pytest.raises(
        DatasetError, match=r"x: labels must be whole numbers from 0 to 1, .* got 7 in row 2\. Mend it"
    ):
        load_dataset(tmp_path / "x.parquet")


def test_plain_bytes_are_images_too(tmp_path):
    pq.write_table(pa.table({"picture": [encoded(image) for image in IMAGES]}), tmp_path / "x.parquet")
    np.testing.assert_array_equal(load_dataset(tmp_path / "x.parquet", test_fraction=0).train.images, IMAGES)


def test_parquet_that_is_not_fit_for_use_says_why(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DatasetError, match=r"x\.parquet cannot be read as Parquet"):
        load_dataset(tmp_path / "x.parquet")
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="has no usable columns"):
        load_dataset(tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": pa.array([], pa.float32())}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="has no rows"):
        load_dataset(tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": [1.0, None, 2.0], "b": [1, 2, 3]}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="has nan in row 1, column 'a'"):
        load_dataset(tmp_path / "x.parquet", test_fraction=0)
    pq.write_table(pa.table({"b": [1, 2, 3]}), tmp_path / "y.parquet")
    with pytest.raises(DatasetError, match=r"y\.parquet has other columns than"):
        load_dataset(tmp_path)


def test_an_empty_cell_is_an_unreadable_image(tmp_path):
    cells = [encoded(image) for image in IMAGES] + [None]
    pq.write_table(pa.table({"picture": cells}), tmp_path / "x.parquet")
    with pytest.warns(UserWarning, match="1 of 31 images in x cannot be read: image 30"):
        assert len(load_dataset(tmp_path / "x.parquet", test_fraction=0).train) == 30
