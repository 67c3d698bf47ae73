"""Toys of what can be added, an architecture and an objective in a report, and CONTRIBUTING.md, which shows them."""

import re
from pathlib import Path

from latentmap.models import MODELS
from latentmap.report import ModelSpec, build_report
from latentmap.training import OBJECTIVES
from tests.training.test_registering import Absolute, Shallow

HERE = Path(__file__).parent
TOYS = [
    HERE / "training" / "test_registering.py",
    HERE / "report" / "toy_figure.py",
    HERE / "data" / "test_new_format.py",
]


def test_a_report_shows_an_architecture_and_an_objective_that_it_has_not_heard_of(small, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "shallow", Shallow)
    monkeypatch.setitem(OBJECTIVES, "absolute", Absolute)
    settings = {"an architecture": {"model": "shallow"}, "an objective": {"model": "linear", "objective": "absolute"}}
    specs = [ModelSpec(name, {**params, "latent_dim": 2, "epochs": 2}, "") for name, params in settings.items()]
    report = build_report(small, tmp_path / "out", specs=specs)
    assert set(settings) < set(report.metrics["models"])
    for name in settings:
        assert name in report.page.read_text()


def test_contributing_shows_the_toys_as_they_are():
    code = "\n".join(path.read_text() for path in TOYS)
    shown = re.findall(r"```python\n(.*?)```", (HERE.parent / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert len(shown) == 4
    for block in shown:
        assert block in code
