"""The command line's frame: help, statuses, where words go, and how errors are said."""

import csv
import json
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import latentmap as package
from latentmap.errors import DatasetError

COMMANDS = (
    "report", "fit", "sweep", "encode", "decode", "draw", "generate", "interpolate", "evaluate", "info", "export",
    "data",
)  # fmt: skip


def is_one_line(outcome, status):
    """The outcome of a failure: nothing on standard output, one line on standard error."""
    assert outcome.status == status, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("latentmap: error: ")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err


def refused(done, status, *words):
    """One line that says it, and nothing written."""
    is_one_line(done, status)
    for word in words:
        assert word in done.err
    return True


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_version(latentmap):
    done = latentmap("--version")
    assert (done.status, done.out, done.err) == (0, f"latentmap {package.__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command(latentmap, flag):
    done = latentmap(flag)
    assert (done.status, done.err) == (0, "")
    for command in COMMANDS:
        assert f" {command} " in plain(done.out)


def test_shells_can_complete_and_the_help_is_no_longer_for_it(latentmap, monkeypatch):
    assert "completion" not in latentmap("--help").out
    monkeypatch.setenv("_LATENTMAP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "latentmap inter")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert latentmap().out.split() == ["interpolate"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(latentmap, command):
    done = latentmap(command, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Example: latentmap {command} " in " ".join(plain(done.out).split())


def test_without_a_command_the_help_is_shown(latentmap):
    done = latentmap()
    assert done.status == 2
    for command in COMMANDS:
        assert f" {command} " in plain(done.out + done.err)


@pytest.mark.parametrize(("arguments", "most"), [(["--help"], 420), (["info", "MODEL"], 420)])
def test_light_commands_import_little(model, arguments, most):
    arguments = [str(model) if word == "MODEL" else word for word in arguments]
    script = (
        "import sys, json\n"
        "from latentmap.cli import main\n"
        f"try: main({arguments})\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    imported = json.loads(done.stderr.splitlines()[-1])
    heavy = {"torch", "scipy", "sklearn", "pandas", "matplotlib", "pooch", "jinja2", "PIL"}
    assert not heavy & set(imported)
    assert "numpy" not in imported or arguments[0] == "info"
    assert len(imported) < most


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reprot"], "No such command 'reprot'"),
        (["fit", "digits"], "Missing option '--output'"),
        (["fit", "digits", "-o", "m", "--epochs", "few"], "Invalid value for '--epochs'"),
        (["fit", "digits", "-o", "m", "--epoch", "3"], "No such option: --epoch"),
        (["encode", "m", "digits", "-o", "z.npy", "--split", "half"], "'half' is not one of"),
        (["info"], "Missing argument 'MODEL'"),
        (["fit", "digits", "-o", "m", "--model", "dens"], "got 'dens'. Did you mean 'dense'?"),
        (["fit", "digits", "-o", "m", "--epochs", "0"], "epochs must be a whole number of at least 1, got 0"),
        (["fit", "digits", "-o", "m", "--latent-dim", "0"], "latent_dim must be a whole number of at least 1, got 0"),
        (["fit", "digits", "-o", "m", "--size", "7"], "size must be a whole number from 8 to 256 or None, got 7"),
        (["fit", "digits", "-o", "m", "--limit", "1"], "limit must be a whole number of at least 2, got 1"),
        (["fit", "digits", "-o", "m", "--seed", "-1"], "random_state must be from 0 to 4294967295, got -1"),
        (["fit", "digits", "-o", ""], "output must end in a name of its own, got '.'"),
        (["fit", "digits", "-o", "/"], "output must end in a name of its own, got '/'"),
        (["encode", "m", "digits", "-o", "codes.txt"], "output must end in .npy, .csv, .parquet, got codes.txt"),
    ],
)
def test_wrong_use_is_status_2_and_one_line(latentmap, tmp_path, arguments, message):
    done = latentmap(*arguments)
    is_one_line(done, 2)
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "mnits", "-o", "m"], "there is no dataset 'mnits'. Did you mean 'mnist'?"),
        (["report", "digist"], "there is no dataset 'digist'. Did you mean 'digits'?"),
        (["data", "mnits"], "there is no dataset 'mnits'"),
        (["fit", "mnist", "-o", "m", "--data-dir", "gone"], "data_dir must be an existing folder, got gone"),
        (["data", "--data-dir", "gone"], "data_dir must be an existing folder, got gone"),
        (["info", "gone"], "gone is not a model folder"),
        (["encode", "gone", "digits", "-o", "z.npy"], "gone is not a model folder"),
        (["decode", "gone", "z.npy", "-o", "x.npy"], "gone is not a model folder"),
        (["evaluate", "gone", "digits"], "gone is not a model folder"),
        (["export", "gone", "-o", "x"], "gone is not a model folder"),
        (["generate", "gone", "digits", "-o", "x.png"], "gone is not a model folder"),
        (["interpolate", "gone", "digits", "--from", "0", "--to", "1", "-o", "x.png"], "gone is not a model folder"),
        (["fit", "digits", "-o", "n" * 300], "File name too long"),
    ],
)
def test_what_cannot_be_done_is_status_1_and_one_line(latentmap, tmp_path, arguments, message):
    done = latentmap(*arguments)
    is_one_line(done, 1)
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where_an_error_came_from(latentmap):
    done = latentmap("--debug", "info", "gone")
    assert done.status == 1
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("latentmap: error: gone is not a model folder")


