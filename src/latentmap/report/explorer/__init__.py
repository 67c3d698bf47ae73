"""The explorer: one page in which the latent space is touched, with the network running inside it.

What belongs here: what is put into the page (`pack`), and the page itself: its looks (``page.html.j2``,
``style.css``) and its scripts, one thing a file, which are put together as they are written.
"""

import base64
import copy
import hashlib
import html
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

import latentmap
from latentmap.analysis import TsneResult
from latentmap.analysis.transformers import encode
from latentmap.checks import check_number
from latentmap.data.dataset import NO_LABEL, Dataset, Split, choose_few
from latentmap.data.dates import are_dates
from latentmap.data.objects import as_array, frame_numbers, is_frame, names_of_fit
from latentmap.data.preprocessing import measuring_unit
from latentmap.data.tables import listed
from latentmap.errors import OutputError, printable
from latentmap.files import new_file
from latentmap.report.explorer.pack import numbers, packed_model, sheets
from latentmap.report.figures.letters import shortened
from latentmap.report.figures.style import PALETTE, REST, usual_range
from latentmap.report.given import by_title, fitted_columns, number_labels, refuse_sparse, take_values, with_test
from latentmap.training import CodeFilm

FOLDER = Path(__file__).parent
SCRIPTS = (
    "network.js",
    "data.js",
    "places.js",
    "scatter.js",
    "density.js",
    "panels.js",
    "legend.js",
    "sample.js",
    "pad.js",
    "drawn.js",
    "walk.js",
    "selection.js",
    "film.js",
    "pointer.js",
    "explorer.js",
)
_HEIGHT = 720  # pixels, in a notebook
_LONGEST_NAME = 40  # characters, of the numbers that colour
_LEGEND = 26  # of classes, in the legend
_SAME = 0.01  # of the spread of codes, which bfloat16 and other machines change a little


