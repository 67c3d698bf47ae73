"""A few seconds of the long experiments: none of them may find a loss."""

import pytest
import torch

from tests.processes import Process


def soak(*words):
    """The experiments; they fork, and what has computed with several threads can't."""
    from tests.soak.__main__ import main

    torch.set_num_threads(1)
    main(words)


@pytest.mark.parametrize("experiment", ["events", "small_disk", "races", "kills"])
def test_nothing_is_lost(experiment, tmp_path):
    status, *written = Process(tmp_path, soak, "--minutes", "0.05", "--only", experiment).end()
    assert status == 0, written
