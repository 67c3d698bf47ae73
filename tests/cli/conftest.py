from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from latentmap.cli.app import main
from latentmap.data.builtin import load_digits_dataset


@dataclass
class Outcome:
    """What a command came to."""

    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def latentmap(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LATENTMAP_DATA", raising=False)
    monkeypatch.setattr("latentmap.data.cache.cache_root", lambda: tmp_path / "no-cache")
    monkeypatch.setattr("latentmap.cli.bar._FIRST", 3600.0)  # a busy machine says no more than an idle one
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # `main` puts its own in place

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Outcome(exit_.value.code, out, err)

    return run


@pytest.fixture
def in_a_process(tmp_path: Path) -> Run:
    """Run a command as people do."""

    def run(*arguments: object) -> Outcome:
        script = Path(sys.executable).with_name("latentmap")
        done = subprocess.run(
            [script, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, as ``latentmap fit digits --size 8 --epochs 3`` writes it."""
    from latentmap import Autoencoder

    folder = tmp_path_factory.mktemp("cli") / "model"
    dataset = load_digits_dataset()
    ae = Autoencoder(epochs=3, random_state=0).fit(dataset.train.images)
    reading = {"height": 8, "width": 8, "channels": 1, "fit": "crop"}
    ae.save(folder, metadata={"dataset": "digits", "class_names": dataset.class_names, "reading": reading})
    return folder
