"""CSV and Parquet: of numbers, of images, with classes, in shards, and what is wrong with some."""

import io
import json
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from latentmap import load_dataset
from latentmap.data.source import Reading
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
    assert load_dataset(path).notes == ("1 column that holds no numbers is passed over: 'kind'.",)
    numbered = write_csv(tmp_path / "n.csv", [(*row, i % 11) for i, row in enumerate(VECTORS)], ["a", "b", "c", "k"])
    assert load_dataset(numbered, label="k").class_names == tuple(map(str, range(11)))


@pytest.mark.parametrize(("text", "columns", "n"), [
    ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,2.5,virginica\n", "column 0,column 1", 3),  # no header, but a class
    ("0.1,-0.1,a\n0.13,-0.13,b\n0.2,0.1,a\n", "column 0,column 1", 3),
    ("x,y,kind\n5.1,3.5,setosa\n6.3,2.5,virginica\n", "x,y", 2),
    ("x,2,kind\n5.1,3.5,setosa\n6.3,2.5,virginica\n", "x,2", 2),
    ("country,1990,2000,2010\nA,1.5,2.5,3\nB,2.5,1.5,4\n", "1990,2000,2010", 2),  # numbers as names: years
    ("country,1990,1991\nA,12,15\nB,20,18\n", "1990,1991", 2),
    ("A,12,13\nB,100,90\nC,7,8\n", "column 1,column 2", 3),
    ("0,1,2,3,4\n7,1,0,2,9\n3,3,9,0,1\n", "0,1,2,3,4", 2),  # pixels
    (",0,1\n5,0.5,1.25\n8,1.5,3.75\n", "column 0,0,1", 2),  # as pandas writes an array
    ("1,2,3\n7,1,0\n3,3,9\n", "column 0,column 1,column 2", 3),  # too few to tell: data
    ("1,2,3,4,5\n2,3,4,5,6\n9,3,9,0,1\n", "column 0,column 1,column 2,column 3,column 4", 3),  # so do those below
    (",2,x\n1,2.5,y\n3,4.5,x\n3,4.5,y\n", "column 0,column 1", 4),
    ("NA,x\n1,x\n3,y\n", "column 0", 3),
    ("on,x\ntrue,1\nno,3\n", "on,x", 2),
    ("yes,1.5\nno,2.5\nyes,3.5\n", "column 0,column 1", 3),
    ("3,5;4,5;1,2\n1,5;3,5;2,2\n0,5;3,5;1,2\n", "column 0,column 1,column 2", 3),
    ("a;b\n3,5;4\n1;3,5\n", "a,b", 2),
    ("1,2,x;y\n3,4,x;z\n5,3,x;u\n", "column 0,column 1", 3),
])  # fmt: skip
def test_a_header_is_one_if_it_differs_from_the_rows_below(tmp_path, text, columns, n):
    (tmp_path / "x.csv").write_text(text)
    wanted = {"missing": "mean"} if "NA" in text or text.startswith(",2") else {}
    dataset = load_dataset(tmp_path / "x.csv", test_fraction=0, **wanted)
    assert (",".join(dataset.reading.columns), len(dataset.train)) == (columns, n)
    said = "".join(dataset.notes)
    assert ("the first line is taken as data" in said) == ("column 1" in columns or "NA" in text)


