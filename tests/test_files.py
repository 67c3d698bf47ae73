"""Writing and reading outputs: what is there after every kind of end, and what others see meanwhile."""

import errno
import itertools
import os
import signal
import sys
import threading

import pytest

from latentmap import files
from latentmap.errors import OutputError
from latentmap.files import check_folder, holds_only, new_file, new_folder, read_folder, writing


def ours(folder):
    return (folder / "mark").is_file() and holds_only(folder, ["mark", "same"])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(target, text="new"):
    with new_folder(target, ours) as folder:
        assert names(folder) == []
        (folder / "mark").write_text(text)
        (folder / "same").write_text(text)


def text_of(target):
    """What two files of a folder say, which is the same."""
    first, second = read_folder(target, lambda folder: [(folder / name).read_text() for name in ("mark", "same")])
    assert first == second
    return first


def half_way(path, error):
    path.write_text("half")
    raise error


def in_a_child(work):
    """Fork a process that does some work and nothing else."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def end_of(child):
    """The exit status of a child."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_everywhere(work, step=1):
    """Do the work in one process after another, killed at its first event of the file system, its second (or every
    step-th), ...; yield after each, the last of which is not killed.
    """
    for n in itertools.count(1, step):

        def one(last=n):
            events = itertools.count(1)

            def die(event, _):
                if event.startswith(("os.", "open", "shutil.", "tempfile.", "fcntl.")) and next(events) == last:
                    os._exit(9)

            sys.addaudithook(die)
            work()

        status = end_of(in_a_child(one))
        assert status in (0, 9)
        yield
        if status == 0:
            assert n > 5
            return


@pytest.fixture(params=["in one step", "in two renames"])
def _either_way(request, monkeypatch):
    """With the system's way to swap two folders, and as where there is none."""
    if request.param == "in two renames":
        monkeypatch.setattr(files, "_swap", lambda *_: False)


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


def test_a_process_killed_anywhere_leaves_the_old_file_or_the_new_one_and_the_next_clears_up(tmp_path):
    target = tmp_path / "b.txt"
    target.write_text("old")

    def write(text="new"):
        with new_file(target) as temporary:
            temporary.write_text(text)

    for _ in killed_everywhere(write):
        assert target.read_text() in ("old", "new")
        write("old")
        assert names(tmp_path) == ["b.txt"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match=r"b cannot be written: Is a directory"), new_file(tmp_path / "b"):
        pytest.fail("worked for nothing")
    assert (tmp_path / "b").is_dir()


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "b.csv")
    with pytest.raises(OutputError, match=r"b\.csv cannot be written"), new_file(tmp_path / "b.csv"):
        pytest.fail("worked for nothing")
    assert (tmp_path / "b.csv").is_fifo()


# ---- folders -------------------------------------------------------------------------------------------------------


