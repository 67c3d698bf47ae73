import csv
import os
import sys

import numpy as np
import pytest

from latentmap.data.codes import read_codes, write_codes
from latentmap.errors import DatasetError, MissingExtraError, OutputError

RNG = np.random.default_rng(0)
Z = (RNG.normal(size=(25, 3)) * [1e-6, 1, 1e6]).astype(np.float32)
NAMES = ["z1", "z2", "z3"]


def pieces(step=10):
    for start in range(0, len(Z), step):
        rows = Z[start : start + step]
        yield rows, {"split": ["test"] * len(rows), "class": [f"a, {i}" for i in range(start, start + len(rows))]}


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_codes_come_back_bit_for_bit(tmp_path, suffix):
    path = tmp_path / f"codes{suffix}"
    write_codes(path, pieces(), (len(Z), 3))
    read = read_codes(path, 3)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, Z)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_npy_is_numpys(tmp_path):
    write_codes(tmp_path / "codes.npy", pieces(), (len(Z), 3))
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), Z)


def test_tables_name_their_columns_and_describe_their_rows(tmp_path):
    import pandas as pd

    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        write_codes(tmp_path / f"codes{suffix}", pieces(), (len(Z), 3))
        table = read(tmp_path / f"codes{suffix}")
        assert list(table) == ["split", "class", *NAMES]
        assert list(table["class"]) == [f"a, {i}" for i in range(25)]
        np.testing.assert_array_equal(table[NAMES].to_numpy(np.float32), Z)


def test_a_table_made_elsewhere_is_read_by_its_last_columns(tmp_path):
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "a", "b"], ["first", 1, 2.5], ["second", -3, "1e3"]])
    with pytest.warns(UserWarning, match="the last columns are taken for codes: a, b"):
        codes = read_codes(tmp_path / "mine.csv", 2)
    np.testing.assert_array_equal(codes, [[1, 2.5], [-3, 1000]])


@pytest.mark.parametrize(("text", "codes"), [
    ("split,autoencoder0,autoencoder1\ntest,1,2.5\n", [[1, 2.5]]),  # as older versions named them
    ("\ufeffz1,z2\n1,2\n\n3,4\n", [[1, 2], [3, 4]]),
    ("1,2.5\n3,4.5\n", [[1, 2.5], [3, 4.5]]),  # NumPy writes no header
    ("0,1\n0.5,2.5\n", [[0.5, 2.5]]),  # pandas' is of numbers
    ("-1.5,2\n", [[-1.5, 2]]),
])  # fmt: skip
def test_codes_with_other_headers_or_none_are_read_whole(tmp_path, text, codes):
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_codes(tmp_path / "c.csv", 2), codes)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_names_that_are_no_utf8_are_written_out(tmp_path, suffix):
    import pandas as pd

    path = tmp_path / f"codes{suffix}"
    write_codes(path, [(Z[:2], {"file": [b"\xff\xfe.png".decode("utf-8", "surrogateescape"), "a.png"]})], (2, 3))
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}[suffix]
    assert list(read(path)["file"]) == ["\\xff\\xfe.png", "a.png"]
    np.testing.assert_array_equal(read_codes(path, 3), Z[:2])


def test_names_that_a_spreadsheet_would_run_are_guarded_if_asked(tmp_path):
    names = ["=1+1", "+a", "-b", "@c", "\tx", "-1", "a=b", "+2.5"]
    pieces = [(Z[:8], {"class": names})]
    with pytest.warns(UserWarning, match=r"^5 names begin with = .* write it with --spreadsheet\.$"):
        write_codes(tmp_path / "plain.csv", pieces, (8, 3))
    write_codes(tmp_path / "guarded.csv", pieces, (8, 3), for_spreadsheet=True)
    for name, mark in (("plain", ""), ("guarded", "'")):
        with (tmp_path / f"{name}.csv").open(newline="") as file:
            read = [row["class"] for row in csv.DictReader(file)]
        assert read == [mark + text for text in names[:5]] + names[5:]
        np.testing.assert_array_equal(read_codes(tmp_path / f"{name}.csv", 3), Z[:8])


@pytest.mark.parametrize("cell", ["x" * 200_000, "1\0", "", "x"])
def test_cells_that_are_no_codes_are_one_line(tmp_path, cell):
    (tmp_path / "c.csv").write_text(f"z1,z2\n1,{cell}\n")
    with pytest.raises(DatasetError, match=r"c\.csv cannot be read as codes: [^\n]*$"):
        read_codes(tmp_path / "c.csv", 2)


