"""Every figure draws for every kind of data, needs no window, and says what it must."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from latentmap import report as figures
from latentmap.analysis import (
    LatentGrid,
    PcaBaseline,
    SizeScores,
    Sweep,
    class_medians,
    compare_reconstructions,
    generate,
    interpolate,
    latent_grid,
    name_nearest,
)
from latentmap.report.figures.atlas import free_samples, thumbnails
from latentmap.report.figures.canvas import class_style, error_text, shorten, to_rgb, two_lines

FIGURES = [
    "training",
    "reconstructions",
    "embedding",
    "pca",
    "tsne",
    "generated",
    "interpolation",
    "latent_grid",
    "map",
]


def texts(figure):
    """Everything written on a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def test_every_figure_draws_for_every_kind_of_data(report, drawn):
    assert list(drawn) == FIGURES
    for name, figure in drawn.items():
        assert isinstance(figure, Figure)
        assert (report.folder / "figures" / f"{name}.png").stat().st_size > 1000, name


def test_figures_say_what_they_must(report, drawn):
    written = {name: texts(figure) for name, figure in drawn.items()}
    assert "best epoch" in written["training"]
    assert "epoch 3" in written["training"]
    assert all(word in written["reconstructions"] for word in ("original", "best", "median", "worst", "PCA (2)"))
    assert "perplexity" in written["tsne"]
    assert "mean little" in written["tsne"]
    assert ("pixel blend" if report.story.dataset.is_images else "plain blend") in written["interpolation"]
    labelled = report.story.dataset.test.labels is not None
    assert ("kNN accuracy" in written["pca"]) == labelled
    assert ("k-means" in written["generated"]) != labelled
    assert "/10" in written["generated"] or not labelled


@pytest.mark.parametrize("n_features", [3, 16, 17, 200])
def test_vectors_name_their_features_where_they_fit(n_features):
    X = np.random.default_rng(0).normal(size=(40, n_features)).astype(np.float32)
    features = figures.Features.of(X, tuple(f"height {i}" for i in range(n_features)))
    pca = PcaBaseline(2).fit(X)
    medians = class_medians(pca.transform(X))
    drawn = [
        figures.vector_reconstructions(compare_reconstructions({"pca": pca}, X), features),
        figures.vector_table([generate("pca", pca, medians, X, None)], features),
    ]
    for figure in drawn:
        named = sum(text.startswith("height ") for text in texts(figure).split("\n"))
        assert (named >= n_features) == (n_features <= 16)
    maps = texts(figures.feature_maps(latent_grid(pca, pca.transform(X), n_cells=4, unit=1.0), features))
    assert sum(text.startswith("height ") for text in maps.split("\n")) == min(n_features, 12)


def test_walks_between_vectors_name_the_nearest_examples():
    X = np.eye(4, dtype=np.float32) * 10 + 1
    labels = np.arange(4)
    pca = PcaBaseline(3).fit(X)
    walks = interpolate({"pca": pca}, X, np.array([[0, 2]]), n_steps=3, labels=labels, class_names=tuple("abcd"))
    named = name_nearest(walks, X, labels, tuple("abcd"), 1.0)
    assert named.nearest["pca"][0][::2] == ("a", "c")
    assert named.nearest["plain blend"][0][::2] == ("a", "c")
    written = texts(figures.vector_walks(named, figures.Features.of(X, None)))
    assert "pca: a to c" in written


def test_the_top_row_of_the_grid_is_the_highest_z2():
    pictures = np.zeros((2, 2, 4, 4, 1), dtype=np.float32)
    pictures[1, 0] = 255  # z2 high, z1 low
    grid = LatentGrid(np.array([0, 1]), np.array([0, 1]), pictures, np.zeros((2, 2), np.float32), unit=255.0)
    ax = figures.latent_grid([grid]).axes[0]
    sheet = ax.images[0].get_array()
    assert ax.images[0].origin == "upper"
    assert sheet[0, 0].tolist() == [255, 255, 255]
    assert sheet[-2, 0].tolist() == [0, 0, 0]  # below it is the white line between cells
    assert ax.get_ylim() == (0, 2)


def test_cells_far_from_codes_fade():
    distance = np.array([[0, 9], [0, 0]], dtype=np.float32)
    grid = LatentGrid(np.arange(2), np.arange(2), np.zeros((2, 2, 4, 4, 1), np.float32), distance, unit=255.0)
    sheet = figures.latent_grid([grid]).axes[0].images[0].get_array()
    assert sheet[-1, -1, 0] > 200
    assert sheet[0, 0, 0] == 0


def test_figures_draw_into_given_axes():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    codes = figures.CodeMap("mine", np.random.default_rng(0).normal(size=(100, 2)))
    assert figures.embedding(codes, ax=left) is figure
    assert figures.training({"m": [{"epoch": 1, "train_loss": 0.5}]}, ax=right) is figure
    assert len(left.collections) == 1


def test_training_without_validation_or_history():
    assert "best" not in texts(figures.training({"m": [{"epoch": 1, "train_loss": 0.5}]})).replace("best epoch", "")
    assert "no training history" in texts(figures.training({"pca": []}))