def test_what_the_first_line_is_can_be_said_and_is_kept_with_a_model(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n3,4\n5,7\n")
    named = load_dataset(tmp_path / "x.csv", header=True, test_fraction=0)
    assert (named.reading.columns, len(named.train), named.notes) == (("1", "2"), 2, ())
    (tmp_path / "y.csv").write_text("a,b\n3,4\n5,7\n")
    with pytest.raises(DatasetError, match=r"line 1, column 'column 0': 'a' in place of a number"):
        load_dataset(tmp_path / "y.csv", header=False)
    (tmp_path / "new.csv").write_text("2,9,1\n3,4,4\n")
    again = load_dataset(tmp_path / "new.csv", reading=named.reading.to_config(), test_fraction=0)
    assert again.train.X.tolist() == [[4, 3]]
    nameless = load_dataset(tmp_path / "x.csv", test_fraction=0).reading
    for text in ("1,2,x\n", "a,b,c\n1,2,x\n"):
        (tmp_path / "new.csv").write_text(text)
        assert load_dataset(tmp_path / "new.csv", reading=nameless, test_fraction=0).train.X.tolist() == [[1, 2]]


def test_many_columns(tmp_path):
    X = RNG.normal(size=(6, 5000)).round(2)
    names = [f"g{i}" for i in range(5000)]
    write_csv(tmp_path / "x.csv", ([f"s{i}", *row] for i, row in enumerate(X)), ["", *names])
    pq.write_table(pa.table(dict(zip(names, X.T, strict=True))), tmp_path / "x.parquet")
    for source in (tmp_path / "x.csv", tmp_path / "x.parquet", pd.DataFrame(X, columns=names)):
        dataset = load_dataset(source, test_fraction=0)
        assert dataset.reading.columns == tuple(names)
        np.testing.assert_allclose(dataset.train.X, X, rtol=1e-6)


@pytest.mark.parametrize(("text", "message"), [
    ("a,b\n1," + "9" * 200_000 + "\n", "cannot be read as CSV: field larger than field limit"),
    ("a,b\n1,2\n1,2\0\n3,4\n", r"line 3, column 'b': '2\\x00' in place of a number"),
    ('a,b\n1,2\n"3,4\n5,6\n', "line 4: 1 values in place of 2"),
])  # fmt: skip
def test_damaged_cells_are_one_line(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(tmp_path / "x.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("column", "values", "note"), [
    (["", "2.5", "3.5"], None, None),
    (["3,5", "4", "-1,25"], [3.5, 4, -1.25], "commas are read as decimal points in 1 column: 'c'."),
    (["1.234,5", "4", "-1,25"], [1234.5, 4, -1.25], "commas are read as decimal points in 1 column: 'c'."),
    (["500,5", "2.000", "-1,25"], [500.5, 2000, -1.25], "commas are read as decimal points in 1 column: 'c'."),
    (["1.234,5", "2.345", "-1,25"], [1234.5, 2345, -1.25], "commas are read as decimal points in 1 column: 'c'."),
    (["5.000.000", "1,5", "-1,25"], [5e6, 1.5, -1.25], "commas are read as decimal points in 1 column: 'c'."),
    (["234,5", "2.345", "-1,25"], None, "1 column that holds numbers with commas is passed over: 'c'."),
    (["1.234,5", "0.345", "-1,25"], None, "1 column that holds numbers with commas is passed over: 'c'."),
    (["1.234,5", "0", "-1,25"], [1234.5, 0, -1.25], "commas are read as decimal points in 1 column: 'c'."),
    (["true", "No", "yes"], [1, 0, 1], "booleans are read as 1 and 0 in 1 column: 'c'."),
    (["", "", "NA"], None, "1 column that holds no values is passed over: 'c'."),
    (["2024-01-31", "2024-02-01", ""], None, "1 column that holds dates is passed over: 'c'. Write them as numbers"),
    (["31.1.2024", "1.2.2024", "2.2.2024"], None, "1 column that holds dates is passed over: 'c'."),
    (["x", "2", "y"], None, "1 column that holds no numbers is passed over: 'c'."),
])  # fmt: skip
def test_what_a_column_holds_is_decided_by_all_rows(tmp_path, column, values, note):
    rows = zip([1.5, 2.5, 3.5], column, strict=True)
    path = write_csv(tmp_path / "x.csv", rows, ["a", "c"], ";")
    if column[0] == "" and note is None:
        with pytest.raises(DatasetError, match="line 2, column 'c': nothing in place of a number"):
            load_dataset(path)
        return
    dataset = load_dataset(path, test_fraction=0)
    assert dataset.train.X[:, 1:].T.tolist() == ([values] if values else [])
    assert dataset.notes[0].startswith(note)


def test_the_rows_numbers_are_no_measurements_though_nothing_else_can_be_read(tmp_path):
    (tmp_path / "x.csv").write_text("id;a\n" + "".join(f"{i};1.234.{i}x\n" for i in range(30)))
    with pytest.raises(DatasetError, match=r"no usable columns.* no numbers: 'a'. 'id' only numbers the rows\.$"):
        load_dataset(tmp_path / "x.csv")
    assert load_dataset(tmp_path / "x.csv", columns=["id"]).sample_shape == (1,)


def test_a_label_that_is_not_there_because_the_cells_are_not_parted(tmp_path):
    (tmp_path / "x.csv").write_text("a|b\n1|2\n3|4\n")
    with pytest.raises(DatasetError, match=r"has no column 'b'.*do commas, semicolons or tabs part its cells"):
        load_dataset(tmp_path / "x.csv", label="b")


def test_labels_of_many_kinds_with_decimal_commas_are_measurements(tmp_path):
    labels = [*(f"{i},5" for i in range(500, 530)), "1.234,5", "1.000", "7"]
    path = write_csv(tmp_path / "x.csv", [(i, label) for i, label in enumerate(labels)], ["a", "y"], ";")
    split = load_dataset(path, label="y", test_fraction=0).train
    assert split.values.tolist() == [*(i + 0.5 for i in range(500, 530)), 1234.5, 1000, 7]
    rows = [(i, f"{i % 2},{i % 3}") for i in range(60)]  # few kinds are names, as written
    pairs = load_dataset(write_csv(tmp_path / "p.csv", rows, ["a", "y"], ";"), label="y", test_fraction=0)
    assert pairs.class_names == ("0,0", "0,1", "0,2", "1,0", "1,1", "1,2")


def test_commas_in_numbers_are_told_from_thousands(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tb\n1\t1,234\n2\t3,5\n")
    dataset = load_dataset(tmp_path / "x.tsv", test_fraction=0)
    assert (dataset.reading.columns, "Write 3.5 for 3,5" in dataset.notes[0]) == (("a",), True)


@pytest.mark.parametrize("name", ["n", "id", "key"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_a_column_that_only_numbers_the_rows_is_passed_over(tmp_path, kind, name):
    ids = RNG.permutation(1000)[:30] if name == "id" else np.arange(30) + (1 if name == "n" else 1000)
    frame = pd.DataFrame({name: ids, "a": VECTORS[:, 0], "b": range(29, -1, -1), "word": [f"w{i}" for i in ids]})
    if kind != "frame":
        getattr(frame, f"to_{kind}")(tmp_path / f"x.{kind}", index=False)
    source = frame if kind == "frame" else tmp_path / f"x.{kind}"
    dataset = load_dataset(source, test_fraction=0)
    assert dataset.reading.columns == ("a", "b")
    assert dataset.notes == (
        "1 column that holds no numbers is passed over: 'word'.",
        f"passed over, for only numbering the rows: '{name}'. Name the features with --columns to keep them.",
    )
    for columns in (["*"], [name, "a", "b"]):
        kept = load_dataset(source, columns=columns, test_fraction=0)
        assert (kept.reading.columns, kept.notes) == ((name, "a", "b"), ())
        np.testing.assert_array_equal(kept.train.X[:, 0], ids)
    with pytest.raises(DatasetError, match="column 'word' must hold numbers to be a feature"):
        load_dataset(source, columns=["word"])
    with pytest.raises(DatasetError, match=r"has no column 'c\*'\. It has"):
        load_dataset(source, columns=["c*"])


# ---- missing numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame", "npy"])
def test_missing_numbers_are_refused_left_out_or_filled_with_the_means_of_the_training_split(tmp_path, kind):
    X = RNG.normal(size=(30, 3)).round(3)
    X[4, 0] = X[9, 2] = np.nan
    frame = pd.DataFrame(X, columns=list("abc"))
    source = frame if kind == "frame" else tmp_path / f"x.{kind}"
    if kind == "npy":
        np.save(source, X)
    elif kind != "frame":
        getattr(frame, f"to_{kind}")(source, index=False)
    with pytest.raises(DatasetError, match="--missing drop"):
        load_dataset(source)
    dropped = load_dataset(source, missing="drop", test_fraction=0)
    np.testing.assert_allclose(dropped.train.X, X[~np.isnan(X).any(axis=1)], rtol=1e-6)
    assert dropped.notes[-1] == "2 rows that lack a number are left out, counted from 0: 4, 9."
    assert dropped.train.names[4:6] == ("5", "6")
    filled = load_dataset(source, missing="mean")
    assert filled.notes[-1] == "2 missing numbers are filled with the means of the training samples."
    means = np.array(filled.reading.means)
    np.testing.assert_allclose(filled.train.X.mean(axis=0), means, atol=1e-6)
    again = load_dataset(source, reading=filled.reading.to_config(), test_fraction=0)
    np.testing.assert_allclose(again.train.X, np.where(np.isnan(X), means, X), rtol=1e-6)


def test_rows_of_two_splits_are_counted_as_they_lie_in_the_files(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).random((30, 3)), columns=list("abc"))
    for split, row in (("test", 3), ("train", 5)):  # in the order of their names
        frame.assign(b=frame.b.where(frame.index != row)).to_parquet(tmp_path / f"{split}.parquet")
    with pytest.raises(DatasetError, match="row 3, column 'b'"):
        load_dataset(tmp_path)
    dataset = load_dataset(tmp_path, missing="drop")
    assert dataset.notes[-1] == "2 rows that lack a number are left out, counted from 0: 3, 35."
    for split, row in ((dataset.test, 3), (dataset.train, 5)):
        np.testing.assert_array_equal(split.X, frame.drop(index=row).to_numpy(np.float32))
    filled = load_dataset(tmp_path, missing="mean")
    assert filled.test.X[3, 1] == filled.train.X[5, 1] == pytest.approx(frame.b.drop(index=5).mean())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame[:0], "the test split has no rows"),
        (lambda frame: frame.assign(b=np.nan), "every row lacks a number"),
    ],
)
def test_a_split_in_which_nothing_is_left_is_refused(tmp_path, change, message):
    frame = pd.DataFrame(np.random.default_rng(0).random((30, 3)), columns=list("abc"))
    frame.to_parquet(tmp_path / "train.parquet")
    change(frame).to_parquet(tmp_path / "test.parquet")
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path, missing="drop")


