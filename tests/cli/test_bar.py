"""What is seen while a command runs: on a terminal, and where there is none."""

import io
import re
import sys

import pytest

from latentmap.cli import bar
from latentmap.cli.bar import Bar, DataBar, note
from latentmap.cli.progress import TrainingBars, show_stage
from latentmap.training import EpochRecord, TrainingPlan


def screen(written: str) -> list[str]:
    """The lines that a terminal shows in the end."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return [line for line in lines if line.strip()]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Make standard error a terminal."""

    def make():
        monkeypatch.setattr(sys, "stderr", stream := Terminal())
        return stream

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    yield make
    bar.clear()


def train(epochs=2, name=None, objective="reconstruction"):
    """What a callback is told of a training."""
    (shown,) = TrainingBars(1).one(name or "dense")
    shown.on_train_begin(TrainingPlan("dense", epochs, 10, 0.1, objective=objective))
    for epoch in range(1, epochs + 1):
        shown.on_step_end(5 * epoch, 5 * epochs)
        shown.on_epoch_end(EpochRecord(epoch, 0.5 / epoch, 0.25 / epoch, 0.1, 1.4 * epoch))
    shown.on_train_end()


def test_on_a_terminal_lines_stay_once_and_bars_go(terminal):
    stream = terminal()
    data = DataBar("photos")
    data.total = 3
    data.update(2)
    note("one\n  note")
    data.close()
    for name in ("fit", "fit", "evaluate", "evaluate"):
        show_stage(name)
        if name == "fit":
            train()
    bar.clear()
    line = "latentmap: dense: 2 epochs in 3 s, validation loss 0.125 in the last"
    assert screen(stream.getvalue()) == ["latentmap: one note", line, line]


def test_on_a_terminal_the_bar_says_how_far_it_is(terminal):
    stream = terminal()
    Bar("encoding [bold]", 0.5).update(0.5, "4 of 8")
    bar._shown._progress.refresh()
    line = screen(stream.getvalue())[-1]
    assert line.startswith("encoding [bold] ━━━━━━")
    assert "4 of 8" in line


def test_trainings_side_by_side_share_a_bar(terminal):
    stream, bars = terminal(), TrainingBars(2)
    (one,), (two,) = bars.one("dense"), bars.one("map")
    for shown in (one, two):
        shown.on_train_begin(TrainingPlan("any", 2, 10, 0.1))
    two.on_epoch_end(EpochRecord(1, 0.5, None, 0.1, 1.0))
    bar._shown._progress.refresh()
    assert re.match(r"training 2 models ━+.* dense epoch 1/2; map epoch 2/2", screen(stream.getvalue())[-1])
    assert bar._shown._progress.tasks[0].completed == 0.25
    one.on_epoch_end(EpochRecord(1, 0.5, None, 0.1, 1.0))
    one.on_train_end()  # early, as patience ran out
    bar._shown._progress.refresh()
    assert "dense: 1 epoch in 1 s, training loss 0.5 in the last" in screen(stream.getvalue())[-2]
    assert re.match(r"training 2 models ━+.* map epoch 2/2", screen(stream.getvalue())[-1])


def test_elsewhere_a_line_is_written_ever_more_rarely(capsys):
    class Waits:
        asked = ()

        def wait(self, seconds):
            self.asked += (seconds,)
            return len(self.asked) > 7

        def set(self):
            pass

    shown = Bar("reading photos")
    shown._stopped.set()
    shown._stopped = waits = Waits()
    shown._write_now_and_then()
    bar.clear()
    assert capsys.readouterr() == ("", 7 * "latentmap: reading photos: 0 s\n")
    assert waits.asked[:3] == (10, 15, 22.5)
    assert waits.asked[-2:] == (80, 80)


def test_elsewhere_only_what_was_reached_is_written_of_a_short_training(capsys):
    train()
    show_stage("figures")
    bar.clear()
    assert capsys.readouterr() == ("", "latentmap: dense: 2 epochs in 3 s, validation loss 0.125 in the last\n")


def test_a_loss_that_is_no_error_is_not_called_one(capsys):
    train(1, "dense with 4 numbers", "neighbors")
    bar.clear()
    line = "latentmap: dense with 4 numbers: 1 epoch in 1 s, validation objective (neighbors) 0.25 in the last\n"
    assert capsys.readouterr() == ("", line)


def test_a_table_is_aligned_and_plain_and_as_wide_as_it_must_be(capsys):
    names = ["[bold]a[/]", "\x1b[31mb", "c" * 100]
    bar.answer_table(["model", "n"], [[name, 10.0**i] for i, name in enumerate(names)] + [["d", None]])
    cells = [("model", "n"), (names[0], "1"), (r"\x1b[31mb", "10"), (names[2], "100"), ("d", "-")]
    assert capsys.readouterr().out.splitlines() == [f"{name:100}  {n:>3}" for name, n in cells]


def test_nothing_is_said_of_training_that_was_broken_off(capsys):
    (shown,) = TrainingBars(1).one("dense")
    shown.on_train_begin(TrainingPlan("dense", 5, 10, 0.1))
    shown.on_epoch_end(EpochRecord(1, 0.5, None, 0.1, 1.0))
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        shown.on_train_end()
    bar.clear()
    assert capsys.readouterr() == ("", "")
