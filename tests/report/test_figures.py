"""Every figure draws for every kind of data, needs no window, and says what it must."""

import io
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

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
)
from latentmap.data import Dataset, Split
from latentmap.report import build
from latentmap.report.figures import FIGURES
from latentmap.report.figures.canvas import log_scale, to_rgb
from latentmap.report.figures.features import fewer_features
from latentmap.report.figures.letters import error_text, plain, short_names, two_lines
from latentmap.report.figures.map import free_samples, thumbnails
from latentmap.report.figures.strangest import strangest
from latentmap.report.figures.style import FAINT, INK, PALETTE, REST, SMALL, WARNING, class_style, far_out, largest
from latentmap.training import OBJECTIVES
from tests.report.conftest import DRAWN, make_report, small_dataset


def data(X, labels=None, names=None):
    """A data set of these samples, for learning and for testing."""
    split = Split(X, labels)
    return Dataset("some", split, split, names)


def texts_apart(figure):
    """Each text that is written on a figure."""
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def texts(figure):
    """Everything written on a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


FIGURES_OF = {}  # reports, by their folders


@pytest.fixture(scope="module", params=DRAWN)
def report(request, tmp_path_factory):
    """A report of each kind of data, its figures drawn."""
    folder, drawn, png = tmp_path_factory.mktemp("reports") / "report", [], build.png

    def keep(figure, **arguments):
        drawn.append(figure)
        return png(figure, **arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "png", keep)
        patch.setattr("latentmap.report.figures.canvas.DPI", 60)  # that of every pixel takes seconds
        report = make_report(small_dataset(request.param), folder, command="latentmap report x")
    in_turn = sorted(FIGURES, key=lambda figure: figure.is_slow)  # those of the slow ones come last
    FIGURES_OF[folder] = dict(zip((figure.name for figure in in_turn), drawn, strict=True))
    return report


@pytest.fixture
def drawn(report):
    """The figures of `report`, by name."""
    return FIGURES_OF[report.folder]


def test_every_figure_draws_for_every_kind_of_data(report, drawn):
    assert set(drawn) == {figure.name for figure in FIGURES}
    for name, figure in drawn.items():
        assert isinstance(figure, Figure)
        assert (report.folder / "figures" / f"{name}.png").stat().st_size > 1000, name


def test_figures_say_what_they_must(report, drawn):
    written = {name: texts(figure).replace("Original", "original") for name, figure in drawn.items()}
    assert "epoch kept" in written["training"]
    assert "epoch 3" in written["training"]
    assert all(word in written["reconstructions"] for word in ("original", "best", "median", "worst", "PCA (2)"))
    assert "perplexity" in written["tsne"]
    assert "mean little" in written["tsne"]
    assert ("pixel blend" if report.experiment.dataset.is_images else "plain blend") in written["interpolation"]
    labelled = report.experiment.dataset.test.labels is not None
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
        figures.reconstructions(compare_reconstructions({"pca": pca}, data(X)), features),
        figures.generated([generate("pca", pca, medians, data(X))], features),
    ]
    for figure in drawn:
        named = sum(text.startswith("height ") for text in texts(figure).split("\n"))
        assert named >= min(n_features, 16)
    below = [ax for ax in drawn[0].axes if any(text.get_text() for text in ax.get_xticklabels())]
    assert len(below) == 11  # ten samples, then the worst of the one model
    for ax, most in ((below[0], 6), (drawn[1].axes[0], 8)):
        ticks = dict(zip(ax.get_xticks(), (text.get_text() for text in ax.get_xticklabels()), strict=True))
        assert len(ticks) == (n_features if n_features <= 16 else most)
        if n_features == 17:  # all are shown, of which these are named
            assert all(name == f"height {int(place)}" for place, name in ticks.items())
    grid = figures.latent_grid([latent_grid(pca, pca.transform(X), n_cells=4, unit=1.0)], features)
    maps = texts(grid)
    assert sum(text.startswith("height ") for text in maps.split("\n")) == min(n_features, 24)
    assert ("The 24 of 200 features that vary most" in maps) == (n_features > 24)
    grid.draw_without_rendering()
    maps = [ax for ax in grid.axes if ax.axison and ax.images]
    assert all(any(text.get_visible() and text.get_text() for text in ax.get_xticklabels()) for ax in maps[-4:])


def test_walks_between_vectors_name_the_nearest_examples():
    X = np.eye(4, dtype=np.float32) * 10 + 1
    labels = np.arange(4)
    pca = PcaBaseline(3).fit(X)
    named = interpolate({"pca": pca}, data(X, labels, tuple("abcd")), np.array([[0, 2]]), n_steps=3)
    assert named.nearest["pca"][0][::2] == ("a", "c")
    assert named.nearest["plain blend"][0][::2] == ("a", "c")
    written = texts(figures.interpolation(named, figures.Features.of(X, None)))
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


@pytest.mark.parametrize(("channels", "width"), [(1, 0.4), (3, 0.9)])
def test_grids_of_photographs_have_the_whole_width(channels, width):
    pictures = np.zeros((2, 2, 4, 4, channels), np.float32)
    grid = LatentGrid(np.arange(2), np.arange(2), pictures, np.zeros((2, 2), np.float32), unit=255.0)
    figure = figures.latent_grid([grid, grid])
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().width == pytest.approx(width, abs=0.05)


def test_cells_far_from_codes_fade():
    distance = np.array([[0, 9], [0, 0]], dtype=np.float32)
    grid = LatentGrid(np.arange(2), np.arange(2), np.zeros((2, 2, 4, 4, 1), np.float32), distance, unit=255.0)
    sheet = figures.latent_grid([grid]).axes[0].images[0].get_array()
    assert sheet[-1, -1, 0] > 200
    assert sheet[0, 0, 0] == 0


def test_figures_draw_into_given_axes():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    codes = figures.CodeMap("mine", np.random.default_rng(0).normal(size=(100, 2)), np.arange(100) % 2)
    assert figures.embedding(codes, ax=left) is figure
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["0", "1"]
    assert figures.training({"m": [{"epoch": 1, "train_loss": 0.5}]}, ax=right) is figure
    assert len(left.collections) == 1


def test_losses_that_are_no_errors_have_no_empty_panel_above_them():
    rows = [{"epoch": i, "train_loss": -1.5 - i, "valid_loss": -1.5 - i} for i in range(3)]
    drawn = figures.training({"a": rows, "b": rows}, objectives={"a": "neighbors", "b": "variational"})
    assert [ax.get_ylabel() for ax in drawn.axes] == ["negative evidence bound", OBJECTIVES["neighbors"].loss_name]
    assert "no training history" not in texts(drawn)
    assert drawn.axes[0].get_title(loc="left") == "Loss per epoch"


def test_of_spectra_some_of_each_stretch_are_shown():
    places, rng = np.linspace(0, 1, 300), np.random.default_rng(0)
    X = rng.gamma(2, 1, size=(200, 3)) * [1, 9, 1] @ np.exp(-(((places - [[0.2], [0.5], [0.8]]) / 0.03) ** 2))
    spectra = figures.Features.of(X, None)
    shown = spectra.most_varied(X, 30)
    assert (shown // 10).tolist() == list(range(30))  # and there the one that varies most:
    assert (shown[3], shown[15]) == (39, 150)
    assert "30 of 300, of each stretch the one that varies most" in fewer_features(spectra, shown)
    other_order = figures.Features.of(X[:, rng.permutation(300)], None)
    assert not other_order.in_order


@pytest.mark.parametrize("dpi", [50, 72, 160, "figure"])
def test_nothing_is_cut_off_at_any_resolution(dpi):
    X = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    labels = np.arange(60) % 2
    result = generate("pca", PcaBaseline(2).fit(X), class_medians(X[:, :2], labels), data(X, labels))
    written = io.BytesIO()
    figures.generated([result], figures.Features.of(X, None)).savefig(written, dpi=dpi)
    pixels = np.asarray(Image.open(written).convert("L"))
    assert pixels.min() < 100
    assert (pixels[:, [0, -1]] == 255).all()  # a text that runs on is up to the edge


def test_the_ring_is_at_the_epoch_that_was_kept():
    rows = [{"epoch": e, "train_loss": 0.5 - e / 10, "valid_loss": 0.4 - e / 10} for e in range(3)]
    for kept, said in ((None, "best 0.2000, epoch 2"), (1, "best 0.3000, epoch 1"), (0, "kept as it began: 0.4000")):
        drawn = figures.training({"a": rows}, best_epochs={} if kept is None else {"a": kept})
        assert said in texts(drawn)
        assert drawn.axes[0].lines[2].get_xdata()[0] == (2 if kept is None else kept)


def test_marks_at_the_edge_are_whole_and_those_beyond_are_left_out():
    Z = np.random.default_rng(0).uniform(size=(200, 2))
    codes = figures.CodeMap("map", Z, np.arange(200) % 2)
    medians = class_medians(Z, np.arange(200) % 2)
    edge = replace(medians, Z=np.array([[0.5, 1.0], [0.5, 1.2]]))
    (ax,) = figures.embedding(codes, medians=edge).axes
    assert ax.get_ylim()[1] > 1.22  # room for the whole mark
    many = class_medians(Z, np.arange(200) % 50)
    many.Z[0] = 0.5, 1.4  # as far from the middle as the axes are wide, and outside of them
    (ax,) = figures.embedding(figures.CodeMap("map", Z), medians=many).axes
    assert ax.get_ylim()[1] < 1.2
    assert not any(len(line.get_ydata()) and line.get_ydata()[0] == 1.4 for line in ax.lines)


def test_lines_have_every_feature_or_say_which():
    for n_features in (128, 400):
        X = np.cumsum(np.random.default_rng(0).normal(size=(40, n_features)), axis=1).astype(np.float32)
        compared = compare_reconstructions({"pca": PcaBaseline(2).fit(X)}, data(X))
        drawn = figures.reconstructions(compared, figures.Features.of(X, None))
        assert len(drawn.axes[0].lines[1].get_xdata()) == min(n_features, 300)
        assert ("300 of 400, of each stretch the one that varies most" in texts(drawn)) == (n_features == 400)


def test_training_without_validation_or_history():
    assert "best" not in texts(figures.training({"m": [{"epoch": 1, "train_loss": 0.5}]}))
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
    assert plain("Ankle boot", 6) == "Ank…ot"
    assert two_lines("a rather long name of a class", 10) == "a rather\nlong n…ass"
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
        tiles = thumbnails(images, 255.0, np.eye(3)[:2])
        assert tiles[0, 0, 0, 3] == 0
        assert tiles[0, tiles.shape[1] // 2, tiles.shape[2] // 2, 3] == 1
        assert not np.allclose(tiles[0, 12, 12, :3], tiles[1, 12, 12, :3])  # each in the colour of its class
    photograph = np.random.default_rng(0).integers(0, 255, size=(2, 30, 30, 3), dtype=np.uint8)
    tiles = thumbnails(photograph, 255.0, np.eye(3)[:2])
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
    many = figures.side_by_side(codes[:1] * 7).axes  # of legible size
    assert [ax.get_subplotspec().get_geometry()[:3] for ax in many] == [(3, 3, i) for i in range(7)]


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
    first, second = figures.training({"map": other, "dense": rows}, objectives={"map": "neighbors"}).axes
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    assert second.get_ylim()[0] < -2


HOSTILE = {
    "$x^2$": "$x^2$",
    "$$": "$$",
    "a $ sign": "a $ sign",
    r"\$": r"\$",
    r"$\frac$": r"$\frac$",
    r"\alpha_{i}^%#~": r"\alpha_{i}^%#~",
    "_private": "_private",
    "\udcff\udcfec": r"\xff\xfec",
    "two\nlines\tand tab": "two lines and tab",
    "\x00\x07\x1b[31m": r"\x00\x07\x1b[31m",
    "\u202eleft": "left",
    "\u200b": r"'\u200b'",
    "": "''",
    "   ": "'   '",
    "\U00100000\u0378": r"\U00100000\u0378",
    "e\u0301t\u00e9": "e\u0301t\u00e9",
    "\u043a\u043e\u0442": "\u043a\u043e\u0442",
    "\u0639\u0631\u0628\u064a": "\u0639\u0631\u0628\u064a",
    "<b>&amp;": "<b>&amp;",
    "word " * 60: "word word word w…word word",
    "\u4e2d\u6587": None,  # depends on the fonts of this machine: its letters, or r"\u4e2d\u6587"
    "\U0001f9ff\ufe0f": None,
}


@pytest.mark.parametrize(("name", "drawn"), HOSTILE.items(), ids=ascii)
def test_names_are_written_letter_by_letter(name, drawn):
    figure = figures.training({plain(name): []})
    text = figure.axes[0].set_title(plain(name, 27))
    figure.draw_without_rendering()  # a warning, of a glyph that is missing say, is an error here
    shown, is_formula = text._preprocess_math(text.get_text())
    assert is_formula is False
    assert "\n" not in shown
    if drawn is not None:
        assert shown == drawn
    else:
        assert shown.removesuffix("\ufe0f") in {name.removesuffix("\ufe0f"), ascii(name.removesuffix("\ufe0f"))[1:-1]}


def hostile_figures():
    """Every figure, of classes, features and models with hostile names."""
    names = tuple(HOSTILE)
    rng = np.random.default_rng(0)
    y = np.arange(3 * len(names)) % len(names)
    yield figures.training({name: [{"epoch": 1, "train_loss": 0.5, "valid_loss": 0.6}] for name in names[:5]})
    losses = {name: [{"epoch": 1, "train_loss": -1, "valid_loss": None}] for name in names[:2]}
    yield figures.training(losses, objectives=dict.fromkeys(losses, "neighbors"))
    rows = tuple(SizeScores(size, 1 / size, 0.9, 0.5, None) for size in (2, 4))
    yield figures.sweep(Sweep("$$", rows, rows, 4, "because"))
    for images in (True, False):
        y = y if images else y % 3
        X = (rng.random((len(y), 6, 5, 1)) * 255).astype(np.uint8) if images else rng.normal(size=(len(y), 16))
        features = figures.Features.of(X, names[:16]) if not images else None
        models = {name: PcaBaseline(2).fit(X) for name in names[:3]}
        pca = models[names[0]]
        Z = pca.transform(X)
        medians = class_medians(Z, y, class_names=names)
        codes = figures.CodeMap(names[1], Z, y, names)
        made = [generate(name, pca, medians, data(X, y, names)) for name in names[:2]]
        walks = interpolate(models, data(X, y, names), np.array([[0, 1], [2, 7]]), n_steps=3)
        comparison = compare_reconstructions(models, data(X, y, names))
        grid = latent_grid(pca, Z, n_cells=3, unit=1.0)
        if features is None:
            yield from (figures.reconstructions(comparison), figures.generated(made), figures.interpolation(walks))
            yield figures.latent_grid([grid], names=names[:1])
            yield figures.sample_sheet(X[:4], 255.0, detail=names[0])
            yield figures.thumbnail_map(codes, X, medians=medians)
            yield figures.side_by_side([codes, codes], medians=[medians, medians])
        else:
            yield figures.reconstructions(comparison, features)
            yield figures.generated(made, features)
            yield figures.interpolation(walks, features)
            yield figures.latent_grid([grid], features, names=names[:1])


def test_figures_are_drawn_whatever_names_say():
    for figure in hostile_figures():
        figure.draw_without_rendering()
        for text in figure.findobj(mpl.text.Text):
            assert text._preprocess_math(text.get_text())[1] is False, text


def test_letters_that_the_usual_font_lacks_are_looked_for_in_others():
    georgian = "\u10d9\u10d0\u10e2\u10d0"
    with mpl.rc_context({"font.family": "STIXGeneral"}):
        figure = figures.training({georgian: [{"epoch": 1, "train_loss": 0.5}]})
        figure.draw_without_rendering()
    (named,) = [text for text in figure.findobj(mpl.text.Text) if text.get_text().startswith(georgian)]
    assert named.get_fontfamily() == ["STIXGeneral", "DejaVu Sans"]


def test_names_are_shortened_by_what_they_share_and_stay_different():
    genus = [f"Genus_{i % 5} species number {i}" for i in range(20)]
    assert short_names(genus, 18)[7] == "Genus_2 spe…mber 7"  # and not 2…7
    korean = [f"Korean_character{i:02}" for i in range(40)]
    assert short_names(korean, 12)[:2] == ("00", "01")
    assert short_names([*korean, "Greek_character01"], 12)[-2:] == ("Korean…39", "Greek…01")
    assert short_names(["n02085620-Chihuahua", "n02112018-Pomeranian"], 12) == ("Chihuahua", "Pomeranian")
    alike = [f"{'a' * 40}{i}{'b' * 40}" for i in range(12)]
    for most, lines in ((10, 1), (8, 2)):
        short = short_names(alike, most, lines=lines)
        assert len(set(short)) == 12
        assert max(len(line) for name in short for line in name.split("\n")) <= most
        assert all(name.count("\n") < lines for name in short)
    assert short_names(["cat", "a cat that is the same"] * 2, 10)[:2] == short_names(
        ["cat", "a cat that is the same"], 10
    )
    assert short_names(["class 1", "class 2"], 12) == ("class 1", "class 2")  # they fit as they are


LONG = {
    "features": ("mean concentration of dissolved oxygen", "turbidity", "number of inhabitants within 5 km"),
    "classes": ("Iris versicolor of the Gaspe Peninsula", "Common kingfisher", "A moderately long class name"),
}


@pytest.fixture(scope="module")
def long_names():
    """Vectors of three features and three classes whose names are long, a model of them, and what is known of them."""
    rng, y = np.random.default_rng(0), np.arange(60) % 3
    X = (rng.normal(size=(3, 3))[y] * 5 + rng.normal(size=(60, 3))).astype(np.float32)
    return data(X, y, LONG["classes"]), PcaBaseline(2).fit(X), figures.Features.of(X, LONG["features"])


def test_long_names_of_few_features_and_classes_are_written_in_full(long_names):
    dataset, pca, features = long_names
    X, y = dataset.test.X, dataset.test.labels
    Z = pca.transform(X)
    medians = class_medians(Z, y, class_names=dataset.class_names)
    codes = figures.CodeMap("m", Z, y, dataset.class_names)
    comparison = compare_reconstructions({"pca": pca}, dataset)
    drawn = {
        "features": [
            figures.reconstructions(comparison, features),
            strangest(comparison, features),
            figures.generated([generate("pca", pca, medians, dataset)], features),
            figures.interpolation(interpolate({"pca": pca}, dataset, np.array([[0, 1]])), features),
            figures.latent_grid([latent_grid(pca, Z, n_cells=3, unit=1.0)], features),
        ],
        "classes": [
            figures.generated([generate("pca", pca, medians, dataset)], features),
            figures.thumbnail_map(codes, medians=medians),
            figures.side_by_side([codes, codes]),
            figures.embedding(codes, medians=medians),
        ],
    }
    for kind, some in drawn.items():
        for figure in some:
            figure.draw_without_rendering()
            written = {text.replace("\n", " ") for text in texts_apart(figure)}
            assert set(LONG[kind]) <= written, (kind, written)
    ax = Figure().add_subplot()  # of which the legend must leave something
    figures.thumbnail_map(codes, ax=ax)
    beside = [*drawn["classes"][-1].legends[0].get_texts(), *ax.get_legend().get_texts()]
    assert max(len(line) for text in beside for line in text.get_text().split("\n")) <= 20


def test_what_is_written_below_small_plots_fits_there(long_names):
    dataset, pca, features = long_names
    figure = figures.reconstructions(compare_reconstructions({"pca": pca}, dataset), features)
    figure.draw_without_rendering()
    titles = [ax.title.get_window_extent() for ax in figure.axes if ax.get_title()]
    for ax in figure.axes:
        for label in ax.get_xticklabels():
            if label.get_text():
                box = label.get_window_extent()
                assert box.y0 >= 0
                assert not any(box.overlaps(title) for title in titles)


def test_names_of_images_stay_in_their_cells():
    X = (np.random.default_rng(0).random((40, 9, 9, 1)) * 255).astype(np.uint8)
    names = tuple(f"holidays/2021/summer/IMG_2021_{chr(97 + i % 26) * 6}_{i:04}.jpeg" for i in range(40))
    split = Split(X, np.arange(40) % 3, names=names)
    dataset, pca = Dataset("photos", split, split, LONG["classes"]), PcaBaseline(2).fit(X)
    comparison = compare_reconstructions({"one": pca, "two": pca, "three": pca}, dataset)
    figure = figures.reconstructions(comparison)
    figure.draw_without_rendering()
    for ax in figure.axes:
        small = [text for text in ax.texts if text.get_fontsize() <= SMALL]
        boxes = [mpl.text.Text.get_window_extent(text) for text in small]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:i])
    below = [text.get_text() for text in figure.axes[-1].texts if text.get_color() == FAINT]
    assert len(set(below)) == 3  # each model's best, median and worst


def test_small_plots_leave_room_round_their_dots_and_for_what_the_axis_says():
    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    X[3], X[7] = [40, 0], [0, -60]
    features = figures.Features.of(X, None)
    comparison = compare_reconstructions({"pca": PcaBaseline(1).fit(X)}, data(X), rows=np.array([3, 7]))
    figure = figures.reconstructions(comparison, features, extremes=False)
    figure.draw_without_rendering()
    drawn = np.concatenate([line.get_ydata() for ax in figure.axes for line in ax.lines[1:]])
    low, high = figure.axes[0].get_ylim()
    assert min(drawn.min() - low, high - drawn.max()) > 0.07 * np.ptp(drawn)
    heading, axis = (text.get_window_extent() for text in figure.texts)
    assert not heading.overlaps(axis)
    assert axis.y0 >= 0


def luminance(colour):
    """Linear red, green and blue of a colour, and its relative luminance."""
    channels = np.asarray(mpl.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear, linear @ [0.2126729, 0.7151522, 0.0721750]


# Machado, Oliveira and Fernandes, 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# at severity 1, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(linear):
    """CIELAB of linear sRGB."""
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.clip(linear, 0, 1) @ np.transpose(matrix) / np.sum(matrix, axis=1)
    f = [np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(first, second):
    """Sharma, Wu and Dalal, 2005, "The CIEDE2000 Color-Difference Formula", equations 2 to 22."""
    chroma = (np.hypot(*first[1:]) + np.hypot(*second[1:])) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    (l1, a1, b1), (l2, a2, b2) = first * [1, stretch, 1], second * [1, stretch, 1]
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    light, c, h = (l1 + l2) / 2, (c1 + c2) / 2, h1 + turn / 2
    t = 1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h))
    t += 0.32 * np.cos(np.radians(3 * h + 6)) - 0.2 * np.cos(np.radians(4 * h - 63))
    d_l = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    d_c, d_h = (c2 - c1) / (1 + 0.045 * c), d_hue / (1 + 0.015 * c * t)
    rotation = np.sin(np.radians(60 * np.exp(-((((h % 360) - 275) / 25) ** 2))))
    return np.sqrt(d_l**2 + d_c**2 + d_h**2 - 2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * rotation * d_c * d_h)


def test_the_formula_of_distances_is_the_published_one():
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ]
    for first, second, distance in pairs:
        assert ciede2000(np.array(first), np.array(second)) == pytest.approx(distance, abs=1e-4)


@pytest.mark.parametrize("vision", VISION)
def test_any_two_colours_can_be_told_apart(vision):
    seen = [lab(np.asarray(VISION[vision]) @ luminance(colour)[0]) for colour in PALETTE]
    distances = [ciede2000(one, other) for i, one in enumerate(seen) for other in seen[:i]]
    assert min(distances) >= (24 if vision == "normal" else 13.5)  # matplotlib's petroff10: 17.3 and 11.9
    assert np.ptp([one[0] for one in seen]) > 30  # light and dark ones, for whoever prints in grey


def test_colours_stand_out_from_paper():
    def contrast(colour):
        return 1.05 / (luminance(colour)[1] + 0.05)

    assert min(map(contrast, (*PALETTE, REST))) >= 3  # WCAG 2.2, 1.4.11: what must be seen to understand a picture
    assert min(map(contrast, (INK, FAINT, WARNING))) >= 4.5  # 1.4.3: text


@pytest.mark.parametrize("report", ["20 classes", "vectors"], indirect=True)
def test_a_model_has_one_colour_in_all_figures(report, drawn):
    rings = [line for ax in drawn["training"].axes for line in ax.lines if line.get_marker() == "o"]
    assert len({ring.get_markeredgecolor() for ring in rings}) == 4
    if report.experiment.dataset.is_images:
        return
    rows = drawn["reconstructions"].axes[::5]
    assert [ax.get_ylabel() for ax in rows[:2]] == ["dense (2)", "residual (6)"]
    assert [ax.lines[2].get_color() for ax in rows[:2]] == [ring.get_markeredgecolor() for ring in rings[:2]]


def test_no_model_stands_alone_below():
    X = (np.random.default_rng(0).random((40, 6, 6, 1)) * 255).astype(np.uint8)
    pca = PcaBaseline(2).fit(X)
    figure = figures.reconstructions(compare_reconstructions({f"pca {i}": pca for i in range(6)}, data(X)))
    assert [ax.get_xlim()[1] for ax in figure.axes[-2:]] == [6, 6]


def test_text_is_written_in_ink():
    histories = {f"model {i}": [{"epoch": 1, "train_loss": 0.1 + i, "valid_loss": 0.1 + i}] for i in range(10)}
    figure = figures.training(histories, objectives=dict.fromkeys(list(histories)[5:], "neighbors"))
    figure.draw_without_rendering()
    written = {text.get_color() for text in figure.findobj(mpl.text.Text) if text.get_text().strip()}
    assert not written & set(PALETTE)


def test_the_largest_groups_are_chosen():
    assert largest(np.array([1, 9, 1, 5]), 10).tolist() == [0, 1, 2, 3]
    assert largest(np.array([1, 9, 1, 5, 3]), 3).tolist() == [1, 3, 4]
    assert largest(np.ones(101), 3).tolist() == [0, 50, 100]
    assert 70 in largest(np.where(np.arange(100) == 70, 2, 1), 20)


def many(n_classes, names=None):
    """A map and images of a number of classes, two samples each."""
    rng = np.random.default_rng(0)
    y = np.arange(max(2 * n_classes, 60)) % n_classes
    X = (rng.random((len(y), 5, 4, 1)) * 255).astype(np.uint8)
    Z = rng.normal(size=(n_classes, 2))[y] + rng.normal(0, 0.02, (len(y), 2))
    names = names or tuple(f"a class with the number {i}" for i in range(n_classes))
    return X, y, names, figures.CodeMap("m", Z, y, names), class_medians(Z, y, class_names=names)


@pytest.mark.parametrize("n_classes", [1, 2, 10, 20, 21, 100, 1000])
def test_names_on_maps_cover_neither_each_other_nor_the_frame(n_classes):
    *_, codes, medians = many(n_classes)
    figure = figures.embedding(codes, medians=medians)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    boxes = [mpl.text.Text.get_window_extent(text) for text in ax.texts if text.get_text() and text.xyann != (0, 6)]
    assert min(n_classes, 8) <= len(boxes) <= 20
    frame = ax.get_window_extent()
    for i, box in enumerate(boxes):
        assert frame.x0 - 1 <= box.x0 <= box.x1 <= frame.x1 + 1
        assert frame.y0 - 1 <= box.y0 <= box.y1 <= frame.y1 + 1
        assert not any(box.shrunk(0.98, 0.98).overlaps(other.shrunk(0.98, 0.98)) for other in boxes[:i])
    (legend,) = figure.legends
    assert len(legend.get_texts()) == (n_classes if n_classes <= 20 else 11)


def test_where_some_classes_have_a_colour_those_are_named():
    *_, codes, medians = many(100)
    (ax,) = figures.embedding(codes, medians=medians).axes
    coloured = set(codes.style_names.values()) - {"90 other classes"}
    named = {text.get_text() for text in ax.texts if text.xyann != (0, 6)}
    assert len(named) == 10
    assert {name.split()[-1] for name in named} == {name.split()[-1] for name in coloured}
    assert "10 of 100 classes coloured" in codes.colouring
    assert "coloured by class" in many(20)[3].colouring


def test_thumbnails_leave_names_free():
    X, *_, codes, medians = many(100)
    ax = figures.thumbnail_map(codes, X, medians=medians).axes[0]
    (thumbnails,) = ax.images
    opacity, (left, right, low, high) = thumbnails.get_array()[..., 3], thumbnails.get_extent()
    names = [text for text in ax.texts if text.get_text() and text.xyann != (0, 6)]
    assert names
    for text in names:
        box = mpl.text.Text.get_window_extent(text).transformed(ax.transData.inverted())
        rows = (np.array([high - box.y1, high - box.y0]) / (high - low) * len(opacity)).round().astype(int)
        columns = (np.array([box.x0 - left, box.x1 - left]) / (right - left) * opacity.shape[1]).round().astype(int)
        assert not opacity[slice(*rows.clip(0)), slice(*columns.clip(0))].any()


def test_many_classes_are_coloured_by_the_groups_their_names_tell():
    names = tuple(f"{alphabet}_character{i:02}" for alphabet in ("Korean", "Greek", "Latin") for i in range(20))
    *_, codes, medians = many(60, names)
    figure = figures.embedding(codes, medians=medians)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Greek", "Korean", "Latin"]
    assert codes.style_of(np.array([0, 19, 20, 59])).tolist() == [1, 1, 0, 2]
    others = many(60)[3]
    assert list(others.style_names.values())[-1] == "50 other classes"
    assert others.style_of(others.labels).min() == -1
    assert class_style(-1)[0] == REST


@pytest.mark.parametrize("n_classes", [1, 2, 30, 1000])
def test_pictures_of_many_classes_show_some_of_them(n_classes):
    X, y, names, _, _ = many(n_classes)
    pca = PcaBaseline(2).fit(X)
    medians = class_medians(pca.transform(X), y, class_names=names)
    made = [generate("pca", pca, medians, data(X, y, names))]
    comparison = compare_reconstructions({"pca": pca}, data(X, y, names))
    for figure in (figures.generated(made), figures.reconstructions(comparison)):
        assert figure.get_size_inches()[1] < 12
        assert ("20 of" in texts(figure)) == (n_classes > 20)
    vectors = X.reshape(len(X), -1).astype(np.float32)
    features = figures.Features.of(vectors, None)
    pca = PcaBaseline(2).fit(vectors)
    made = [generate("pca", pca, class_medians(pca.transform(vectors), y), data(vectors, y))]
    comparison = compare_reconstructions({"pca": pca}, data(vectors, y))
    for figure in (figures.generated(made, features), figures.reconstructions(comparison, features)):
        assert figure.get_size_inches()[1] < 14


def test_figures_show_themselves_in_a_notebook(monkeypatch):
    inprocess = pytest.importorskip("ipykernel.inprocess")
    monkeypatch.setattr("ipykernel.iostream.IOPubThread.start", lambda _: None)  # within a process it sends by itself
    manager = inprocess.InProcessKernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()

    def shown(code):
        client.execute(code)
        found = []
        while client.iopub_channel.msg_ready():
            message = client.get_iopub_msg(timeout=1)
            assert message["msg_type"] != "error", message["content"]
            found += [message["content"]] if message["msg_type"] in {"execute_result", "display_data"} else []
        return found

    try:
        drawn = shown("from latentmap.report import training\ntraining({'m': [{'epoch': 1, 'train_loss': 0.5}]})")
        formats = "from IPython.core.pylabtools import select_figure_formats as f; f(get_ipython(), 'png')\n"
        inline = shown(f"{formats}training({{}})")  # what %matplotlib inline does to figures
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    assert len(drawn) == len(inline) == 1
    assert set(drawn[0]["data"]) == set(inline[0]["data"]) == {"text/plain", "image/png"}
    assert drawn[0]["metadata"]["image/png"]["width"] == 800


def test_names_that_are_numbers_are_rounded_and_not_cut():
    sevenths = [str(i / 7) for i in range(1, 6)]
    assert short_names(sevenths, 8) == ("0.143", "0.286", "0.429", "0.571", "0.714")
    assert short_names(["0.1234567", "0.12345"], 8) == ("0.12346", "0.12345")
    assert short_names(["3.5", "12"], 8) == ("3.5", "12")


def test_a_log_scale_has_ticks_however_far_it_goes():
    for lowest in (1e-14, 1e-3, 0.4):
        ax = Figure().subplots()
        ax.plot([1, 2], [0.5, lowest])
        log_scale(ax)
        ax.figure.draw_without_rendering()
        low, high = ax.get_ylim()
        seen = [t.get_text() for t, at in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True) if low <= at <= high]
        assert len([text for text in seen if text]) >= 2 or lowest == 0.4


def test_a_map_with_thumbnails_shows_the_many_where_a_few_are_far_out():
    rng = np.random.default_rng(0)
    Z, images = rng.normal(size=(200, 2)), rng.random((200, 8, 8, 1)).astype(np.float32)
    Z[7] = [0, 400]
    codes = figures.CodeMap("m", Z, np.arange(200) % 2, ("a", "b"))
    figure = figures.thumbnail_map(codes, images, unit=1.0)
    assert "200 samples · 1 sample outside" in texts(figure)
    assert np.ptp(figure.axes[0].get_ylim()) < 10
    beside = figures.embedding(codes, medians=class_medians(np.where(Z > 100, 1e6, Z), np.arange(200)))
    assert np.ptp(beside.axes[0].get_ylim()) < 10


def test_what_is_far_out_is_at_most_a_hundredth():
    X = np.random.default_rng(0).normal(size=(500, 2))
    assert not far_out(X).any()
    X[3, 1] = -1e6
    assert np.argwhere(far_out(X)).tolist() == [[3, 1]]
    X[:, 0] = np.arange(500) % 100 == 0  # most are the same: which are far cannot be told
    assert not far_out(X)[:, 0].any()
    X[:20] = 1e6
    assert figures.CodeMap("m", X).outside == ""


def test_errors_are_written_with_the_digits_that_tell_them():
    assert [error_text(error) for error in (31715391488.0, 123456.0, 99999.0, 8.3e-7)] == [
        "3.2e10", "1.2e5", "99999.0000", "8.3e-7",
    ]  # fmt: skip


def test_names_of_classes_stay_different_in_every_picture():
    rng, y = np.random.default_rng(0), np.arange(90) % 3
    X = rng.normal(size=(90, 4)).astype(np.float32)  # in which no class is like itself
    names = tuple(f"Species number {i:03} of the long names that people give" for i in range(21, 24))
    pca = PcaBaseline(2).fit(X)
    medians = class_medians(pca.transform(X), y, class_names=names)
    figure = figures.generated([generate("pca", pca, medians, data(X, y, names))], figures.Features.of(X, None))
    wrong = [text for text in texts_apart(figure) if text.startswith("✗")]
    assert wrong
    assert all(any(number in text for number in ("021", "022", "023")) for text in wrong)


def test_votes_are_of_as_many_neighbours_as_there_are():
    X, y = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), np.array([0, 0, 1, 1, 2, 2])
    pca = PcaBaseline(2).fit(X)
    found = generate("pca", pca, class_medians(pca.transform(X), y), data(X, y))
    drawn = texts(figures.generated([found], figures.Features.of(X, None)))
    assert "2/6" in drawn
    assert "/10" not in drawn
    assert "the 6 nearest training samples" in drawn


def test_tables_say_what_stands_beside_them():
    X, y = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), np.arange(40) % 2
    pca, features = PcaBaseline(2).fit(X), figures.Features.of(X, None)
    pairs = np.array([[0, 1]])
    for labels, called in ((y, "class"), (None, "number")):
        walks = figures.interpolation(interpolate({"pca": pca}, data(X, labels), pairs), features)
        assert f"beside it the {called} of the training sample nearest" in texts(walks)
    for labels, said in ((y, "the 10 nearest training samples"), (None, "k-means")):
        medians = class_medians(pca.transform(X), labels)
        figure = figures.generated([generate("pca", pca, medians, data(X, labels))], features)
        assert said in texts(figure)
        figure.draw_without_rendering()
        detail = next(text for text in figure.axes[0].texts if said in text.get_text()).get_window_extent()
        assert not any(ax.get_window_extent().overlaps(detail) for ax in figure.axes)
    grid = figures.latent_grid([latent_grid(pca, pca.transform(X), n_cells=4, unit=1.0)], features)
    assert "no training code within a cell's width" in texts(grid)