def test_missing_numbers_that_cannot_be_settled_say_why(tmp_path):
    X = np.array([[1, np.nan], [2, np.nan], [3, np.nan]])
    for missing, message in (("drop", "every row lacks a number"), ("mean", "column 1 has no value in the training")):
        with pytest.raises(DatasetError, match=message):
            load_dataset(X, missing=missing)
    with pytest.raises(DatasetError, match="the model keeps no means to fill in"):
        load_dataset(X, missing="mean", reading={})
    with pytest.raises(DatasetError, match="holds vectors of 2 numbers; the model was fitted on 3"):
        load_dataset(X, reading={"missing": "mean", "means": [1, 2, 3]})
    with pytest.raises(ValueError, match="missing must be one of 'drop', 'mean', got 'fill'"):
        load_dataset(X, missing="fill")


@pytest.mark.parametrize(("entry", "message"), [
    ({"missing": "fill"}, "'missing' must be one of drop, mean, got 'fill'"),
    ({"means": [1, "x"]}, r"'means' must be a list of numbers, got \[1, 'x'\]"),
    ({"means": [1, float("nan")]}, "'means' must be a list of numbers"),
    ({"means": [1, 2, 3]}, r"'means' must be 2, for samples of shape \(2,\), got 3"),
])  # fmt: skip
def test_a_damaged_record_of_missing_numbers_is_named(entry, message):
    with pytest.raises(DatasetError, match=message):
        Reading.from_config(entry, (2,))


