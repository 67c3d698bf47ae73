"""``network``: what each network is, layer by layer."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from latentmap.errors import LayerError, count
from latentmap.models.layers import Description, describe
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import new_figure, title
from latentmap.report.figures.letters import plain
from latentmap.report.figures.style import FAINT, INK, NEUTRAL, SMALL

_ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "silu": "SiLU", "gelu": "GELU", "sigmoid": "sigmoid"}
_ACTIVATIONS |= {"tanh": "tanh", "batch_norm": "norm"}
_CODE, _BLOCK = "#e17718", "#c9d9ea"
_MOST = 14  # blocks that can be told apart at this width; of more, those in the middle of each half are left out


@dataclass
class Block:
    """One layer with numbers of its own, and what follows it at once."""

    what: str
    shape: tuple[int, ...]  # that comes out of it: (channels, height, width) or (n,)
    n_parameters: int
    then: list[str] = field(default_factory=list)


def blocks(layers: Sequence[Mapping[str, Any]], shape: tuple[int, ...], weights: Sequence[Any]) -> list[Block]:
    """What a sample of a shape comes through, as layers that change it; of paths that are added up, the longest."""
    found: list[Block] = []
    for layer in layers:
        kind = layer["kind"]
        n = sum(int(weights[layer[name]].size) for name in ("weight", "bias") if name in layer)
        if kind == "linear":
            found.append(Block("linear", (layer["outputs"],), n))
        elif kind in ("conv2d", "conv_transpose2d"):
            size, stride = layer["kernel_size"], layer["stride"]
            pads = zip(shape[1:], size, stride, layer["padding"], strict=True)
            if kind == "conv2d":
                sides = [(side + 2 * pad - k) // s + 1 for side, k, s, pad in pads]
            else:
                more = layer["output_padding"]
                sides = [(side - 1) * s - 2 * pad + k + m for (side, k, s, pad), m in zip(pads, more, strict=True)]
            step = f" /{stride[0]}" if stride[0] > 1 else ""
            name = "conv" if kind == "conv2d" else "up-conv"
            found.append(Block(f"{name}\n{size[0]}x{size[1]}{step}", (layer["outputs"], *sides), n))
        elif kind == "add":
            paths = [blocks(path, shape, weights) for path in layer["branches"]]
            longest = max(paths, key=len)
            n_beside = sum(block.n_parameters for path in paths if path is not longest for block in path)
            if any(not path for path in paths):  # the input itself is added to it
                inside = [block.what.split("\n")[0] for block in longest]
                what = f"residual\n{len(inside)} {inside[0]}" if inside else "residual"
                found.append(
                    Block(what, longest[-1].shape if longest else shape, sum(b.n_parameters for b in longest))
                )
            else:
                found += longest
                found[-1].n_parameters += n_beside
                found[-1].then.append("+ linear path")
        elif kind in _ACTIVATIONS and found:
            found[-1].then.append(_ACTIVATIONS[kind])
            found[-1].n_parameters += n
        if kind == "unflatten":
            shape = tuple(layer["shape"])
        elif kind in ("linear", "conv2d", "conv_transpose2d", "add"):
            shape = found[-1].shape
    return found


def network(descriptions: Mapping[str, Description], n_parameters: Mapping[str, int]) -> Figure:
    """Draw the layers of networks from left to right: what comes out of each, and how many numbers each has."""
    figure = new_figure(2.1 * len(descriptions))
    axes = figure.subplots(len(descriptions), 1, squeeze=False)[:, 0]
    for ax, (name, description) in zip(axes, descriptions.items(), strict=True):
        _draw_network(ax, name, description, n_parameters[name])
    return figure


def _draw_network(ax: Axes, name: str, description: Description, n_parameters: int) -> None:
    """One network."""
    facts, weights = description.facts, description.weights
    entering = tuple(facts["tensor_shape"])
    encoder = _fewer(blocks(facts["encoder"], entering, weights))
    decoder = _fewer(blocks(facts["decoder"], (facts["latent_dim"],), weights))
    drawn = [Block("in", entering, 0), *encoder, *decoder]
    code = len(encoder)  # its place: what the encoder ends with
    most = np.log2(1 + max(prod(block.shape) for block in drawn if block))
    for x, block in enumerate(drawn):
        if block is None:
            ax.text(x, 0, "…", ha="center", va="center", color=FAINT)
            continue
        height = 0.12 + 0.88 * np.log2(1 + prod(block.shape)) / most
        box = FancyBboxPatch(
            (x - 0.3, -height / 2), 0.6, height, boxstyle="round,pad=0,rounding_size=0.05", lw=0.8,
            facecolor=_CODE if x == code else _BLOCK, edgecolor=INK if x == code else NEUTRAL,
        )  # fmt: skip
        ax.add_patch(box)
        shape = "x".join(map(str, (*block.shape[1:], block.shape[0]) if len(block.shape) == 3 else block.shape))
        style: dict[str, Any] = {"ha": "center", "fontsize": SMALL - 0.5, "linespacing": 1.1}
        ax.text(x, 0.54, "\n".join([block.what, *dict.fromkeys(block.then)]), va="bottom", color=INK, **style)
        size = f"\n{_short(block.n_parameters)}" if block.n_parameters else ""
        ax.text(x, -0.54, f"{shape}{size}", va="top", color=FAINT, **style)
    ax.plot([-0.3, len(drawn) - 0.7], [0, 0], color=FAINT, lw=0.8, zorder=0)
    ax.set_xlim(-0.6, max(len(drawn), 8) - 0.4)
    ax.set_ylim(-0.85, 1.05)
    ax.set_axis_off()
    squeezed = f"{prod(entering):,} values to {count(facts['latent_dim'], 'number')} and back"
    title(ax, plain(name, 60), f"{squeezed} · {n_parameters:,} parameters · orange: the code, the bottleneck")


def _fewer(half: list[Block]) -> list[Block | None]:
    """The blocks of an encoder or a decoder, without those in the middle where there are too many."""
    most = _MOST // 2
    return list(half) if len(half) <= most else [*half[: most // 2], None, *half[-(most - most // 2 - 1) :]]


def _short(n: int) -> str:
    """A number in four letters: 840, 66k, 1.6M."""
    return f"{n}" if n < 1000 else f"{n / 1000:.0f}k" if n < 999_500 else f"{n / 1e6:.1f}M"


def _compute(experiment: Experiment) -> dict[str, Description] | None:
    """The layers of the models that figures show, of those that have known ones."""
    found = {}
    for model in experiment.drawn:
        with suppress(LayerError):
            found[model.title] = describe(model.model)
    return found or None


def _caption(found: Mapping[str, Description], experiment: Experiment) -> Caption:
    """Its words."""
    return Caption(
        "What the networks are",
        f"Each {experiment.thing} goes from left to right: through the encoder to the code (orange), which is all "
        "that the decoder on the right is told. The taller a block, the more values leave it (their logarithm); their "
        "shape and the layer's parameters stand below. What the code has no room for is lost: that is the bottleneck, "
        "and why something has to be learned.",
        f"Diagrams of the layers of {', '.join(found)}.",
    )


def _draw(found: Mapping[str, Description], experiment: Experiment) -> Figure:
    """Their layers."""
    return network(found, {model.title: model.model.n_parameters_ for model in experiment.drawn})


FIGURE = ReportFigure("network", _compute, _draw, _caption, of_points=True)
