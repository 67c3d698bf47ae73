"""A minute of the long experiments: none of them may find a loss."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("experiment", ["events", "small_disk", "races", "kills"])
def test_nothing_is_lost(experiment):
    # A process of its own: it forks, and one that has computed with many threads cannot.
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--minutes", "0.1", "--only", experiment],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