@dataclass(frozen=True, eq=False)
class Explorer:
    """A page in which the latent space is touched; in a notebook it shows itself.

    Parameters
    ----------
    html : str
        The page: one file that needs nothing else and makes no request.
    """

    html: str = field(repr=False)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the page, in place of a former one; `OutputError` if it can't be, or something else is there.

        With `overwrite`, any file is replaced.
        """
        if not overwrite and Path(path).is_file() and not _is_page(Path(path)):
            raise OutputError(
                f"{path} exists and holds something else than is to be written there. Choose another name."
            )
        with new_file(path) as temporary:
            temporary.write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        """The page in a frame of its own."""
        # A frame of text is cut off from the notebook: it may run its script, and nothing else.
        return (
            f'<iframe srcdoc="{html.escape(self.html, quote=True)}" sandbox="allow-scripts allow-downloads" '
            f'style="width: 100%; height: {_HEIGHT}px; border: 0" title="explorer"></iframe>'
        )


def explore(
    models: Any,
    X: Any,
    labels: NDArray[Any] | Sequence[Any] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    title: str | None = None,
    limit: int = 10_000,
    films: CodeFilm | Mapping[str, CodeFilm] | None = None,
    tsne: bool | Mapping[str, TsneResult] = True,
    facts: Mapping[str, str] | None = None,
) -> Explorer:
    """Make a page that shows the codes of samples and decodes under the cursor.

    Parameters
    ----------
    models : fitted Autoencoder or `latentmap.analysis.PcaBaseline`, or a list of these, or a mapping of names to these
        Of several, the page switches between the maps.
    X : ndarray, shape (n, *sample_shape), data frame or Dataset
        Samples as `fit` saw them: images, or vectors; of a `Dataset`, its test split, labels and names.
    labels : array-like, shape (n,), optional
        The class of each sample, or a number on a scale (floats of more than 20 kinds): it colours the map, no more.
    class_names : sequence of str, optional
        The names of classes 0, 1, ...; by default the labels themselves.
    names : sequence of str, optional
        What each sample is called.
    feature_names : sequence of str, optional
        What the numbers of a vector are called; by default as the columns of a data frame.
    title : str, default "latent space"
        What stands at the top.
    limit : int, default 10,000
        Of more samples, so many evenly spaced ones are shown, and the page says so.
    films : CodeFilm or mapping of model names to these, optional
        The codes of `X` as training went, for a slider that plays it.
    tsne : bool or mapping of model names to TsneResult, default True
        Whether codes of more than two numbers are also laid out by t-SNE, 2,000 samples in some seconds; or ready
        layouts of `X`.
    facts : mapping of str to str, optional
        What else the page shall tell of how it was made.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        If `X` and `labels` or names differ in length, `X` is empty, a label is none of `class_names`, or a film is of
        other samples or another model.
    LayerError
        If a model has layers that the page can't compute.

    Examples
    --------
    >>> import latentmap
    >>> digits = latentmap.load_dataset("digits")
    >>> ae = latentmap.Autoencoder("linear", epochs=1, random_state=0).fit(digits.train.images)
    >>> latentmap.explore(ae, digits.test.images, digits.test.labels).html[:15]
    '<!DOCTYPE html>'
    """
    check_number("limit", limit, whole=True)
    named = _networks(models)
    values: dict[str, Any] = {}
    if isinstance(X, Dataset):
        X = with_test(X)
        if labels is not None:
            raise ValueError("labels must be left out where X is a Dataset: it has its own.")
        values, labels, title = X.measured, X.test.labels, title or X.name
        class_names = X.class_names if class_names is None and labels is not None else class_names
        names = _names(X.test) if names is None else names
    X, columns = _samples(named, X)
    feature_names = columns if feature_names is None else feature_names
    n = len(X)
    if labels is not None and len(labels) != n:
        raise ValueError(f"labels must be as many as samples, got {len(labels):,} for {n:,}.")
    values = values or ({} if class_names is not None else take_values(labels))
    classes, indices = _classes(labels, class_names)
    rows = choose_few(n, indices, limit) if n > limit else np.arange(n)
    indices = None if indices is None else indices[rows]
    _check_number("names", names, n)
    first = next(iter(named.values()))
    samples = _packed_samples(X[rows], first, feature_names)
    with warnings.catch_warnings():
        if feature_names is not None:  # columns are in the order that fit saw
            warnings.filterwarnings("ignore", "X does not have valid feature names")
        packed = _packed(named, X, rows, indices, films, tsne)
    fitted = getattr(first, "_fitted", None)
    written = None if classes is None else [printable(name) for name in classes]
    data = {
        "title": printable(title or "latent space"),
        "of": n,
        "rows": numbers(rows.astype(np.int32)),
        "labels": None if indices is None else numbers(indices.astype(np.int32)),
        "classes": written,
        "short": None if written is None else shortened(written, written, _LEGEND),
        "values": _packed_values(**values, rows=rows) if values else None,
        "names": None if names is None else [printable(str(names[row])) for row in rows],
        "colours": [*PALETTE],
        "rest": REST,
        **samples,
        "one_unit": np.ndim(measuring_unit(X) if fitted is None else fitted.error_unit) == 0,
        "models": packed,
        "made": {**(facts or {}), "Latentmap": latentmap.__version__},
    }
    return Explorer(_page(data))


def _check_number(what: str, given: Sequence[Any] | None, wanted: int) -> None:
    """Refuse names of which there are too few or too many."""
    if given is not None and len(given) != wanted:
        raise ValueError(f"{what} must be {wanted:,}, one for each, got {len(given):,}.")


def _packed_samples(X: NDArray[Any], model: Any, feature_names: Sequence[str] | None) -> dict[str, Any]:
    """What the page needs of images, or of vectors."""
    if X.ndim > 2:
        images, range_ = _as_bytes(X, model)
        return {"range": range_, "images": sheets(images), "vectors": None, "features": None}
    features = [f"x{i}" for i in range(X.shape[1])] if feature_names is None else feature_names
    _check_number("feature_names", features, X.shape[1])
    vectors = numbers(X.astype(np.result_type(X.dtype, np.float32)))
    return {"range": None, "images": None, "vectors": vectors, "features": [printable(str(name)) for name in features]}


def _packed(
    named: Mapping[str, Any],
    X: NDArray[Any],
    rows: NDArray[np.intp],
    indices: NDArray[Any] | None,
    films: CodeFilm | Mapping[str, CodeFilm] | None,
    tsne: bool | Mapping[str, TsneResult],
) -> list[dict[str, Any]]:
    """What the page needs of each model and its codes."""
    filmed = dict.fromkeys(named, films) if isinstance(films, CodeFilm) else dict(films or {})
    laid_out = dict.fromkeys(named, tsne) if isinstance(tsne, bool) else dict(tsne)
    if unknown := [name for name in laid_out if name not in named]:
        raise ValueError(f"tsne must be of models that are shown, got one of {unknown[0]!r}. Name it as in models.")
    for name, film in filmed.items():
        _check_film(film, named.get(name), name, X)
    return [
        packed_model(printable(name), model, X[rows], rows, indices, filmed.get(name), laid_out.get(name, False))
        for name, model in named.items()
    ]


def _networks(models: Any) -> dict[str, Any]:
    """Models by title, none of them a pipeline, which the page can't compute."""
    named = by_title(models)
    if not named:
        raise ValueError("models must hold at least one fitted model, got none.")
    if pipelines := [name for name, model in named.items() if hasattr(model, "steps")]:
        raise ValueError(
            f"models must be networks, got a pipeline, {pipelines[0]!r}. Pass its last step and what that sees: "
            "explore(pipeline[-1], pipeline[:-1].transform(X))."
        )
    return named