@pytest.mark.parametrize("wish", [{"missing": "mean"}, {"columns": ["a"]}, {"header": True}])
def test_what_is_asked_of_tables_is_refused_of_images(wish):
    for source in (IMAGES, "digits"):
        with pytest.raises(DatasetError, match=rf"Leave out {next(iter(wish))}\."):
            load_dataset(source, **wish)


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
        ("a,b\n1,nan\n3,4\n5,6\n", r"x\.csv, line 2, column 'b': nothing in place of a number\. Leave such rows out"),
        ("a,b\n,2\n3,\n5,6\n", r"line 2, column 'a': nothing in place of a number \(2 are missing in all\)\."),
        ("1,2\nx,4\n5,6\n7,8\n", r"line 2, column 'column 0': 'x' in place of a number\. Fill it in"),
        ("1,2,x\n3,4,5\n5,6,7\n", r"line 1, column 'column 2': 'x' in place .*names the columns, add --header"),
        ("a;b\n1,234.5;2\n1,1;3\n2,2;3\n3,3;5\n", "line 2, column 'a': '1,234.5' in place of a number"),
        ("a,b\n", "has no rows"),
        ("\ufeff", "is empty"),
        ("a,a\n1,2\n3,4\n", r"more than one column 'a'"),
        ("x,y\nu,v\nw,z\n", "has no usable columns, neither images nor numbers. 2 columns that hold no numbers: 'x'"),
        ('x,y\n"0,13","0,5"\n"0,64","0,7"\n', "2 columns that hold numbers with commas: 'x', 'y'. Write 3.5 for 3,5"),
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
        {"a": VECTORS[:, 0], "b": VECTORS[:, 1].astype("f4"), "n": np.arange(30)[::-1], "kind": ["u", "v"] * 15}
    )
    pq.write_table(table, tmp_path / "x.parquet")
    dataset = load_dataset(tmp_path / "x.parquet", label="kind", test_fraction=0)
    assert (dataset.reading.columns, dataset.class_names) == (("a", "b", "n"), ("u", "v"))
    np.testing.assert_allclose(dataset.train.X[:, 2], np.arange(30)[::-1])


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
    pq.write_table(pa.table({}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match=r"x\.parquet has no columns"):
        load_dataset(tmp_path / "x.parquet")
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="has no usable columns"):
        load_dataset(tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": pa.array([], pa.float32())}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="has no rows"):
        load_dataset(tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": [1.0, None, 2.0], "b": [1, 2, 3]}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match=r"x\.parquet, row 1, column 'a': nothing in place"):
        load_dataset(tmp_path / "x.parquet", test_fraction=0)
    pq.write_table(pa.table({"b": [1, 2, 3]}), tmp_path / "y.parquet")
    with pytest.raises(DatasetError, match=r"y\.parquet has other columns than"):
        load_dataset(tmp_path)


def test_an_empty_cell_is_an_unreadable_image(tmp_path):
    cells = [encoded(image) for image in IMAGES] + [None]
    pq.write_table(pa.table({"picture": cells}), tmp_path / "x.parquet")
    with pytest.warns(UserWarning, match="1 of 31 images in x cannot be read: image 30"):
        assert len(load_dataset(tmp_path / "x.parquet", test_fraction=0).train) == 30


def test_what_is_measured_is_not_proposed_as_a_class():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.random(30), "y": rng.random(30), "target": np.arange(30) % 3})
    assert load_dataset(frame).notes == ("should column 'target' name the class, add --label target.",)
    assert load_dataset(frame[["x", "y"]]).notes == ()


