"""Pictures that decoders draw: of median codes, along walks between codes, all over a 2-D latent space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import Generated, Interpolation, LatentGrid
from latentmap.report.figures.canvas import (
    FAINT,
    LONGEST_NAME,
    MOST_CLASSES,
    SMALL,
    TEXT,
    WARNING,
    WIDTH,
    Panel,
    Tiles,
    column_names,
    largest,
    name_columns,
    new_figure,
    plain,
    short_names,
    tile_sheet,
    title,
    to_rgb,
)

COLUMNS = 10
FAINTEST = 0.15


def generated(results: Sequence[Generated]) -> Figure:
    """Draw the picture each model decodes from the median code of each class, and say how clear it is.

    Parameters
    ----------
    results : sequence of Generated
        One per model; all labelled or none.

    Returns
    -------
    Figure
        A row per model, in bands of ten classes, of more than 20 classes 20; under each picture what it looks like to
        its 10 nearest training samples, or for k-means groups how many codes the group has.
    """
    by_class = results[0].medians.by_class
    medians = max((result.medians for result in results), key=lambda one: len(one.names))
    shown = largest(medians.counts, MOST_CLASSES)
    names, long = column_names([medians.names[group] for group in shown])
    long = long and by_class
    classes = short_names(results[0].class_names or (), LONGEST_NAME, lines=2)
    bands = [shown[start : start + COLUMNS] for start in range(0, len(shown), COLUMNS)]
    panels = []
    for band in bands:
        rows = [to_rgb(result.pictures[band[band < len(result.pictures)]], result.unit) for result in results]
        cells = np.full((len(rows), len(band), *rows[0].shape[1:]), np.nan, dtype=np.float32)
        for row, pictures in enumerate(rows):
            cells[row, : len(pictures)] = pictures
        panels.append(Panel(cells, lines=3 if long else 1, head=0.34 if long else 0.22))
    detail = "below: the commonest class among the 10 nearest training samples, and how many have it"
    if not by_class:
        detail = "no labels: the groups are k-means clusters of each model's own codes, the largest first"
    of = f"each {'class' if by_class else 'k-means group'}"
    if len(shown) < len(medians.names):
        of = f"{len(shown)} of {len(medians.names):,} {'classes' if by_class else 'k-means groups'}"
    heading = f"The median code of {of}, decoded"
    figure, tiles = tile_sheet(panels, left=1.15, heading=(heading, detail))
    for number, (band, panel) in enumerate(zip(bands, tiles, strict=True)):
        for row, result in enumerate(results):
            panel.name_row(row, result.title)
            for column, group in enumerate(band[band < len(result.pictures)]):
                write_clarity(panel, row, column, result, int(group), classes)
        name_columns(panel, names[number * COLUMNS : (number + 1) * COLUMNS], small=long)
    return figure


def write_clarity(panel: Tiles, row: int, column: int, result: Generated, group: int, classes: Sequence[str]) -> None:
    """Write under one picture what it looks like, or how large its group is."""
    if result.clarity is None or result.medians.classes is None:
        panel.write(row, column, f"n = {result.medians.counts[group]:,}", color=FAINT)
        return
    looks_like = int(result.clarity.looks_like[group])
    votes = f"{10 * result.clarity.share[group]:.0f}/10"
    if looks_like == result.medians.classes[group]:
        panel.write(row, column, f"✓ {votes}")
        return
    name = classes[looks_like] if classes else str(looks_like)
    panel.write(row, column, f"✗ {name}: {votes}" if len(name) <= 3 else f"✗ {name}\n{votes}", color=WARNING)


def interpolation(walks: Interpolation) -> Figure:
    """Draw walks from one sample to another: through each model's codes, and as a plain blend of pixels.

    Parameters
    ----------
    walks : Interpolation
        The pairs and what lies between them.

    Returns
    -------
    Figure
        For each pair a row per model and the pixel blend below them, the two ends boxed.
    """
    steps = [*walks.walks.items(), ("pixel blend", walks.blend)]
    panels = []
    for pair in range(len(walks.pairs)):
        rows = np.stack([to_rgb(images[pair], walks.unit) for _, images in steps])
        panels.append(Panel(rows, head=0.24))
    figure, tiles = tile_sheet(
        panels,
        left=1.15,
        heading=(
            "From one test sample to another",
            "decoded points of the straight line between two codes; last row: the pixels themselves, blended",
        ),
    )
    for panel, ends in zip(tiles, walks.names, strict=True):
        for row, (name, _) in enumerate(steps):
            panel.name_row(row, name)
            panel.box(row, 0)
            panel.box(row, panel.columns - 1)
        half = 5 * panel.columns  # characters that fit above half of a row
        panel.write(0, 0, plain(ends[0], half), above=True, side="left", fontsize=TEXT)
        panel.write(0, panel.columns - 1, plain(ends[1], half), above=True, side="right", fontsize=TEXT)
    return figure


def sample_sheet(images: NDArray[Any], unit: float, *, detail: str = "") -> Figure:
    """Draw new samples in rows.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, channels)
        The samples.
    unit : float
        Full brightness.
    detail : str, default=""
        Where they come from, for the second line of the title.

    Returns
    -------
    Figure
        A near-square sheet.
    """
    colours = to_rgb(images, unit)
    columns = int(np.ceil(np.sqrt(len(colours))))
    rows = -(-len(colours) // columns)
    cells = np.full((rows * columns, *colours.shape[1:]), np.nan, np.float32)
    cells[: len(colours)] = colours
    plural = "sample" if len(colours) == 1 else "samples"
    figure, _ = tile_sheet(
        [Panel(cells.reshape(rows, columns, *colours.shape[1:]))],
        left=0.1,
        heading=(f"{len(colours):,} new {plural}", plain(detail, 110) if detail else ""),
    )
    return figure


def latent_grid(grids: Sequence[LatentGrid], *, names: Sequence[str] = ()) -> Figure:
    """Draw what decoders make of codes all over the latent space, z2 upward.

    Parameters
    ----------
    grids : sequence of LatentGrid
        The grids and their pictures, one or more models.
    names : sequence of str, optional
        The models' names, for the titles.

    Returns
    -------
    Figure
        For each grid its pictures, fainter where no code is near, with z1 below and z2 on the left; beside each other,
        those of colour images one below the other, twice as large.
    """
    _, _, height, width = grids[0].pictures.shape[:4]
    in_row = 1 if grids[0].pictures.shape[4:] >= (3,) else len(grids)
    share = WIDTH / in_row - 0.6
    rows = len(grids) // in_row
    figure = new_figure(rows * (float(np.clip(share * height / width, 3.0, 11.0)) + (0.6 if in_row == 1 else 1.0)))
    axes = figure.subplots(rows, in_row, squeeze=False).flat
    for ax, grid, name in zip(axes, grids, [*names, *[""] * len(grids)], strict=False):
        _draw_grid(ax, grid, name, alone=len(grids) == 1)
    return figure


def _draw_grid(ax: Axes, grid: LatentGrid, name: str, *, alone: bool) -> None:
    """One latent space."""
    pictures = to_rgb(grid.pictures[::-1], grid.unit)  # the highest z2 becomes the top row
    rows, columns, height, width, _ = pictures.shape
    opacity = FAINTEST + (1 - FAINTEST) * grid.nearness[::-1, :, None, None, None]
    faded = pictures * opacity + (1 - opacity)
    # A white line between cells: strokes that reach the edge would otherwise run on into the next picture.
    height, width = height + 1, width + 1
    faded = np.pad(faded, ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)), constant_values=1)
    sheet = faded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    ax.imshow(
        (sheet * 255).astype(np.uint8),
        extent=(0, columns, 0, rows),
        aspect=height / width,
        interpolation_stage="rgba",
    )
    ticks = np.unique(np.linspace(0, columns - 1, 6).round().astype(int))
    ax.set_xticks(ticks + 0.5, [f"{grid.z1[tick]:.3g}" for tick in ticks], fontsize=SMALL)
    ax.set_yticks(ticks + 0.5, [f"{grid.z2[tick]:.3g}" for tick in ticks], fontsize=SMALL)
    ax.set_xlabel("z1, at quantiles of the codes", fontsize=TEXT)
    ax.set_ylabel("z2, at quantiles of the codes", fontsize=TEXT)
    ax.spines[:].set_color("#c5cad0")
    detail = "faded: no training code within a cell's width"
    heading = "The latent space, decoded" if alone else ""
    title(ax, " · ".join(filter(None, [heading, name and plain(name, 50)])), detail)