def _names(test: Split) -> Sequence[str] | None:
    """What samples are called, where they have names or rows."""
    return test.names if test.names or test.rows is None else [test.called(row) for row in range(len(test))]


def _samples(named: Mapping[str, Any], given: Any) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Samples as models saw them; of vectors in columns also the names of these, which must be the same for all."""
    columns: tuple[str, ...] | None = None
    if isinstance(given, Dataset):
        columns = None if given.is_images or given.reading is None else given.reading.columns
        given = given.test.X
    elif is_frame(given):
        columns, given = frame_numbers(given, fitted_columns(named))
    refuse_sparse(given)
    X = np.asarray(as_array(given))
    if X.ndim not in (2, 3, 4) or len(X) == 0:
        raise ValueError(f"X must hold at least one image or vector, got shape {X.shape}. Pass what fit saw.")
    if columns is None:
        return X, None
    known = map(names_of_fit, named.values())
    wanted = {tuple(names) for names in known if names is not None} or {tuple(columns)}
    if len(wanted) > 1:
        raise ValueError("models must have been fitted on the same columns in the same order. Show them one by one.")
    (names,) = wanted
    if lacking := [name for name in names if name not in columns]:
        raise ValueError(f"X lacks the column(s) {listed(lacking)}, which fit saw.")
    return X[:, [columns.index(name) for name in names]], names


def _is_page(path: Path) -> bool:
    """Whether a file is a page that was written here."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="latentmap' in file.read(4096)


def _check_film(film: CodeFilm, model: Any, name: str, X: NDArray[Any]) -> None:
    """Refuse the film of something else."""
    n = len(X)
    if model is None:
        raise ValueError(f"films must be of models that are shown, got one of {name!r}. Name it as in models.")
    if film.n_of != n:
        raise ValueError(
            f"the film of {name!r} is of {film.n_of:,} samples, X has {n:,}. Pass what CodeFilm was given."
        )
    if not film.codes or film.codes[-1].shape[1] != model.latent_dim_ or not _may_end_as(film, model, X):
        raise ValueError(f"the film is not of the training of {name!r}. Fit it with callbacks=[film].")


