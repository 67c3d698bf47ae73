"""``map``: the map to print, with small pictures of samples where there is room for them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import CodeMedians
from latentmap.errors import count
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import axes_or_new, title, to_rgb
from latentmap.report.figures.letters import choose_fonts, plain
from latentmap.report.figures.points import CodeMap, legend, mark_medians, scatter
from latentmap.report.figures.style import WIDTH
from latentmap.report.measured import Measured
from latentmap.training import OBJECTIVES

_ACROSS = 44  # thumbnails that would fit beside each other
_COLOUR_ACROSS = 26  # photographs say nothing at the size at which a digit does
_GAP = 1.12  # of a thumbnail's side between the middles of two
_MOSTLY = 0.6  # of the pixels along the edges must be ground
_PLAIN = 0.08  # how far from black or white a background may be for what is drawn on it to be cut out


def thumbnail_map(
    codes: CodeMap,
    images: NDArray[Any] | None = None,
    *,
    medians: CodeMedians | None = None,
    of_training: bool = False,
    unit: float = 255.0,
    seed: int = 0,
    ax: Axes | None = None,
) -> Figure:
    """Draw a large map of codes with thumbnails of samples at their places, as many as fit without overlapping.

    Parameters
    ----------
    codes : CodeMap
        What to draw.
    images : ndarray, shape (n, height, width, channels), optional
        The samples of these codes; without them there are points only.
    medians : CodeMedians, optional
        Medians to name.
    of_training : bool, default False
        Whether these are of other codes, those of the training split, and the picture is to say so.
    unit : float, default 255
        Full brightness.
    seed : int, default 0
        Decides which samples are asked first whether there is room.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Figure
        Points and thumbnails at equal aspect. Grey drawings on a plain ground are cut out and take the colour of
        their class; other images get a frame of it.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline
    >>> from latentmap.report import CodeMap, thumbnail_map
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> codes = CodeMap("PCA", pca.transform(digits.test.images), digits.test.labels)
    >>> thumbnail_map(codes, digits.test.images).axes[0].get_title(loc="left")
    'The map: PCA'
    """
    seen = codes.Z[codes.is_seen]
    spans = np.maximum(np.ptp(seen, axis=0), 1e-9)
    ratio = float(np.clip(spans[1] / spans[0], 0.6, 1.35))
    figure, ax = axes_or_new(ax, WIDTH * 0.92 * ratio + 0.7)
    scatter(ax, codes, alpha=0.18 if images is not None else None)
    side = 0.0  # of a thumbnail, in the units of codes
    if images is not None:
        side = float(max(np.ptp(seen, axis=0))) / (_ACROSS if images.shape[-1] < 3 else _COLOUR_ACROSS) or 1.0
        ax.set_xlim(seen[:, 0].min() - side, seen[:, 0].max() + side)
        ax.set_ylim(seen[:, 1].min() - side, seen[:, 1].max() + side)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    marks = "named: medians of the training codes" if of_training and medians is not None else ""
    detail = " · ".join(filter(None, [count(len(codes.Z), "sample"), codes.outside, codes.scores, marks]))
    title(ax, f"The map: {plain(codes.title, 50)}", detail)
    legend(ax, codes, beside=False)
    named = [] if medians is None else mark_medians(ax, medians, codes.style_of(medians.classes))
    if images is not None:
        covered = [box.get_points() * figure.dpi / 72 for box in named]
        _stick(ax, codes, images, unit, seed, side, covered)
    choose_fonts(ax)
    return figure


def _stick(
    ax: Axes, codes: CodeMap, images: NDArray[Any], unit: float, seed: int, side: float, covered: list[NDArray[Any]]
) -> None:
    """Put thumbnails on axes, as one picture, but none where there is a name or a mark."""
    low, high = codes.Z[codes.is_seen].min(axis=0), codes.Z[codes.is_seen].max(axis=0)
    free = codes.is_seen.copy()
    for box in covered:
        corners = ax.transData.inverted().transform(box)
        free &= ~((corners[0] - side / 2 < codes.Z) & (corners[1] + side / 2 > codes.Z)).all(axis=1)
    rows = np.flatnonzero(free)
    chosen = rows[free_samples(codes.Z[rows], _GAP * side, seed=seed)]
    if not len(chosen):
        return
    tiles = thumbnails(images[chosen], unit, codes.colours_of(chosen))
    height, width = tiles.shape[1:3]
    scale = max(height, width) / side  # canvas pixels per unit of code
    low, high = low - side, high + side
    canvas = np.ones((*np.ceil((high - low)[::-1] * scale).astype(int) + 1, 4), np.float32)
    canvas[..., 3] = 0
    for tile, (x, y) in zip(tiles, (codes.Z[chosen] - low) * scale, strict=True):
        top, left = int(canvas.shape[0] - y - height / 2), int(x - width / 2)
        canvas[top : top + height, left : left + width] = tile
    extent = (low[0], low[0] + canvas.shape[1] / scale, low[1], low[1] + canvas.shape[0] / scale)
    ax.imshow((canvas * 255).astype(np.uint8), extent=extent, zorder=3, interpolation_stage="rgba")


def free_samples(Z: NDArray[Any], distance: float, *, seed: int = 0) -> NDArray[np.int64]:
    """Choose, in random order, rows of `Z` (n, 2) whose squares of this side do not overlap; no other fits."""
    cells = np.floor(Z / distance).astype(np.int64)
    taken: dict[tuple[int, int], NDArray[Any]] = {}
    chosen = []
    for row in np.random.default_rng(seed).permutation(len(Z)):
        i, j = cells[row]
        near = [taken.get((i + di, j + dj)) for di in (-1, 0, 1) for dj in (-1, 0, 1)]
        if any(other is not None and np.abs(Z[row] - other).max() < distance for other in near):
            continue
        taken[i, j] = Z[row]
        chosen.append(row)
    return np.asarray(chosen, dtype=np.int64)


def thumbnails(images: NDArray[Any], unit: float, colours: NDArray[np.floating]) -> NDArray[np.float32]:
    """Images as they are stuck on a map, (n, height, width, 4): cut out in a colour, or framed in it."""
    pictures = to_rgb(images, unit)
    n, height, width, _ = pictures.shape
    colours = np.asarray(colours, np.float32)
    edge = np.concatenate([pictures[:, [0, -1]].ravel(), pictures[:, :, [0, -1]].ravel()])
    ground = float(np.median(edge))
    is_plain = np.mean(np.abs(edge - ground) <= _PLAIN) >= _MOSTLY
    if images.shape[-1] == 1 and min(ground, 1 - ground) <= _PLAIN and is_plain:
        ink = pictures[..., :1] if ground < 0.5 else 1 - pictures[..., :1]
        # A little darker than the points below, and the stronger the strokes.
        return np.concatenate([np.broadcast_to(0.8 * colours[:, None, None], pictures.shape), np.sqrt(ink)], axis=-1)
    framed = np.concatenate([pictures, np.ones((n, height, width, 1), np.float32)], axis=-1)
    rim = max(1, height // 20)
    for part in (np.s_[:, :rim], np.s_[:, -rim:], np.s_[:, :, :rim], np.s_[:, :, -rim:]):
        framed[part][..., :3] = colours[:, None, None]
    return framed


def _compute(experiment: Experiment) -> Measured | None:
    """The best map."""
    return experiment.flat[-1] if experiment.flat else None


def _draw(model: Measured, experiment: Experiment) -> Figure:
    """Its codes, with thumbnails where samples are images."""
    codes, medians, dataset = experiment.code_map(model), experiment.medians[model.name], experiment.dataset
    images, unit = (dataset.test.X, float(dataset.unit)) if dataset.is_images else (None, 1.0)
    return thumbnail_map(codes, images, medians=medians, of_training=True, unit=unit)


def _caption(model: Measured, experiment: Experiment) -> Caption:
    """Its words."""
    pictures = ", with test images at their places wherever there is room for one" * experiment.dataset.is_images
    schedule = ""
    if not getattr(model.model, "best_epoch_", True):
        schedule = f" No epoch was better than its start, which is PCA to {count(model.latent_dim, 'number')}."
    elif OBJECTIVES[model.objective].keeps_neighbors and "epochs" in model.spec.params:
        schedule = (
            f" It learned to keep neighbours together, in {count(model.history[-1]['epoch'], 'epoch')}: a short "
            f'schedule. Autoencoder(model="residual", objective="{model.objective}") takes more on its own, and gives '
            "a better map."
        )
    return Caption(
        "The map, to print",
        f"The codes of {model.title} as points, {experiment.code_map(model).colouring}{pictures}.{schedule}",
        f"Large map of the 2-D codes of {len(experiment.dataset.test):,} test {experiment.thing}s under "
        f"{model.short}.",
    )


FIGURE = ReportFigure("map", _compute, _draw, _caption)
