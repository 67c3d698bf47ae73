"""What the package promises to those who import it."""

import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from importlib.metadata import version
from types import FunctionType

import pytest

import latentmap
from latentmap import errors

MODULES = ["latentmap", *(m.name for m in pkgutil.walk_packages(latentmap.__path__, "latentmap."))]


def in_a_new_process(script, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, **environment},
    )  # fmt: skip
    return json.loads(done.stdout)


def by_kind(name):
    """The order of ruff's RUF022: CONSTANTS, then Classes, then functions."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_every_name_in_it_is_there(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what belongs in it"
    names = getattr(module, "__all__", [])
    assert names == sorted(names, key=by_kind)
    assert len(names) == len(set(names))
    for public in names:
        assert hasattr(module, public), public


def test_the_public_names_are_these():
    assert latentmap.__all__ == [
        "Autoencoder",
        "Dataset",
        "LatentmapError",
        "__version__",
        "distributed",
        "explore",
        "load_dataset",
        "plot",
    ]
    assert dir(latentmap) == latentmap.__all__


def test_every_public_class_and_function_is_documented():
    for package in ("latentmap", "latentmap.data", "latentmap.models", "latentmap.training"):
        module = importlib.import_module(package)
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                assert thing.__doc__, f"{package}.{name}"
                for attribute in vars(thing) if isinstance(thing, type) else ():
                    if not attribute.startswith("_") and callable(getattr(thing, attribute)):
                        assert getattr(thing, attribute).__doc__, f"{package}.{name}.{attribute}"


def public_things():
    """Every public class and function by its name, and the methods of the estimator."""
    packages = ("", ".analysis", ".data", ".models", ".plot", ".report", ".training")
    for package in ("latentmap" + name for name in packages):
        module = importlib.import_module(package)
        yield from ((f"{package}.{name}", getattr(module, name)) for name in module.__all__)
    for name, thing in vars(latentmap.Autoencoder).items():
        if not name.startswith("_") and isinstance(thing, FunctionType | classmethod):  # none of scikit-learn's
            yield f"latentmap.Autoencoder.{name}", getattr(latentmap.Autoencoder, name)


def has_example(thing):
    _, heading, example = (inspect.getdoc(thing) or "").partition("\n\nExamples\n--------\n")
    return bool(heading) and ">>> " in example


def test_every_public_class_function_and_method_has_an_example():
    things = {name: thing for name, thing in public_things() if callable(thing)}
    assert {"latentmap.explore", "latentmap.plot.map", "latentmap.Autoencoder.load"} <= set(things)
    assert {name for name, thing in things.items() if not has_example(thing)} == set()


def test_the_version_is_that_of_the_installed_package():
    assert latentmap.__version__ == version("latentmap")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'latentmap' has no attribute 'Autoencodr'"):
        latentmap.Autoencodr  # noqa: B018


def test_importing_the_package_and_its_errors_is_light():
    script = (
        "import sys; before = set(sys.modules); import latentmap, latentmap.errors; new = set(sys.modules) - before;"
        "import json; print(json.dumps(sorted(new)))"
    )
    imported = in_a_new_process(script)
    assert not {"torch", "numpy", "sklearn", "matplotlib"} & set(imported)
    assert len(imported) < 60


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_threads_that_wait_give_up_soon_unless_the_user_says_otherwise(monkeypatch, given, wanted):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    script = "import json, os, latentmap; print(json.dumps(os.environ.get('GOMP_SPINCOUNT')))"
    assert in_a_new_process(script, **given) == wanted


def test_the_estimator_imports_no_matplotlib_no_openTSNE_and_no_extras():  # noqa: N802
    script = (
        "import json, sys; from latentmap import Autoencoder;"
        "heavy = ('matplotlib', 'openTSNE', 'onnx', 'onnxruntime', 'polars', 'typer', 'pooch');"
        "print(json.dumps([m for m in heavy if m in sys.modules]))"
    )
    assert in_a_new_process(script) == []


def test_every_error_is_one_of_latentmap():
    for thing in vars(errors).values():
        assert not isinstance(thing, type) or issubclass(thing, latentmap.LatentmapError)
    assert issubclass(errors.MissingExtraError, ImportError)
    both_ways = "Parquet needs pyarrow. Install it with: pip install 'latentmap[parquet]', or in a checkout of the "
    assert str(errors.MissingExtraError.of("Parquet", "pyarrow", "parquet")).startswith(both_ways)