def _may_end_as(film: CodeFilm, model: Any, X: NDArray[Any]) -> bool:
    """Whether codes were once as a model has them, each number in a unit of its own; also if that cannot be told."""
    best = getattr(model, "best_epoch_", None)
    if not best or best not in film.epochs:  # it was kept before the film began, or is no code of then
        return best is not None
    now = encode(copy.copy(model).set_params(refine=0), X[film.rows])  # codes were not refined while it learned
    *frames, Z = (codes / np.maximum(codes.std(axis=0), 1e-12) for codes in (*film.codes, now))
    return any(np.abs(codes - Z).max() <= _SAME for codes in frames)


def _classes(labels: Any, class_names: Sequence[str] | None) -> tuple[list[str] | None, NDArray[np.int64] | None]:
    """The names of classes, and the number of each sample's."""
    if labels is None:
        return None, None
    labels = np.asarray(labels)
    if class_names is not None:
        wrong = labels if labels.dtype.kind == "f" else labels[:0]
        if labels.dtype.kind in "biu":
            wrong = labels[(labels < -1) | (labels >= len(class_names))]
        if len(wrong) or labels.dtype.kind not in "biu":
            found = wrong[np.abs(wrong).argmax()] if len(wrong) else labels.dtype
            raise ValueError(
                f"labels must be numbers from 0 to {len(class_names) - 1}, or -1 for none, got {found}. "
                "Leave class_names out where labels are names."
            )
        indices, names = labels.astype(np.int64), [str(name) for name in class_names]
    else:
        indices, found = number_labels(labels, len(labels), "labels")
        names = list(found or ())
    if indices is not None and names[-1:] == [NO_LABEL]:  # it is no class: nothing disagrees with it
        names, indices = names[:-1], np.where(indices == len(names) - 1, -1, indices)
    return (None if indices is None else names), indices


def _packed_values(values: NDArray[np.floating], values_name: str, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Numbers that colour the samples shown."""
    name = values_name if len(values_name) <= _LONGEST_NAME else f"{values_name[: _LONGEST_NAME - 1]}…"
    low, high = usual_range(values)
    letters = 0  # of dates, 2021-05-09 14:30 at most, as tell samples apart
    if are_dates(values, values_name):
        letters = 4 if (values[np.isfinite(values)] % 1 == 0).all() else 10 if high - low > 0.01 else 16
    return {"name": printable(name), "range": [low, high], "dated": letters, **numbers(values[rows])}


def _as_bytes(X: NDArray[Any], model: Any) -> tuple[NDArray[np.uint8], list[float]]:
    """Images as they are shown, and the values of black and of white."""
    images = X if X.ndim == 4 else X[..., np.newaxis]
    if X.dtype == np.uint8:
        return images, [0.0, 255.0]
    preprocessing = getattr(model, "preprocessing_", None)
    low, high = (float(X.min()), float(X.max())) if preprocessing is None else preprocessing.pixel_range
    scaled = (images - low) / max(high - low, 1e-12)
    return np.asarray(np.clip(np.round(scaled * 255), 0, 255), np.uint8), [float(low), float(high)]


def _page(data: Mapping[str, Any]) -> str:
    """The page with everything in it; what it may run is named by its digest."""
    script = (
        "(() => {\n'use strict';\n" + "\n".join((FOLDER / name).read_text("utf-8") for name in SCRIPTS) + "\n})();"
    )
    style = (FOLDER / "style.css").read_text("utf-8")
    environment = Environment(
        loader=PackageLoader("latentmap.report.explorer", ""), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.j2").render(
        title=data["title"],
        script=script,
        style=style,
        script_digest=_digest(script),
        style_digest=_digest(style),
        data=re.sub("<(?=[/!])", r"\\u003c", json.dumps(data)),  # so that no name ends the element
        version=latentmap.__version__,
    )


def _digest(text: str) -> str:
    """The digest by which a policy allows a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