@pytest.mark.parametrize("value", ["inf", "-1e200"])
def test_a_number_too_large_to_learn_from_is_named_by_its_line(tmp_path, value):
    (tmp_path / "x.csv").write_text(f"a,b\n1,2\n3,{value}\n5,6\n7,8\n")
    with pytest.raises(
        DatasetError, match=rf"x\.csv, line 3, column 'b': {re.escape(value)[:4]}.* in place of a number"
    ):
        load_dataset(tmp_path / "x.csv")


def test_a_header_is_asked_for_in_csv_files_alone(tmp_path):
    frame = pd.DataFrame(VECTORS, columns=list("abc"))
    frame.to_parquet(tmp_path / "x.parquet")
    for source in (frame, tmp_path / "x.parquet"):
        with pytest.raises(DatasetError, match=r"is no CSV file, so that it has no header\. Leave out header"):
            load_dataset(source, header=False)


def test_a_wrong_entry_of_a_record_is_named_before_one_that_lacks():
    with pytest.raises(DatasetError, match=r"'channels' must be 1, for samples of shape \(8, 8\), got 3"):
        Reading.from_config({"channels": 3}, (8, 8))


def test_labels_that_look_like_numbers_but_are_codes_stay_apart(tmp_path):
    (tmp_path / "x.csv").write_text(
        "a,b,zip\n" + "".join(f"{i % 7},{i % 5},{('01234', '1234')[i % 2]}\n" for i in range(40))
    )
    assert load_dataset(tmp_path / "x.csv", label="zip").class_names == ("01234", "1234")


def test_labels_that_are_measurements_are_kept_as_such(tmp_path):
    prices = np.linspace(0, 1, 40)
    prices[3] = np.nan
    X = np.random.default_rng(0).random((40, 3))
    frame = pd.DataFrame(X, columns=list("abc")).assign(price=prices)
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_csv(tmp_path / "commas.csv", index=False, sep=";", decimal=",")
    np.savez(tmp_path / "x.npz", X=X, y=prices)
    tables = (frame, tmp_path / "x.csv", tmp_path / "commas.csv")
    for source, label in (
        (tables[0], "price"),
        (tables[1], "price"),
        (tables[2], "price"),
        (tmp_path / "x.npz", None),
    ):
        dataset = load_dataset(source, label=label)
        assert any(said.startswith("the labels are 39 different numbers") for said in dataset.notes)
        for split in (dataset.train, dataset.test):
            assert split.labels is None
            np.testing.assert_allclose(split.values, prices[split.rows])
        assert dataset.class_names is None
        assert dataset.measured["values_name"] == (label or "y")
        few = dataset.limit(5).train
        np.testing.assert_allclose(few.values, prices[few.rows])