def test_a_folder_appears_when_the_block_ends(tmp_path):
    fill(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == ["mark", "same"]
    assert names(tmp_path / "a") == ["b"]


def test_a_relative_path_is_relative_to_where_we_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill("b")
    assert ours(tmp_path / "b")


@pytest.mark.usefixtures("_either_way")
def test_our_folder_and_an_empty_one_are_replaced_whole(tmp_path):
    (tmp_path / "b").mkdir()
    fill(tmp_path / "b", "old")
    fill(tmp_path / "b", "new")
    assert text_of(tmp_path / "b") == "new"
    assert names(tmp_path) == ["b"]


@pytest.mark.parametrize("foreign", ["thesis", "mark.txt", "notes/thesis", "notes/mark"])
def test_a_folder_with_anything_that_is_not_ours_is_left_alone(tmp_path, foreign):
    fill(tmp_path / "b", "old")
    (tmp_path / "b" / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / "b" / foreign).write_text("years")
    for write in (fill, lambda path: check_folder(path, ours)):
        with pytest.raises(
            OutputError, match=r"b exists and holds something else than is to be written there. Choose another name"
        ):
            write(tmp_path / "b")
    assert (tmp_path / "b" / foreign).read_text() == "years"
    assert names(tmp_path) == ["b"]


def test_what_is_put_there_during_the_work_is_not_lost(tmp_path):
    fill(tmp_path / "b", "old")
    with (
        pytest.raises(OutputError, match="holds something else than is to be written there"),
        new_folder(tmp_path / "b", ours),
    ):
        (tmp_path / "b" / "thesis").write_text("years")
    assert names(tmp_path / "b") == ["mark", "same", "thesis"]


@pytest.mark.parametrize("name", [".b.old", ".b", ".b-12345678"])
def test_a_hidden_folder_of_somebody_else_is_left_alone(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis").write_text("years")
    fill(tmp_path / "b", "old")
    fill(tmp_path / "b", "new")
    assert names(tmp_path) == sorted(["b", name])
    assert names(tmp_path / name) == ["thesis"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path, error):
    fill(tmp_path / "b", "old")
    with pytest.raises(error), new_folder(tmp_path / "b", ours) as folder:
        half_way(folder / "mark", error)
    assert text_of(tmp_path / "b") == "old"
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

    monkeypatch.setattr(files, "_swap", lambda *_: False)
    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OutputError, match=r"b cannot be written: Permission denied"):
        fill(tmp_path / "b")
    assert len(calls) == 3
    assert text_of(tmp_path / "b") == "old"
    assert names(tmp_path) == ["b"]


@pytest.mark.usefixtures("_either_way")
def test_a_process_killed_anywhere_leaves_the_old_folder_or_the_new_one_and_the_next_clears_up(tmp_path):
    fill(tmp_path / "b", "old")
    for _ in killed_everywhere(lambda: fill(tmp_path / "b")):
        before = sorted(tmp_path.iterdir())
        assert text_of(tmp_path / "b") in ("old", "new")
        assert sorted(tmp_path.iterdir()) == before  # reading writes nothing
        check_folder(tmp_path / "b", ours)
        assert names(tmp_path) == ["b"]
        fill(tmp_path / "b", "old")


@pytest.mark.usefixtures("_either_way")
def test_who_reads_while_another_writes_gets_the_old_or_the_new(tmp_path):
    fill(tmp_path / "b", "0")

    def write():
        for i in range(100):
            fill(tmp_path / "b", str(i % 2))

    child = in_a_child(write)
    found = set()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        found.add(text_of(tmp_path / "b"))
    assert found
    assert found <= {"0", "1"}


def test_a_folder_that_is_moved_before_it_is_opened_is_looked_for_again(tmp_path, monkeypatch):
    fill(tmp_path / "b", "whole")
    real, opened = os.open, []

    def moving(path, *arguments):
        opened.append(path)
        if len(opened) > 1:
            return real(path, *arguments)
        (tmp_path / "b").rename(tmp_path / "away")
        try:
            return real(path, *arguments)
        finally:
            (tmp_path / "away").rename(tmp_path / "b")

    monkeypatch.setattr("latentmap.files.os.open", moving)
    assert text_of(tmp_path / "b") == "whole"
    assert len(opened) > 1


def test_only_hidden_folders_of_ours_are_removed(tmp_path):
    mine = [".b.latentmap-mine", ".b.latentmap-abcdefgh"]  # the second by its name like one of ours
    for name in mine:
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis").write_text("years of work")
    (tmp_path / ".b.latentmap-12345678" / "new").mkdir(parents=True)
    fill(tmp_path / "b")
    assert names(tmp_path) == sorted([*mine, "b"])


def test_a_folder_that_is_not_there_is_for_the_reader_to_say(tmp_path):
    with pytest.raises(FileNotFoundError):
        text_of(tmp_path / "b")


@pytest.mark.parametrize("foreign", ["link", "pipe", "deep/mark", "mark/mark", "MARK", "empty"])
def test_only_files_of_our_names_are_ours(tmp_path, foreign):
    fill(tmp_path / "b")
    (tmp_path / "b" / ".DS_Store").write_text("a Mac's")
    assert holds_only(tmp_path / "b", ["mark", "same", "figures/*.png"])
    if foreign == "link":
        (tmp_path / "b" / "mark").unlink()
        (tmp_path / "b" / "mark").symlink_to(tmp_path)
    elif foreign == "pipe":
        (tmp_path / "b" / "mark").unlink()
        os.mkfifo(tmp_path / "b" / "mark")
    elif foreign == "empty":
        (tmp_path / "b" / "empty").mkdir()
    else:
        (tmp_path / "b" / "mark").unlink()
        (tmp_path / "b" / foreign).parent.mkdir(exist_ok=True)
        (tmp_path / "b" / foreign).write_text("")
    assert not holds_only(tmp_path / "b", ["mark", "same", "figures/*.png"])


# ---- links and names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_what_it_points_at_is_written_again_and_again(tmp_path, is_there):
    (tmp_path / "disk").mkdir()
    if is_there:
        fill(tmp_path / "disk" / "b", "old")
        (tmp_path / "disk" / "b.txt").write_text("old")
    for name in ("b", "b.txt"):
        (tmp_path / name).symlink_to(f"disk/{name}")
    for text in ("first", "second"):
        check_folder(tmp_path / "b", ours)
        fill(tmp_path / "b", text)
        with new_file(tmp_path / "b.txt") as temporary:
            temporary.write_text(text)
        assert text_of(tmp_path / "disk" / "b") == text_of(tmp_path / "b") == text
        assert (tmp_path / "disk" / "b.txt").read_text() == text
        assert (tmp_path / "b").is_symlink()
        assert (tmp_path / "b.txt").is_symlink()
    assert names(tmp_path) == ["b", "b.txt", "disk"]
    assert names(tmp_path / "disk") == ["b", "b.txt"]


def writers(path):
    """Every way to begin to write a path."""
    return new_file(path), new_folder(path, ours), writing(path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("loop", "Too many levels of symbolic links"),
        ("n" * 300, "File name too long"),
        ("/".join(["folder"] * 800), "File name too long"),
        ("file/b", "Not a directory|File exists"),
        ("/", "Is a directory"),
    ],
)
def test_a_path_that_cannot_be_is_one_line(tmp_path, monkeypatch, path, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("mine")
    for write in writers(path):
        with pytest.raises(OutputError, match=f"cannot be written: ({why})") as caught, write:
            pytest.fail("worked for nothing")
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError):
        check_folder(path, ours)


