"""Folders of codes: what is in them, what is done again and what is not, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from latentmap import Autoencoder, load_dataset
from latentmap.cli import main
from latentmap.data.codes import read_codes
from latentmap.distributed import encoding
from latentmap.models import MODELS

RNG = np.random.default_rng(0)
X = np.repeat(np.repeat(RNG.integers(0, 256, (1300, 4, 4), dtype=np.uint8), 4, 1), 4, 2)


def write(folder, sizes=(700, 1, 599), **more):
    """Images of 16x16 in several files of odd sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.iterdir():
        former.unlink()
    ends = np.cumsum(sizes)
    for i, (start, stop) in enumerate(zip(ends - sizes, ends, strict=True)):
        columns = {
            "x": pa.FixedShapeTensorArray.from_numpy_ndarray(X[start:stop]),
            "label": np.arange(start, stop) % 3,
        }
        pq.write_table(pa.table(columns), folder / f"{i}.parquet", row_group_size=130, **more)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of such images."""
    folder = tmp_path_factory.mktemp("model")
    write(folder / "in")
    dataset = load_dataset(folder / "in")
    ae = Autoencoder("dense", 3, epochs=1, random_state=0).fit(dataset.train.X)
    ae.save(folder / "model", metadata=dataset.facts)
    return folder / "model"


def run(*words):
    """What a command's exit status is."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def codes(folder):
    """All codes of a folder, and the columns beside them."""
    table = pa.concat_tables([pq.read_table(part) for part in sorted(folder.glob("part-*.parquet"))])
    names = [name for name in table.column_names if name.startswith("z")]
    return np.column_stack([table[name].to_numpy() for name in names]), table.drop_columns(names)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_codes_are_those_of_one_file_whatever_the_parts(tmp_path, monkeypatch, name):
    monkeypatch.setattr(encoding, "_PART_ROWS", 300)
    write(tmp_path / "in")
    dataset = load_dataset(tmp_path / "in", test_fraction=0)
    ae = Autoencoder(name, 3, epochs=1, random_state=0).fit(dataset.train.X[:200])
    ae.save(tmp_path / "model", metadata=dataset.facts)
    assert run("encode", tmp_path / "model", tmp_path / "in", "-o", tmp_path / "codes") == 0
    Z, known = codes(tmp_path / "codes")
    np.testing.assert_array_equal(Z, ae.transform(dataset.train.X))
    assert known.column_names == ["file", "row", "class"]
    assert known["file"].to_pylist() == ["0.parquet"] * 700 + ["1.parquet"] + ["2.parquet"] * 599
    assert known["row"].to_pylist() == [*range(700), 0, *range(599)]
    assert known["class"].to_pylist() == [str(i % 3) for i in range(1300)]
    assert len(list((tmp_path / "codes").glob("part-*"))) == 3 + 1 + 3
    np.testing.assert_array_equal(read_codes(tmp_path / "codes", 3), Z)


def test_only_what_is_missing_is_done_again(tmp_path, model, monkeypatch):
    monkeypatch.setattr(encoding, "_PART_ROWS", 300)
    write(tmp_path / "in")
    command = ("encode", model, tmp_path / "in", "-o", tmp_path / "codes")
    assert run(*command) == 0
    before = {part.name: (part.stat().st_mtime_ns, part.read_bytes()) for part in (tmp_path / "codes").iterdir()}
    (tmp_path / "codes" / "part-00003.parquet").unlink()
    assert run(*command) == 0
    after = {part.name: (part.stat().st_mtime_ns, part.read_bytes()) for part in (tmp_path / "codes").iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"part-00003.parquet"}
    assert before["part-00003.parquet"][1] == after["part-00003.parquet"][1]


def test_codes_of_other_data_or_models_are_kept_unless_forced(tmp_path, model, capsys):
    write(tmp_path / "in")
    command = ("encode", model, tmp_path / "in", "-o", tmp_path / "codes")
    assert run(*command) == 0
    write(tmp_path / "in", sizes=(1300,), compression="none")
    assert run(*command) == 1
    assert "holds codes made otherwise: by another model, of other data" in capsys.readouterr().err
    assert run(*command, "--force") == 0
    assert len(codes(tmp_path / "codes")[0]) == 1300
    (tmp_path / "codes" / "mine.txt").write_text("kept")
    assert run(*command, "--force") == 0  # nothing is to be replaced
    write(tmp_path / "in", sizes=(13, 1287))
    assert run(*command, "--force") == 1
    assert "holds other files than codes" in capsys.readouterr().err
    assert (tmp_path / "codes" / "mine.txt").read_text() == "kept"
    assert len(codes(tmp_path / "codes")[0]) == 1300


