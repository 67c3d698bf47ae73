"""The command that makes a page: the command it quotes, and going on after an interruption."""

from __future__ import annotations

import json
import shlex

import pytest
import typer

from latentmap import Autoencoder
from latentmap.cli.app import app
from latentmap.report import build
from tests.cli.conftest import Run

CHOSEN = (
    "--size 8x8 --fit pad --gray --label kind --limit 20 --objective neighbors --objective-param weight=2 "
    "--objective-param n_neighbors=5 --memory 1GB --skip-bad --seed 3 --epochs 4"
)


@pytest.fixture
def quick(monkeypatch):
    """Reports of hardly trained models with one picture."""
    monkeypatch.setattr("latentmap.training.plan._FEWEST_STEPS", 1)
    monkeypatch.setattr(build, "FIGURES", [figure for figure in build.FIGURES if figure.name == "training"])


def test_the_page_quotes_every_option_that_was_given(latentmap: Run, tmp_path, monkeypatch, small):
    quoted = []
    monkeypatch.setattr("latentmap.cli.options.read_source", lambda *_, **__: small)
    monkeypatch.setattr("latentmap.report.build_report", lambda *_, command, **__: quoted.append(command))
    words = ["report", "digits", "-o", "my page", *CHOSEN.split(), "--data-dir", str(tmp_path), "--force"]
    assert latentmap(*words).status == 0
    assert latentmap("report", "digits").status == 0
    # All but --force, which decides nothing of the result.
    assert sorted(shlex.split(quoted[0])) == sorted(["latentmap", *words[:-1]])
    assert shlex.split(quoted[1]) == ["latentmap", "report", "digits", "-o", "runs/digits"]
    options = {option.opts[0] for option in typer.main.get_command(app).commands["report"].params}
    of_tables = {"--columns", "--header", "--missing"}
    assert (
        options - set(words)
        == {"source", "--output", "--color", "--resume", "--help", "--model", "--format", "--dpi", *of_tables}
        & options
    )


@pytest.mark.usefixtures("quick")
def test_an_interrupted_report_goes_on(latentmap: Run, tmp_path, monkeypatch):
    fit, fitted = Autoencoder.fit, []

    def stop_in_second(self, *args, **kwargs):
        fitted.append(self.model)
        if len(fitted) == 2:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(Autoencoder, "fit", stop_in_second)
    words = ("report", "digits", "--size", 8, "--limit", 30, "-o", "page")
    done = latentmap(*words)
    assert done.status == 130
    assert "page.unfinished keeps what is finished: to go on, add --resume to the same command" in done.err
    assert not (tmp_path / "page").exists()
    refusal = latentmap(*words)
    assert "page.unfinished holds an interrupted run. Add --resume" in refusal.err
    assert latentmap(*words, "--resume", "--force").status == 2
    assert latentmap(*words, "--resume").status == 0
    assert fitted == ["residual", "conv", "conv", "dense", "linear"]
    assert list(json.loads((tmp_path / "page" / "metrics.json").read_text())["models"])[:4] == [
        "dense", "conv", "map", "linear",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert "finished already" in latentmap(*words, "--resume").err
    other = latentmap(*words, "--seed", "7", "--resume")
    assert other.status == 1
    assert "is finished, of another command: latentmap report" in other.err
