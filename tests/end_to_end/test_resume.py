"""Nothing is lost on the way: real processes killed, interrupted, and resumed."""

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latentmap import Autoencoder
from latentmap.cli import main
from latentmap.files import writing
from tests.processes import Process, command

LATENTMAP = Path(sys.executable).with_name("latentmap")
FIT = ["fit", "digits", "--size", "8", "--limit", "300", "--model", "conv", "--epochs", "15"]
OFTEN_KEPT = [*FIT, "--checkpoint-every", "0.05"]


def start(folder, output, *options):
    """A process that trains; to be killed."""
    return Process(folder, main, [*OFTEN_KEPT, "-o", output, *options])


def run(folder, output, *options):
    """The same command in this process."""
    status, out, err = command(folder, *FIT, "-o", output, *options)
    return status, out, without_progress(err)


def without_progress(err):
    """Standard error but for what a slow machine says more often than a quick one."""
    return re.sub(r"(?m)^latentmap: (reading|preparing|conv).*\n", "", err)


def wait_for_a_new_checkpoint(is_alive, folder, output):
    """Wait until a process is at work, or done."""
    path = folder / f"{output}.unfinished" / "checkpoint.safetensors"
    began = time.time()
    while is_alive() and time.time() < began + 120:
        if path.is_file() and path.stat().st_mtime > began:
            return
        time.sleep(0.01)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model trained without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, "m") == (0, "m\n", "")
    assert [path.name for path in folder.iterdir()] == ["m"]  # nothing is left of its checkpoints
    return folder / "m"


def test_a_process_killed_again_and_again_ends_with_the_same_bits(tmp_path, whole):
    moments = random.Random()  # noqa: S311  # every run of this test tries other moments
    n_killed = 0
    for _ in range(2):
        process = start(tmp_path, "m", "--resume")
        wait_for_a_new_checkpoint(process.is_alive, tmp_path, "m")
        time.sleep(moments.uniform(0, 0.2))
        process.kill()
        status, _, err = process.end()
        n_killed += status == -signal.SIGKILL
        assert without_progress(err) == ""
    assert n_killed >= 1
    assert run(tmp_path, "m", "--resume") == (0, "m\n", "")
    assert weights(tmp_path / "m") == weights(whole)
    assert {path.name for path in tmp_path.iterdir()} == {"m"}
    history = Autoencoder.load(tmp_path / "m").history_
    wanted = Autoencoder.load(whole).history_
    assert [{**row, "seconds": 0} for row in history] == [{**row, "seconds": 0} for row in wanted]


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, whole):
    process = subprocess.Popen([LATENTMAP, *OFTEN_KEPT, "-o", "m"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for_a_new_checkpoint(lambda: process.poll() is None, tmp_path, "m")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    err = without_progress(err)
    assert err.startswith("latentmap: error: training was interrupted in epoch ")
    assert err.endswith("of 15, and a checkpoint saved. To go on, add --resume to the same command.\n")

    status, _, err = run(tmp_path, "m")
    assert (status, err.count("\n")) == (1, 1)
    assert "m.unfinished holds an interrupted run. Add --resume to go on with it, or --force to begin again." in err

    status, _, err = run(tmp_path, "m", "--resume", "--seed", "7")
    assert (status, err.count("\n")) == (1, 1)
    assert "was made with seed=0, not 7" in err

    assert run(tmp_path, "m", "--resume") == (0, "m\n", "")
    assert weights(tmp_path / "m") == weights(whole)


def test_another_run_of_the_same_output_is_refused_and_destroys_nothing(tmp_path):
    (tmp_path / "m.unfinished").mkdir()
    (tmp_path / "m.unfinished" / "checkpoint.safetensors").write_text("of the first run")
    with writing(tmp_path / "m"):
        status, _, err = start(tmp_path, "m", "--force").end()
    assert status == 1
    assert (
        without_progress(err)
        == "latentmap: error: another run is writing m. Wait for it to end, or choose another name.\n"
    )
    assert (tmp_path / "m.unfinished" / "checkpoint.safetensors").read_text() == "of the first run"


def test_resuming_what_is_finished_says_so_and_changes_nothing(whole):
    before = weights(whole)
    (whole.parent / "m.unfinished").mkdir()  # killed after the last checkpoint went, and before its folder did
    status, out, err = run(whole.parent, "m", "--resume")
    assert [path.name for path in whole.parent.iterdir()] == ["m"]
    assert (status, out) == (0, "m\n")
    assert err == "latentmap: m is finished already, there is nothing to resume.\n"
    status, _, err = run(whole.parent, "m", "--resume", "--batch-size", "32")
    assert status == 1
    assert "m was made with batch_size='auto', not 32." in err
    assert weights(whole) == before