def test_images_that_cannot_be_read_are_named(tmp_path, model, capsys, monkeypatch):
    monkeypatch.setattr(encoding, "_PART_IMAGES", 7)
    (tmp_path / "in").mkdir()
    for i in range(20):
        Image.fromarray(X[i]).save(tmp_path / "in" / f"{i}.png")
    for i in (3, 8):
        (tmp_path / "in" / f"{i}.png").write_bytes(b"no image")
    command = ("encode", model, tmp_path / "in", "-o", tmp_path / "codes")
    assert run(*command) == 0
    assert "2 of 20 rows cannot be read" in capsys.readouterr().err
    bad = pq.read_table(tmp_path / "codes" / "_unreadable.parquet").to_pylist()
    assert [one["file"] for one in bad] == ["3.png", "8.png"]
    assert all(one["why"] for one in bad)
    Z, known = codes(tmp_path / "codes")
    kept = [i for i in range(20) if i not in (3, 8)]
    assert known["file"].to_pylist() == [f"{i}.png" for i in kept]
    np.testing.assert_array_equal(Z, Autoencoder.load(model).transform(X[kept][..., None]))
    # More than a tenth is an error, but for --skip-bad; what is there of the codes stays.
    (tmp_path / "in" / "9.png").write_bytes(b"no image")
    assert run(*command, "--force") == 1
    assert "add --skip-bad" in capsys.readouterr().err
    assert run(*command, "--skip-bad") == 0


def test_parts_are_alike_though_their_content_is_not(tmp_path, monkeypatch):
    """What black and white are, and which columns there are, is one for all parts."""
    monkeypatch.setattr(encoding, "_PART_ROWS", 100)
    (tmp_path / "in").mkdir()
    deep = X[:300].astype(np.uint16) * 16
    deep[:100] //= 8  # alone these would be taken for images of 10 bits or so
    labels = [None] * 100 + ["a", "b"] * 100
    columns = {"x": pa.FixedShapeTensorArray.from_numpy_ndarray(deep), "label": labels}
    pq.write_table(pa.table(columns), tmp_path / "in" / "0.parquet", row_group_size=100)
    dataset = load_dataset(tmp_path / "in", test_fraction=0)
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(load_dataset(X[:50], test_fraction=0).train.X)
    ae.save(tmp_path / "model")
    assert run("encode", tmp_path / "model", tmp_path / "in", "-o", tmp_path / "all.parquet") == 0
    assert run("encode", tmp_path / "model", tmp_path / "in", "-o", tmp_path / "codes") == 0
    Z, known = codes(tmp_path / "codes")
    whole = pq.read_table(tmp_path / "all.parquet")
    np.testing.assert_array_equal(Z, np.column_stack([whole["z1"].to_numpy(), whole["z2"].to_numpy()]))
    assert known["class"].to_pylist()[100:] == ["a", "b"] * 100
    assert dataset.class_names[:2] == ("a", "b")


def test_a_part_of_which_nothing_can_be_read_is_no_fault(tmp_path, model, monkeypatch, capsys):
    monkeypatch.setattr(encoding, "_PART_IMAGES", 2)
    (tmp_path / "in").mkdir()
    for i in range(30):
        Image.fromarray(X[i]).save(tmp_path / "in" / f"{i}.png")
    for i in (4, 5):
        (tmp_path / "in" / f"{i}.png").write_bytes(b"no image")
    assert run("encode", model, tmp_path / "in", "-o", tmp_path / "codes") == 0
    assert "2 of 30 rows cannot be read" in capsys.readouterr().err
    assert len(codes(tmp_path / "codes")[0]) == 28


def test_what_a_killed_worker_left_goes_and_a_strangers_file_stays(tmp_path, model):
    write(tmp_path / "in")
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "mine.txt").write_text("kept")
    command = ("encode", model, tmp_path / "in", "-o", tmp_path / "codes")
    assert run(*command) == run(*command, "--force") == 1
    assert [path.name for path in (tmp_path / "codes").iterdir()] == ["mine.txt"]
    (tmp_path / "codes" / "mine.txt").unlink()
    assert run(*command) == 0
    (tmp_path / "codes" / ".part-00001.parquet.0a1b.part").write_text("half")
    assert run(*command) == 0
    assert not list((tmp_path / "codes").glob(".*"))


