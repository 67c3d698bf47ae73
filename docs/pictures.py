"""The pictures of the documentation: those of the first pages, and those that examples end a block with."""

from pathlib import Path

from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sphinx_gallery.scrapers import figure_rst

from latentmap import Autoencoder, load_dataset, plot


def draw(folder: Path) -> None:
    """Write them; some seconds."""
    digits = load_dataset("digits")
    flat = digits.train.images.reshape(len(digits.train), -1)
    plain = Autoencoder("dense", 2, random_state=0).fit(digits.train.images)
    mapped = Autoencoder("dense", 2, objective="neighbors", random_state=0).fit(digits.train.images)
    named = {"autoencoder (2)": plain, "PCA (2)": PCA(2).fit(flat)}
    drawn = {
        "network": plot.network({"autoencoder (2)": plain}),
        "reconstructions": plot.reconstructions(named, digits),
        "compare": plot.compare(named, digits),
        "latent_grid": plot.latent_grid({"autoencoder (2)": plain}, digits, n_cells=16),
        "growth": plot.growth(digits),
        "map": plot.map({"map (2)": mapped}, digits),
        "interpolation": plot.interpolation({"autoencoder (2)": plain}, digits, pairs=[(0, 1), (3, 7)]),
    }
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110)


class FigureScraper:
    """Saves the figure that is the last expression of a block: ours belong to no window that pyplot would know."""

    def __repr__(self):
        return "FigureScraper"

    def __call__(self, block, block_vars, gallery_conf):
        names = block_vars["example_globals"]
        figure = names.get("___")  # the last expression, of this block or of one before
        if not isinstance(figure, Figure) or figure is names.get("__drawn"):
            return ""
        names["__drawn"] = figure
        path = next(block_vars["image_path_iterator"])
        figure.savefig(path, dpi=110)
        return figure_rst([path], gallery_conf["src_dir"])