@pytest.mark.parametrize(
    ("labels", "are_classes"),
    [
        (np.arange(60) % 30, True),  # whole numbers that are counted are classes, however many
        (np.arange(200) % 30 + 17, False),  # ages, which gaps would make floats
        (np.r_[np.arange(200) % 30, np.nan], True),  # and so they are beside gaps, which make them floats
        (np.r_[np.arange(200) % 30 + 1.0, np.nan], True),
        (np.arange(200) % 30 + 17.0, False),  # ages
        (np.arange(60.0), False),  # of each one
        (np.arange(200) % 41 - 10.0, False),  # degrees
        (np.arange(200) % 30 + 0.5, False),
        (np.arange(60) % 3 / 2, True),  # few kinds
    ],
)
def test_measurements_are_told_from_classes(labels, are_classes):
    frame = pd.DataFrame(np.random.default_rng(0).random((len(labels), 3)), columns=list("abc")).assign(y=labels)
    assert (load_dataset(frame, label="y").class_names is not None) == are_classes


def test_cells_of_measurements_are_read_as_numbers_of_features_are(tmp_path):
    prices = [f"{i / 7:.3f}" for i in range(60)]
    for cell in ("", "NA", "-1"):
        prices[5] = cell
        (tmp_path / "x.csv").write_text(
            "a,b,price\n" + "".join(f"{i % 7},{i % 5},{p}\n" for i, p in enumerate(prices))
        )
        dataset = load_dataset(tmp_path / "x.csv", label="price")
        values = np.concatenate([dataset.train.values, dataset.test.values])
        assert len(values) == 60
        assert np.isnan(values).sum() == 1
    # Versions are names, for 1.1 and 1.10 are two; so are codes, and texts of other sources.
    versions = [f"1.{i % 25}" for i in range(60)]
    frame = pd.DataFrame({"a": np.arange(60) % 7, "b": np.arange(60) % 5, "v": versions})
    frame.to_csv(tmp_path / "v.csv", index=False)
    for source in (frame, tmp_path / "v.csv"):
        assert len(load_dataset(source, label="v").class_names) == 25
    prices = [Decimal(i) / 8 for i in range(60)]
    assert load_dataset(frame.assign(price=prices).drop(columns="v"), label="price").train.values is not None


def test_many_whole_numbers_are_classes_and_that_is_said(tmp_path):
    frame = pd.DataFrame({"a": np.arange(60.0) % 7, "b": np.arange(60.0) % 5, "age": np.arange(60)})
    (said,) = load_dataset(frame, label="age").notes
    assert said.startswith("the labels are 60 different whole numbers, each of which is taken for a class")


def test_measurements_that_a_split_hides_are_none(tmp_path):
    X = np.random.default_rng(0).random((40, 3))
    np.savez(tmp_path / "x.npz", X_train=X, y_train=np.linspace(0, 1, 40), X_test=X[:9], y_test=np.full(9, np.nan))
    dataset = load_dataset(tmp_path / "x.npz")
    assert dataset.train.values is not None
    assert dataset.test.values is None
    assert dataset.measured == {}
    assert any("every label of the test split is hidden" in note for note in dataset.notes)


def test_a_model_remembers_whether_labels_are_measurements(tmp_path):
    frame = pd.DataFrame({"a": np.arange(60.0) % 7, "b": np.arange(60.0) % 5, "price": np.linspace(0, 1, 60)})
    reading = load_dataset(frame, label="price").reading
    assert Reading.from_config(reading.to_config()) == reading
    few = load_dataset(frame[:15], reading=reading)
    assert few.class_names is None
    assert few.test.values is not None or few.train.values is not None
    (tmp_path / "c.csv").write_text("a,b,price\n" + "".join(f"{i},{i % 5},1.5\n" for i in range(9)))  # of one kind
    assert load_dataset(tmp_path / "c.csv", reading=reading).class_names is None


@pytest.mark.parametrize(("start", "step"), [(4000, -2), (400, 0.5), (1, 1), (5, 0.25), (4000, -1.928)])
def test_spectra_are_headed_by_numbers_that_go_up_or_down(tmp_path, start, step):
    names = [f"{start + step * i:.6g}" for i in range(40)]
    frame = pd.DataFrame(np.random.default_rng(0).random((30, 40)), columns=names)
    frame.assign(kind=["a", "b"] * 15).to_csv(tmp_path / "x.csv", index=False)
    dataset = load_dataset(tmp_path / "x.csv", label="kind", test_fraction=0)
    assert dataset.reading.columns == tuple(names)
    assert dataset.train.X.shape == (30, 40)
    frame.to_csv(tmp_path / "y.csv", index=False)
    assert load_dataset(tmp_path / "y.csv", test_fraction=0).train.X.shape == (30, 40)