def test_an_interruption_is_one_line(latentmap, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("latentmap.data.load_dataset", interrupted)
    is_one_line(latentmap("fit", "digits", "-o", "m"), 130)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("[x]\nDefaultCPUAllocator: tried to allocate 128 bytes."),
            "not enough memory for 128 bytes. Take",
        ),
        (
            MemoryError("Unable to allocate 16.3 TiB for an array"),
            "there is not enough memory for 16.3 TiB. Take fewer",
        ),
        (MemoryError(), "there is not enough memory. Take fewer samples"),
        (csv.Error("field larger than field limit"), "a table cannot be read: field larger than field limit."),
        (RecursionError("maximum recursion depth"), "a file is nested too deep to be read."),
        (OSError(28, "No space left on device", "m"), "m: No space left on device."),
        (
            ZeroDivisionError("division by zero"),
            "internal error: ZeroDivisionError: division by zero (latentmap --debug",
        ),
        (KeyError("loss"), "internal error: KeyError: 'loss' ("),
        (ValueError("not one of our checks"), "internal error: ValueError: not one of our checks ("),
        (RuntimeError("many\nlines"), "internal error: RuntimeError: many lines ("),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_no_traceback(latentmap, monkeypatch, error, message):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr("latentmap.data.load_dataset", failing)
    refused(latentmap("fit", "digits", "-o", "m"), 1, message)
    assert "Traceback" in latentmap("--debug", "fit", "digits", "-o", "m").err


def test_an_operation_that_fails_in_our_code_is_not_the_users_fault(latentmap, monkeypatch):
    monkeypatch.setattr("latentmap.data.source.parse_size", lambda _: np.zeros(3).reshape(2))
    refused(latentmap("fit", "digits", "-o", "m", "--size", 9), 1, "internal error: ValueError: cannot reshape")


def test_a_reader_who_has_enough_is_no_error(latentmap, monkeypatch):
    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr("latentmap.cli.info_commands.answer", closed)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # `main` lets go of it
    assert (done := latentmap("data")).status == 1
    assert done.err == ""


def test_a_message_of_several_lines_becomes_one(latentmap, monkeypatch):
    def failing(*_, **__):
        raise DatasetError("first\n  second")

    monkeypatch.setattr("latentmap.data.load_dataset", failing)
    done = latentmap("fit", "digits", "-o", "m")
    assert (done.status, done.err) == (1, "latentmap: error: first second\n")


def test_a_warning_is_one_line_without_a_place_in_the_code(latentmap, monkeypatch):
    def warning(*_, **__):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning("look\nout", UserWarning, "file.py", 3)
        raise DatasetError("stop")

    monkeypatch.setattr("latentmap.data.load_dataset", warning)
    done = latentmap("fit", "digits", "-o", "m")
    assert done.err == "latentmap: warning: look out\nlatentmap: error: stop\n"


def test_statuses_and_streams_of_a_real_process(in_a_process):
    done = in_a_process("--version")
    assert (done.status, done.out, done.err) == (0, f"latentmap {package.__version__}\n", "")
    is_one_line(in_a_process("data", "mnits"), 1)
    is_one_line(in_a_process("fit"), 2)
