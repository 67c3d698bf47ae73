"""Every command that README.md and docs/*.md show runs, in the order it stands there, and writes what it says."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentmap import Autoencoder, load_dataset
from latentmap.report import ModelSpec, build
from tests.report.conftest import blank

ROOT = Path(__file__).parents[2]
STAND_INS = {"SOURCE": "digits", "MODEL": "a-model", "DATA": "data", "DIR": "here"}
# Told of elsewhere: test_resume, test_frame, and tests/distributed.
NOT_HERE = re.compile(r"--resume|COMMAND|--install-completion|--workers|s3://")


def commands(path):
    """The lines of blocks of text that begin with ``latentmap``, without their comments."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    shown = [block for language, block in blocks if language in ("", "text")]
    lines = [line.strip().removeprefix("$ ") for block in shown for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("latentmap ")]


PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if commands(path)]


def stand_ins(words):
    """The command with what it is given in place of what stands for it, one folder each."""
    return [STAND_INS.get(word, word) for word in words]


@pytest.fixture
def place(latentmap, tmp_path, monkeypatch):
    """A folder with what the commands speak of: photographs, a table, a trained model; mnist is a few digits."""
    monkeypatch.setattr("latentmap.training.plan.auto_epochs", lambda *_, **_kind: 1)
    monkeypatch.setattr(build, "FIGURES", blank([one for one in build.FIGURES if not (one.is_slow or one.is_of_data)]))
    one = [ModelSpec("dense", {"model": "dense", "latent_dim": 2, "epochs": 1}, "")]
    monkeypatch.setattr("latentmap.report.default_specs", lambda *_, **__: one)
    small = load_dataset("digits", size=8).limit(60)
    read = load_dataset

    def few(source, **options):
        return small if source in ("mnist", "digits") else read(source, **{**options, "limit": 60})

    monkeypatch.setattr("latentmap.data.load_dataset", few)
    for name in ("photos", "patches", "other-photos"):
        for kind in ("china", "flower"):
            (tmp_path / name / kind).mkdir(parents=True)
            for i in range(15):
                pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / kind / f"{i}.png")
    rows = [f"{i * i % 7},{i**3 % 11},{i * 5 % 13},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "table.csv").write_text("\n".join(["x,y,z,kind", *rows]))
    Autoencoder("dense", 2, epochs=1, random_state=0).fit(small.train.X).save(tmp_path / "a-model")
    return tmp_path


def test_there_are_commands_to_run():
    assert len(commands(ROOT / "README.md")) > 20
    assert len(PAGES) > 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_says(page, latentmap, place):
    for words in commands(page):
        if NOT_HERE.search(" ".join(words)):
            continue
        done = latentmap(*stand_ins(words)[1:])
        assert done.status == 0, (words, done.err)
        for name in re.findall(r"-o (\S+)", " ".join(stand_ins(words))):
            assert (place / name).exists(), words
        if words[1] == "report" and "-o" not in words:
            name = Path(stand_ins(words)[2]).stem
            assert (place / "runs" / name / "report.html").is_file(), words
            shutil.rmtree(place / "runs" / name)  # the next page of the same data is another