def test_rows_of_even_steps_are_no_header(tmp_path):
    ramps = [[f"{i + 0.5 * j:g}" for j in range(8)] for i in range(20)]
    dataset = load_dataset(write_csv(tmp_path / "x.csv", ramps), test_fraction=0)
    assert len(dataset.train) == 20


def test_classes_called_by_numbers_are_in_their_order():
    frame = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 3})
    for names in (["-1.5", "-0.5", "0.25", "0.5", "10"], ["1", "2", "10", "a2", "a10"]):
        found = load_dataset(frame.assign(y=names * 4), label="y")
        assert found.class_names == tuple(names)


def test_dates_are_years_and_few_of_them_texts():
    X = np.random.default_rng(0).random((60, 2))
    years = np.arange("1950", "2010", dtype="datetime64[Y]")
    for given in (years.astype("datetime64[D]"), years.astype("datetime64[D]").astype(object)):
        dataset = load_dataset(X, labels=given, test_fraction=0)
        np.testing.assert_array_equal(dataset.train.values, np.arange(1950, 2010))
    minutes = np.datetime64("2020-01-01") + np.arange(60).astype("timedelta64[m]")
    assert len(np.unique(load_dataset(X, labels=minutes, test_fraction=0).train.values)) == 60
    few = load_dataset(X, labels=minutes[np.arange(60) % 3], test_fraction=0)
    assert len(few.class_names) == 3
    sizes = pd.Categorical(["low", "mid", "high"] * 20, ["low", "mid", "high"], ordered=True)
    assert load_dataset(X, labels=sizes).class_names == ("low", "mid", "high")
    assert load_dataset(pd.DataFrame(X, columns=["a", "b"]), labels=sizes).class_names == ("low", "mid", "high")


@pytest.mark.parametrize("row_group_size", [None, 7])
def test_ordered_categories_of_parquet_keep_their_order(tmp_path, row_group_size):
    names = ["none", "small", "large", "huge"]
    sizes = pd.Categorical(["small", "huge", None, "large"] * 20, names, ordered=True)
    frame = pd.DataFrame({"a": np.random.default_rng(0).random(80), "size": sizes})
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=row_group_size)
    dataset = load_dataset(tmp_path / "x.parquet", label="size", test_fraction=0)
    assert dataset.class_names == load_dataset(frame, label="size").class_names == (*names[1:], "(no label)")
    assert dataset.train.labels.tolist() == [0, 2, 3, 1] * 20
    frame.assign(size=pd.Series(sizes).cat.as_unordered()).to_parquet(tmp_path / "y.parquet")
    assert load_dataset(tmp_path / "y.parquet", label="size").known_names == ("huge", "large", "small")


@pytest.mark.parametrize(
    ("of_test", "wanted"),
    [(["low", "high"], ("low", "mid", "high")), (["high", "low"], ("high", "low", "mid"))],
)
def test_files_whose_orders_contradict_each_other_have_none(tmp_path, of_test, wanted):
    for split, names in (("train", ["low", "mid", "high"]), ("test", of_test)):
        frame = pd.DataFrame({"a": np.random.default_rng(0).random(30)})
        frame["size"] = pd.Categorical([names[i % len(names)] for i in range(30)], names, ordered=True)
        frame.to_parquet(tmp_path / f"{split}.parquet")
    dataset = load_dataset(tmp_path, label="size")
    assert dataset.class_names == wanted
    assert [wanted[label] for label in dataset.test.labels[:2]] == of_test


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y/%-m/%-d", "%Y/%m/%dT%H:%M:%S"])
def test_dates_and_na_as_labels_of_csv_are_what_they_are_in_a_frame(tmp_path, written):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    frame["date"] = pd.date_range("2024-01-01", periods=60).strftime(written)
    frame["kind"] = ["T", "B", "NA"] * 20
    frame["patient_id"] = rng.permutation(60) + 1000
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    dated = load_dataset(path, label="date", test_fraction=0)
    assert dated.class_names is None
    assert dated.train.values[31] == pytest.approx(2024 + 31 / 366)
    assert "60 different dates" in dated.notes[-1]
    kinds = load_dataset(path, label="kind")
    assert kinds.class_names == load_dataset(pd.read_csv(path), label="kind").class_names == ("B", "T", "(no label)")
    assert kinds.reading.columns == ("a", "b", "c")
    assert "numbering the rows: 'patient_id'" in " ".join(kinds.notes)