def test_float64_codes_of_another_program_are_read(tmp_path):
    np.save(tmp_path / "codes.npy", Z.astype(np.float64))
    np.testing.assert_array_equal(read_codes(tmp_path / "codes.npy", 3), Z)


@pytest.mark.parametrize("name", ["codes.txt", "codes", "codes.npy.gz"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=rf"output must end in \.npy, \.csv, \.parquet, got {name}"):
        write_codes(tmp_path / name, pieces(), (len(Z), 3))


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_a_failure_half_way_leaves_the_old_file(tmp_path, suffix):
    path = tmp_path / f"codes{suffix}"
    path.write_text("old")

    def failing():
        yield next(pieces())
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_codes(path, failing(), (len(Z), 3))
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/codes\.npy cannot be written: (File exists|Not a directory)"):
        write_codes(tmp_path / "file" / "codes.npy", pieces(), (len(Z), 3))


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x93NUMPY\x01\x00", b"PAR1", b"a,b,c\n1,2\n", b"\xff\xfe\xfd"]
)
def test_a_damaged_file_is_a_dataset_error(tmp_path, suffix, content):
    path = tmp_path / f"codes{suffix}"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"codes\{suffix} "):
        read_codes(path, 3)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_a_missing_file_is_a_dataset_error(tmp_path, suffix):
    with pytest.raises(DatasetError, match=rf"codes\{suffix} cannot be read as codes: there is no such file"):
        read_codes(tmp_path / f"codes{suffix}", 3)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_codes_of_fewer_numbers_are_refused(tmp_path, suffix):
    path = tmp_path / f"codes{suffix}"
    write_codes(path, [(Z, {})], (len(Z), 3))
    with pytest.raises(DatasetError, match=rf"codes\{suffix} "):
        read_codes(path, 4)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_words_where_codes_should_be_are_a_dataset_error(tmp_path, suffix):
    path = tmp_path / f"codes{suffix}"
    words = np.array([["a", "b"], ["c", "d"]])
    if suffix == ".npy":
        np.save(path, words)
    else:
        import pandas as pd

        table = pd.DataFrame(words, columns=["x", "y"])
        table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    with pytest.raises(DatasetError, match=rf"codes\{suffix} cannot be read as codes"):
        read_codes(path, 2)


def test_a_file_of_python_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / "codes.npy", np.array([[print]], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match="cannot be read as codes"):
        read_codes(tmp_path / "codes.npy", 1)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingExtraError, match=r"Parquet needs pyarrow. Install it with: pip install 'latentmap\[par"
    ):
        write_codes(tmp_path / "codes.parquet", pieces(), (len(Z), 3))


def test_a_pipe_holds_no_codes(tmp_path):
    os.mkfifo(tmp_path / "z.npy")
    with pytest.raises(DatasetError, match="is no regular file"):
        read_codes(tmp_path / "z.npy", 2)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_codes_of_more_numbers_are_told_by_their_names(tmp_path, suffix):
    write_codes(tmp_path / f"codes{suffix}", pieces(), (len(Z), 3))
    with pytest.raises(DatasetError, match="must hold codes of 2 numbers each, got 3: z1 to z3"):
        read_codes(tmp_path / f"codes{suffix}", 2)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_codes_are_found_by_their_names_wherever_they_stand(tmp_path, suffix):
    import pandas as pd

    path = tmp_path / f"x{suffix}"
    table = pd.DataFrame({"z2": Z[:, 1], "file": "a", "z1": Z[:, 0], "z3": Z[:, 2], "cluster": 1})
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path, index=False)
    np.testing.assert_array_equal(read_codes(path, 3), Z)


def test_what_came_to_be_there_meanwhile_is_kept(tmp_path):
    path = tmp_path / "codes.csv"

    def late():
        for piece in pieces():
            path.write_text("precious")
            yield piece

    with pytest.raises(OutputError, match=r"codes\.csv is there by now\. Add --force"):
        write_codes(path, late(), (len(Z), 3), replace=False)
    assert path.read_text() == "precious"


def test_a_table_of_fewer_columns_holds_no_codes(tmp_path):
    import pandas as pd

    pd.DataFrame({"a": [1.0, 2.0]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="must hold codes of 2 numbers each, got 1 column"):
        read_codes(tmp_path / "x.parquet", 2)


def test_codes_of_nothing_are_an_empty_array(tmp_path):
    write_codes(tmp_path / "x.npy", [], (0, 2))
    assert np.load(tmp_path / "x.npy").shape == (0, 2)