@pytest.mark.parametrize("name", ["n" * 240, "ü" * 120, "a[b]*", "-"])
def test_any_name_that_a_file_can_have_will_do(tmp_path, name):
    with new_file(tmp_path / name) as temporary:
        temporary.write_text("x")
    (tmp_path / name).unlink()
    fill(tmp_path / name)
    fill(tmp_path / name)
    assert names(tmp_path) == [name]


# ---- errors of the operating system --------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [new_file, lambda path: new_folder(path, ours)])
def test_only_errors_of_writing_are_called_so(tmp_path, new):
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match=r"b cannot be written: No space left on device\."), new(tmp_path / "b"):
        raise full
    with pytest.raises(OutputError, match=r"b cannot be written: No such file"), new(tmp_path / "b") as temporary:
        (temporary / "no" / "folder").write_text("")
    with pytest.raises(FileNotFoundError, match="data"), new(tmp_path / "b"):
        (tmp_path / "data").read_text()
    with pytest.raises(OSError, match="Too many open files"), new(tmp_path / "b"):
        raise OSError(errno.EMFILE, "Too many open files")
    assert names(tmp_path) == []


# ---- one writer at a time ------------------------------------------------------------------------------------------


def in_another_thread(work):
    """What work in another thread raises."""
    raised = []

    def run():
        try:
            work()
        except OutputError as error:
            raised.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised


def test_another_writer_is_refused_and_one_thread_may_nest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("b")
    with writing("b", wait=0):
        fill("b")
        for path in ("b", "link"):
            for work in (
                lambda path=path: check_folder(path, ours),
                lambda path=path: writing(path, wait=0).__enter__(),
            ):
                (message,) = in_another_thread(work)
                assert message == f"another run is writing {path}. Wait for it to end, or choose another name."
        assert in_another_thread(lambda: fill("c")) == []
    assert names(tmp_path) == ["b", "c", "link"]
    assert in_another_thread(lambda: check_folder("b", ours)) == []


def test_writers_that_wait_come_one_after_another(tmp_path):
    """The lock's file is removed by each: nobody may hold one that is no longer there."""
    (tmp_path / "n").write_text("0")

    def count():
        for _ in range(50):
            with writing(tmp_path / "n", wait=60):
                (tmp_path / "n").write_text(str(int((tmp_path / "n").read_text()) + 1))

    children = [in_a_child(count) for _ in range(3)]
    assert [end_of(child) for child in children] == [0, 0, 0]
    assert (tmp_path / "n").read_text() == "150"
    assert names(tmp_path) == ["n"]


def test_a_killed_writer_is_in_nobodys_way(tmp_path):
    read, write = os.pipe()

    def hold():
        with new_folder(tmp_path / "b", ours):
            os.write(write, b"x")
            signal.pause()

    child = in_a_child(hold)
    os.read(read, 1)
    with pytest.raises(OutputError, match="another run is writing"):
        check_folder(tmp_path / "b", ours)
    os.kill(child, signal.SIGKILL)
    assert end_of(child) == -signal.SIGKILL
    assert len(names(tmp_path)) == 2  # the lock's file and what was being written
    check_folder(tmp_path / "b", ours)
    assert names(tmp_path) == []


def test_where_there_are_no_locks_it_is_written_without(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    (tmp_path / ".b.latentmap-12345678").mkdir()  # may be another's, at work
    fill(tmp_path / "b", "old")
    fill(tmp_path / "b", "new")
    assert names(tmp_path) == [".b.latentmap-12345678", "b"]
