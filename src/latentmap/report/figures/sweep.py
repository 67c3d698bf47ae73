"""``sweep``: error and accuracy against the size of codes; no figure of reports."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from latentmap.analysis import Sweep
from latentmap.report.figures.canvas import log_scale, new_figure, rule, title, write
from latentmap.report.figures.letters import plain
from latentmap.report.figures.style import FAINT, PALETTE, TEXT


def sweep(result: Sweep) -> Figure:
    """Draw test error and kNN accuracy against the size of codes, a model beside PCA.

    Parameters
    ----------
    result : Sweep
        From `latentmap.analysis.sweep`.

    Returns
    -------
    Figure
        Two panels (one without labels), the recommended size marked.

    Examples
    --------
    >>> from latentmap import Autoencoder, analysis, load_dataset, report
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> found = analysis.sweep(digits, [1, 2, 4], lambda k: Autoencoder("linear", k, epochs=1, random_state=0))
    >>> [ax.get_title(loc="left") for ax in report.sweep(found).axes]
    ['test error', 'kNN accuracy']
    """
    named = {result.name: result.model, "PCA": result.pca}
    scored = result.model[0].knn_accuracy is not None
    figure = new_figure(4.0)
    axes = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
    panels = [("test error", "mean squared error, log scale", "test_mse")]
    panels += [("kNN accuracy", "10 nearest neighbours, test split", "knn_accuracy")] if scored else []
    for ax, (heading, what, field) in zip(axes, panels, strict=True):
        for scores, colour, style in zip(named.values(), PALETTE, ("-", (0, (4, 2))), strict=False):
            sizes = [one.latent_dim for one in scores]
            ax.plot(sizes, [getattr(one, field) for one in scores], "o", ls=style, ms=4, color=colour)
        if result.recommended is not None:
            ax.axvline(result.recommended, color=FAINT, lw=0.8, ls=":", zorder=0)
            high = field == "test_mse"  # errors fall, so there is room at the top; accuracies rise
            end, shift, va = (1, -4, "top") if high else (0, 4, "bottom")
            at, xycoords = (result.recommended, end), ("data", "axes fraction")
            text = f"recommended: {result.recommended}"
            write(ax, text, at, (3, shift), xycoords=xycoords, color=FAINT, rotation=90, va=va)
        ax.set_xscale("log", base=2)
        ax.set_xticks([one.latent_dim for one in result.model], [f"{one.latent_dim}" for one in result.model])
        ax.minorticks_off()
        ax.set_xlabel("numbers a code (latent_dim)", fontsize=TEXT)
        rule(ax)
        title(ax, heading, what)
    log_scale(axes[0])
    if scored:
        axes[1].yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g}%"))
    axes[0].legend(axes[0].lines[: len(named)], [plain(name, 24) for name in named], frameon=False, fontsize=TEXT)
    return figure