def test_the_best_epoch_is_ringed():
    rows = [{"epoch": e, "train_loss": 1.0 / e, "valid_loss": v} for e, v in ((1, 0.9), (2, 0.4), (3, 0.6))]
    (ax,) = figures.training({"m": rows}).axes
    rings = [line for line in ax.lines if line.get_marker() == "o"]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [(2.0, 0.4)]


def test_points_shrink_as_they_grow_many():
    def size(n):
        codes = figures.CodeMap("m", np.random.default_rng(0).normal(size=(n, 2)))
        return figures.embedding(codes).axes[0].collections[0].get_sizes()[0]

    assert size(100) > 5 * size(10_000)


def test_classes_beyond_ten_differ_in_shape():
    styles = [class_style(index) for index in range(40)]
    assert len(set(styles)) == 40
    assert len({colour for colour, _ in styles}) == 10


def test_images_of_any_kind_become_colours():
    assert to_rgb(np.full((2, 30, 30, 1), 128, np.uint8), 255).shape == (2, 30, 30, 3)
    assert to_rgb(np.full((2, 300, 200, 4), 0.5), 1.0).shape[1] <= 96
    assert to_rgb(np.array([-5.0, 300.0]).reshape(1, 1, 2, 1), 255).max() == 1
    with pytest.raises(ValueError, match="draws images, got samples of shape"):
        to_rgb(np.zeros((5, 8)), 1.0)


def test_words_are_cut_to_fit():
    assert shorten("Ankle boot", 6) == "Ankle…"
    assert two_lines("a rather long name of a class", 10) == "a rather\nlong name…"
    assert [error_text(value) for value in (0.02871, 0.000534, 8.3e-7, 0)] == ["0.0287", "0.00053", "8.3e-7", "0.0000"]


def test_thumbnails_do_not_overlap_and_fill_the_map():
    Z = np.random.default_rng(0).normal(size=(3000, 2))
    chosen = free_samples(Z, 0.2)
    gaps = np.abs(Z[chosen][:, None] - Z[chosen][None]).max(-1) + 9 * np.eye(len(chosen))
    assert gaps.min() >= 0.2
    others = np.abs(Z[:, None] - Z[chosen][None]).max(-1).min(1)
    assert others.max() < 0.2  # no other has room
    assert (chosen == free_samples(Z, 0.2)).all()
    assert len(free_samples(np.zeros((5, 2)), 1.0)) == 1


def test_drawings_on_a_plain_ground_are_cut_out_and_photographs_framed():
    drawing = np.zeros((2, 20, 20, 1), np.uint8)
    drawing[:, 8:12, 8:12] = 255
    for images in (drawing, 255 - drawing):
        tiles = thumbnails(images, 255.0, np.array([0, 1]))
        assert tiles[0, 0, 0, 3] == 0
        assert tiles[0, tiles.shape[1] // 2, tiles.shape[2] // 2, 3] == 1
        assert not np.allclose(tiles[0, 12, 12, :3], tiles[1, 12, 12, :3])  # each in the colour of its class
    photograph = np.random.default_rng(0).integers(0, 255, size=(2, 30, 30, 3), dtype=np.uint8)
    tiles = thumbnails(photograph, 255.0, None)
    assert (tiles[..., 3] == 1).all()
    assert np.ptp(tiles[0, 0, :, 0]) == 0
    np.testing.assert_allclose(tiles[0, 15, 15, :3], photograph[0, 15, 15] / 255, atol=1e-6)


def test_maps_stand_side_by_side_with_their_scores():
    Z = np.random.default_rng(0).normal(size=(50, 2))
    labels = np.arange(50) % 3
    codes = [figures.CodeMap(name, Z, labels, None, 0.9, 0.8) for name in ("ours", "theirs", "pca")]
    figure = figures.side_by_side(codes)
    assert len(figure.axes) == 3
    assert texts(figure).count("kNN accuracy 90.0%\ntrustworthiness 0.800") == 3
    assert len(figures.side_by_side(codes[:1]).axes) == 1


@pytest.mark.parametrize("n", [1, 2, 10, 64])
def test_samples_are_drawn_on_a_sheet(n):
    figure = figures.sample_sheet(np.random.default_rng(0).random((n, 9, 7, 1)), 1.0, detail="from the prior")
    assert f"{n} new sample" in texts(figure)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_sweep_is_drawn_with_its_recommendation(labelled):
    rows = tuple(SizeScores(size, 1 / size, 0.9 if labelled else None, 0.5, None) for size in (2, 4, 8))
    figure = figures.sweep(Sweep("dense", rows, rows[:2], 4, "because"))
    assert len(figure.axes) == 1 + labelled
    assert "recommended: 4" in texts(figure)


def test_losses_of_another_kind_have_a_scale_of_their_own():
    rows = [{"epoch": e, "train_loss": 1.0 / e, "valid_loss": 1.0 / e} for e in (1, 2, 3)]
    other = [{"epoch": e, "train_loss": -e, "valid_loss": None} for e in (1, 2)]
    first, second = figures.training({"dense": rows}, others={"map": other}).axes
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    assert second.get_ylim()[0] < -2