def test_rows_keep_their_numbers_where_some_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "_PART_ROWS", 40)
    rows = RNG.normal(size=(100, 3))
    rows[[3, 50], 1] = np.nan
    (tmp_path / "in").mkdir()
    table = pa.table({name: rows[:, i] for i, name in enumerate("abc")})
    pq.write_table(table, tmp_path / "in" / "0.parquet", row_group_size=20)
    dataset = load_dataset(tmp_path / "in", test_fraction=0, missing="drop")
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(dataset.train.X)
    ae.save(tmp_path / "model", metadata=dataset.facts)
    assert run("encode", tmp_path / "model", tmp_path / "in", "-o", tmp_path / "codes") == 0
    Z, known = codes(tmp_path / "codes")
    kept = [i for i in range(100) if i not in (3, 50)]
    assert known["row"].to_pylist() == kept
    np.testing.assert_array_equal(Z, ae.transform(dataset.train.X))
    bad = pq.read_table(tmp_path / "codes" / "_unreadable.parquet").to_pylist()
    assert [(one["row"], one["why"]) for one in bad] == [(3, "a number is missing"), (50, "a number is missing")]


def test_splits_of_a_folder_are_encoded_as_they_lie(tmp_path, model):
    for i, name in enumerate(("train", "val", "test")):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.fromarray(X[i]).save(tmp_path / "in" / name / "0.png")
    assert run("encode", model, tmp_path / "in", "-o", tmp_path / "codes") == 0
    assert sorted(codes(tmp_path / "codes")[1]["file"].to_pylist()) == ["test/0.png", "train/0.png", "val/0.png"]


def test_a_damaged_file_costs_its_part_alone(tmp_path, model, capsys):
    write(tmp_path / "in")
    content = bytearray((tmp_path / "in" / "0.parquet").read_bytes())
    content[4:60] = bytes(56)  # where the first page says what it holds
    (tmp_path / "in" / "0.parquet").write_bytes(bytes(content))
    assert run("encode", model, tmp_path / "in", "-o", tmp_path / "codes") == 1
    assert "1 of 3 parts of" in capsys.readouterr().err
    assert sorted(part.name for part in (tmp_path / "codes").glob("part-*")) == [
        "part-00001.parquet",
        "part-00002.parquet",
    ]


def test_object_storage_holds_both(bucket, tmp_path, model):
    write(tmp_path / "in")
    bucket.upload(tmp_path / "in", "in")
    source, output = f"s3://{bucket.name}/in/*.parquet", f"s3://{bucket.name}/codes"
    assert run("encode", model, source, "-o", output) == 0
    parts = [f"codes/part-{i:05}.parquet" for i in range(3)]
    assert bucket.keys("codes/") == ["codes/_encoding.json", *parts]
    bucket.client.delete_object(Bucket=bucket.name, Key=parts[1])
    assert run("encode", model, source, "-o", output) == 0
    assert bucket.keys("codes/") == ["codes/_encoding.json", *parts]
    facts = json.loads(bucket.client.get_object(Bucket=bucket.name, Key="codes/_encoding.json")["Body"].read())
    assert facts["rows"] == 1300
    # Codes are data as any other: they can be read as a source.
    again = load_dataset(output, columns=["z*"])
    assert again.train.X.shape[1] == 3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux, which tells a process's own peak")
def test_memory_does_not_grow_with_the_data(tmp_path, model):
    # Not ru_maxrss: that begins with what the process had from which this one was forked.
    code = (
        "import sys; from latentmap.cli import main\n"
        "for name in ('3', '23'):\n"
        "    try: main(['encode', sys.argv[1], name, '-o', 'codes ' + name])\n"
        "    except SystemExit as end: print(end.code, open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    for n_files in (3, 23):  # buffers reach their size over the first ones
        source = tmp_path / f"{n_files}"
        source.mkdir()
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.tile(X, (8, 1, 1)))
        for i in range(n_files):
            pq.write_table(pa.table({"x": column}), source / f"{i}.parquet", row_group_size=4096)
    done = subprocess.run(
        [sys.executable, "-c", code, model], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ends = [line.split() for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert [status for status, _ in ends] == ["0", "0"], done.stderr
    less, more = (int(peak) / 1024 for _, peak in ends)
    # 50 MiB of images more, of which a row group (1 MiB), a batch and a part's codes are held at a time.
    assert more < less + 25


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("digits", "-o", "codes"), "digits is no folder, pattern or address"),
        (("in", "-o", "codes", "--split", "test"), "--split goes with a file of codes"),
        (("in", "-o", "codes", "--limit", "5"), "--limit goes with a file of codes"),
        (("in", "-o", "codes.npy", "--workers", "2"), "output must be a folder or an address with --workers"),
        (("nothing", "-o", "codes"), "nothing"),
        (("in/*.png", "-o", "codes"), "no image and no Parquet file matches"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, model, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in", sizes=(20,))
    assert run("encode", model, *words) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert "internal error" not in error
    assert not (tmp_path / "codes").exists()
