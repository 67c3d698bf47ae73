"""How the documentation is built: `make docs`, with Sphinx and its own parts; warnings are errors."""

import re
import subprocess
import sys
from pathlib import Path

import latentmap

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import pictures

project, author, copyright = "Latentmap", "The Latentmap developers", "The Latentmap developers"  # noqa: A001
release = version = latentmap.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["templates"]
exclude_patterns = ["_build", "examples", "images", "templates"]
html_theme = "pydata_sphinx_theme"
html_title = "Latentmap"
html_theme_options = {
    "github_url": "https://github.com/latentmap/latentmap",
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {page: [] for page in ("getting_started", "which", "results", "faq", "changelog", "generated/cli")}
html_show_sourcelink = False
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
suppress_warnings = ["config.cache"]  # the scraper below is a class

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc says what parameters are
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "image_scrapers": ("matplotlib", pictures.FigureScraper()),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"latentmap\.report\.figures|matplotlib|Picture|Figure",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "default_thumb_file": str(HERE / "images" / "mnist-map.png"),
    "remove_config_comments": True,
    "show_signature": False,
    "abort_on_example_error": True,
    "plot_gallery": "True",
    "min_reported_time": 5,
}


def generate():
    """Write what is made of the package itself: pictures, the list of commands, the list of public names."""
    made = HERE / "generated"
    made.mkdir(exist_ok=True)
    pictures.draw(made)
    done = subprocess.run(
        [sys.executable, "-m", "typer", "latentmap.cli.app", "utils", "docs", "--name", "latentmap"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    commands = done.stdout.replace("# `latentmap`", "# Commands", 1).replace("```console", "```text")
    (made / "cli.md").write_text(commands, encoding="utf-8")
    (made / "api.rst").write_text(api(), encoding="utf-8")


MODULES = {
    "latentmap": "What most people need: the estimator, data, the page to touch.",
    "latentmap.plot": "One line a picture.",
    "latentmap.data": "What comes in.",
    "latentmap.models": "What is learned: the architectures.",
    "latentmap.training": "How it is learned: objectives, callbacks, the loop.",
    "latentmap.analysis": "What was learned: arrays in, frozen results out. Any model with `transform` and "
    "`inverse_transform` will do.",
    "latentmap.distributed": "Work shared by a Ray cluster.",
    "latentmap.report": "How it is shown: figures, and the page.",
}


def api():
    """The page of the API reference: every public name, from the modules' own lists."""
    import importlib

    text = "API reference\n=============\n\n"
    for module, about in MODULES.items():
        names = [name for name in importlib.import_module(module).__all__ if not name.startswith("__")]
        names = [name for name in names if f"{module}.{name}" not in MODULES]
        if module != "latentmap":  # what is there already
            names = [name for name in names if name not in latentmap.__all__]
        code = about.replace("`", "``")
        text += f"{module}\n{'-' * len(module)}\n\n{code}\n\n.. currentmodule:: {module}\n\n"
        text += ".. autosummary::\n   :toctree: api\n\n" + "".join(f"   {name}\n" for name in names) + "\n"
    return text


def escape(app, what, name, obj, options, lines):
    """``(n, *sample_shape)`` is a shape and no emphasis, ``latent_dim_`` a name and no link."""
    for i, line in enumerate(lines):
        parts = line.split("``")  # every other one is code
        parts[::2] = [re.sub(r"(\w)_([),])", r"\1\\_\2", part.replace("(n, *", r"(n, \*")) for part in parts[::2]]
        lines[i] = "``".join(parts)


def skip(app, what, name, obj, would_skip, options):
    """Leave out what scikit-learn gives every estimator."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Hook in before numpydoc reads."""
    app.connect("autodoc-process-docstring", escape, priority=1)
    app.connect("autodoc-skip-member", skip)


generate()  # now: what is written later would be found too late