@pytest.mark.parametrize(
    ("name", "numbers_rows"),
    [("patient_id", True), ("PATIENT ID", True), ("cellId", True), ("humid", False), ("acid", False), ("ids", False)],
)
def test_whole_numbers_that_only_name_the_rows_are_passed_over(name, numbers_rows):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=30), "b": rng.normal(size=30), name: rng.permutation(30) + 500})
    assert load_dataset(frame).reading.columns == (("a", "b") if numbers_rows else ("a", "b", name))


def test_a_table_as_r_writes_it_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n" + "".join(f"row{i}\t{i}.5\t{-i}.25\n" for i in range(20)))
    with pytest.raises(DatasetError, match=r"line 2: 3 values in place of 2\..*col\.names=NA"):
        load_dataset(tmp_path / "t.tsv")


def test_labels_of_pandas_in_another_order_are_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)), index=[f"cell {i}" for i in range(30)])
    age = pd.Series(np.arange(30) % 25 + 40, index=frame.index, name="age")
    with pytest.raises(ValueError, match=r"rows of the samples in another order.*labels\.loc\[samples\.index\]"):
        load_dataset(frame, labels=age[::-1])
    assert len(load_dataset(frame, labels=age.reset_index(drop=True)).train) == 24
    of_levels = frame.set_axis(pd.MultiIndex.from_product([range(5), range(6)]))
    assert len(load_dataset(of_levels, labels=age).train) == 24


def test_what_few_values_far_out_hide_is_said(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(100, 20, (400, 3)), columns=list("abc")).assign(d=7.0, e=rng.lognormal(size=400))
    frame.loc[frame.index[::10], "b"] = -999
    frame.loc[3:6, "c"] = 1e6
    frame.to_csv(tmp_path / "t.csv", index=False)
    told = load_dataset(tmp_path / "t.csv").notes
    assert told[0] == "'d' is the same in all training samples, and tells nothing."
    assert re.search(r"'b' \(3\d of 320, up to -999\), 'c' \([1-4] of 320, up to 1e\+06\)", told[1])
    assert "hardly learned. Mend them, leave their rows out, or take logarithms." in told[1]
    assert load_dataset(frame[["a", "e"]]).notes == ()
    assert load_dataset(np.r_[frame[["a", "e"]].to_numpy(), [[1e9, 1]] * 4]).notes[0].startswith("few values far from")


def test_whole_numbers_that_are_days_are_dates():
    rng = np.random.default_rng(0)
    days = pd.date_range("2019-11-01", periods=60).strftime("%Y%m%d").astype(int)
    frame = pd.DataFrame({"a": rng.normal(size=60), "day": days, "b": rng.normal(size=60), "n": days + 50})
    found = load_dataset(frame)
    assert found.reading.columns == ("a", "b", "n")  # of which some have no such day
    assert "1 column that holds dates is passed over: 'day'." in found.notes[0]
    assert load_dataset(frame[["day"]]).sample_shape == (1,)  # there is nothing else
    assert load_dataset(frame, columns=["day", "a"]).reading.columns == ("day", "a")


def test_labels_of_arrow_tables_keep_gaps_and_order():
    pa = pytest.importorskip("pyarrow")
    X = {name: np.random.default_rng(0).normal(size=200) for name in "ab"}
    gaps = pa.table({**X, "label": pa.array(["u", "v", None, "u"] * 50).dictionary_encode()})
    data = load_dataset(gaps, label="label", test_fraction=0)
    assert data.class_names == ("u", "v", "(no label)")
    assert np.bincount(data.train.labels).tolist() == [100, 50, 50]
    ordered = pd.Categorical(["low", "mid", "high", "low"] * 50, ["low", "mid", "high"], ordered=True)
    table = pa.table(X).append_column("label", pa.Array.from_pandas(ordered))
    assert load_dataset(table, label="label").class_names == ("low", "mid", "high")


def test_columns_that_are_called_by_numbers_may_name_the_class():
    frame = pd.DataFrame({1: np.random.default_rng(0).normal(size=40), 5: [0, 1] * 20})
    assert load_dataset(frame, label="5").class_names == ("0", "1")
