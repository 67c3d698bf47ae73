import os

import pytest

from latentmap.errors import OutputError
from latentmap.files import new_file, new_folder, recover_folder


def ours(folder):
    return (folder / "mark").is_file()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def half_way(path, error):
    path.write_text("half")
    raise error


# ---- files ---------------------------------------------------------------------------------------------------------


def test_a_file_appears_when_the_block_ends(tmp_path):
    with new_file(tmp_path / "a" / "b.txt") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert not (tmp_path / "a" / "b.txt").exists()
    assert (tmp_path / "a" / "b.txt").read_text() == "new"
    assert names(tmp_path / "a") == ["b.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "b.txt"
    target.write_text("old")
    with pytest.raises(error), new_file(target) as temporary:
        half_way(temporary, error)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["b.txt"]


def test_a_full_disk_is_one_line_with_the_path(tmp_path):
    with (
        pytest.raises(OutputError, match=r"b\.txt cannot be written: No space left on device\."),
        new_file(tmp_path / "b.txt"),
    ):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "b").mkdir()
    with (
        pytest.raises(OutputError, match=r"b cannot be written: Is a directory"),
        new_file(tmp_path / "b") as temporary,
    ):
        temporary.write_text("new")
    assert (tmp_path / "b").is_dir()


# ---- folders -------------------------------------------------------------------------------------------------------


def fill(target, text="new"):
    with new_folder(target, ours) as folder:
        assert names(folder) == []
        (folder / "mark").write_text(text)
        (folder / f"only-{text}").write_text(text)


def test_a_folder_appears_when_the_block_ends(tmp_path):
    fill(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == ["mark", "only-new"]
    assert names(tmp_path / "a") == ["b"]


def test_a_relative_path_is_relative_to_where_we_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill("b")
    assert ours(tmp_path / "b")


def test_our_folder_and_an_empty_one_are_replaced_whole(tmp_path):
    (tmp_path / "b").mkdir()
    fill(tmp_path / "b", "old")
    fill(tmp_path / "b", "new")
    assert names(tmp_path / "b") == ["mark", "only-new"]
    assert names(tmp_path) == ["b"]


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis").write_text("years")
    with pytest.raises(
        OutputError, match=r"b exists and was not written by latentmap. Choose another name or remove it"
    ):
        fill(tmp_path / "b")
    assert names(tmp_path / "b") == ["thesis"]
    assert names(tmp_path) == ["b"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path, error):
    fill(tmp_path / "b", "old")
    expected = OutputError if error is OSError else error
    with pytest.raises(expected), new_folder(tmp_path / "b", ours) as folder:
        half_way(folder / "mark", error)
    assert names(tmp_path / "b") == ["mark", "only-old"]
    assert names(tmp_path) == ["b"]


def test_a_replacement_that_cannot_be_put_in_place_brings_the_old_folder_back(tmp_path, monkeypatch):
    fill(tmp_path / "b", "old")
    rename = os.rename
    calls = []

    def failing(source, target, **keywords):
        calls.append(target)
        if len(calls) == 2:
            raise PermissionError(13, "Permission denied")
        return rename(source, target, **keywords)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OutputError, match=r"b cannot be written: Permission denied"):
        fill(tmp_path / "b")
    assert len(calls) >= 2
    assert names(tmp_path / "b") == ["mark", "only-old"]


def test_a_crash_between_the_renames_is_recovered_from(tmp_path):
    fill(tmp_path / "b", "old")
    (tmp_path / "b").rename(tmp_path / ".b.old")
    recover_folder(tmp_path / "b")
    assert names(tmp_path / "b") == ["mark", "only-old"]
    (tmp_path / "b").rename(tmp_path / ".b.old")
    fill(tmp_path / "b", "new")
    assert names(tmp_path) == ["b"]
    assert names(tmp_path / "b") == ["mark", "only-new"]
