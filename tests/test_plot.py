"""One line a picture: of any model, of images and vectors, of arrays, data frames and data sets."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import NMF, PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from latentmap import Autoencoder, load_dataset, plot
from latentmap.analysis import reconstruction_errors
from latentmap.data import Dataset
from latentmap.errors import DatasetError
from latentmap.report.explorer import explore
from latentmap.report.figures.style import REST

PICTURES = [name for name in plot.__all__ if name not in ("history", "network", "growth")]


def written(figure):
    """Everything written on a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def draw(name, model, *given):
    """The picture of that name; the grid takes no classes."""
    return getattr(plot, name)([model] if name == "compare" else model, *given[: 1 if name == "latent_grid" else 2])


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", size=8).limit(200)


@pytest.fixture(scope="module")
def ae(digits):
    return Autoencoder("dense", 2, epochs=3, random_state=0).fit(digits.train.X)


@pytest.fixture(scope="module")
def wine():
    return load_wine(as_frame=True, return_X_y=True)


@pytest.mark.parametrize("name", PICTURES)
def test_images_of_a_data_set(name, ae, digits):
    figure = draw(name, ae, digits)
    assert isinstance(figure, Figure)
    assert figure.shown is not None
    figure.draw_without_rendering()


KINDS = [(name, kind) for kind in ("array", "pandas") for name in PICTURES]
KINDS += [("medians", "polars"), ("map", "polars"), ("map", "no classes"), ("medians", "no classes")]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_vectors_and_tables(name, kind, wine):
    X, y = wine
    X = {"array": np.asarray(X), "polars": pl.from_pandas(X)}.get(kind, X)
    classes = None if kind == "no classes" else np.array(["red", "white", "rosé"])[y]
    ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
    figure = draw(name, ae, X, classes)
    figure.draw_without_rendering()
    if name in ("map", "medians") and classes is not None:
        assert "rosé" in written(figure)
    if name == "medians" and kind != "array":
        assert "hue" in written(figure)  # a column


@pytest.mark.parametrize("name", PICTURES)
def test_a_model_of_rows_draws_images(name):
    X, y = load_digits(return_X_y=True)
    pca = PCA(2).fit(X)
    figure = draw(name, pca, X[:300].reshape(-1, 8, 8), y[:300])
    figure.draw_without_rendering()
    if name == "reconstructions":
        shown = figure.shown
        assert shown.X.shape[1:] == (8, 8, 1)
        ours = pca.inverse_transform(pca.transform(X[shown.rows])).reshape(-1, 8, 8, 1)
        np.testing.assert_allclose(shown.models[0].X_hat * 16, ours, atol=1e-3)  # white is 16


def test_images_in_units_of_their_own_are_drawn_in_the_models():
    images = load_digits().images  # 0 to 16
    ae = Autoencoder("dense", 2, epochs=1, random_state=0).fit(images)
    part = images[images.max(axis=(1, 2)) < 16][:20]  # no white in them
    shown = plot.reconstructions(ae, part).shown
    np.testing.assert_allclose(shown.X[..., 0] * 16, part[shown.rows], atol=1e-5)
    np.testing.assert_allclose(
        shown.models[0].X_hat[..., 0] * 16, ae.inverse_transform(ae.transform(part[shown.rows]))
    )


def test_a_pipeline_and_a_model_that_wants_names(wine):
    X, y = wine
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(X)  # warns where it is given rows without names
    shown = plot.compare([pipeline, Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)], X, y).shown
    np.testing.assert_allclose(shown[0].Z, pipeline.transform(X), rtol=1e-5)
    assert [codes.title for codes in shown] == ["PCA (2)", "dense (2)"]


def test_what_is_shown_is_right(ae, digits):
    Z = ae.transform(digits.test.X)
    codes = plot.map(ae, digits).shown
    np.testing.assert_array_equal(codes.Z, Z)
    np.testing.assert_array_equal(codes.labels, digits.test.labels)
    errors = reconstruction_errors(ae, digits.test.X, unit=255.0)
    np.testing.assert_array_equal(plot.strangest(ae, digits, n=4).shown.rows, np.argsort(-errors, kind="stable")[:4])
    (compared,) = plot.compare([ae], digits).shown
    from latentmap.analysis import evaluate

    scores = evaluate(ae, digits)
    assert compared.knn_accuracy == pytest.approx(scores.knn_accuracy)
    assert compared.trustworthiness == pytest.approx(scores.trustworthiness)
    walk = plot.interpolation(ae, digits, pairs=[(3, 7)], n_steps=3).shown.walks["dense (2)"][0]
    middle = ae.inverse_transform((Z[[3]] + Z[[7]]) / 2)
    np.testing.assert_allclose(walk[1], middle[0], atol=1e-3)


def test_ready_codes_stand_in_for_a_model(ae, digits):
    Z = np.random.default_rng(0).normal(size=(len(digits.test), 2))
    codes = plot.compare({"ours": ae, "some layout": Z}, digits).shown[1]
    np.testing.assert_allclose(codes.Z, Z, rtol=1e-6)
    assert codes.knn_accuracy < 0.3
    with pytest.raises(ValueError, match="codes must be one for each of 200 samples, got 3"):
        plot.compare({"some layout": Z[:3]}, digits)


@pytest.mark.parametrize("name", ["map", "tsne", "latent_grid", "history"])
def test_panels_go_where_they_are_told(name, ae, digits):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2)
    given = [ae] if name == "history" else [ae, digits]
    assert getattr(plot, name)(*given, ax=axes[1]) is figure
    assert axes[1].has_data()
    assert not axes[0].has_data()
    plt.close(figure)


def test_losses_that_are_no_errors_stand_apart(digits):
    mapped = Autoencoder("dense", 2, objective="neighbors", epochs=2, random_state=0).fit(digits.train.X)
    plain = Autoencoder("dense", 2, epochs=2, random_state=0).fit(digits.train.X)
    both = plot.history({"plain": plain, "map": mapped})
    assert [ax.get_yscale() for ax in both.axes] == ["log", "linear"]
    assert "neighbours not told apart" in both.axes[1].get_ylabel()
    assert set(both.shown) == {"plain", "map"}
    (alone,) = plot.history(mapped).axes
    assert alone.get_yscale() == "linear"


def test_classes_of_any_type(ae, digits):
    X, labels = digits.test.X, digits.test.labels
    for y, named in (
        (pd.Series(labels.astype(str)), "7"),
        (labels.astype(float), "7"),
        (np.where(labels == 7, -1, labels), "(no label)"),
        (pd.Categorical.from_codes(labels, list("abcdefghij")), "h"),
        ([str(label) + "!" for label in labels], "7!"),
    ):
        names = plot.map(ae, X, y).shown
        assert named in names.class_names, named
        seven = -1 if named == "(no label)" else names.class_names.index(named)
        np.testing.assert_array_equal(names.labels == seven, labels == 7)


def test_growth_beats_pca_and_leaves_out_what_cannot_be(digits):
    shown = plot.growth(digits, sizes=[1, 4, 1000]).shown
    assert shown.sizes == (1, 4)
    assert shown.X_hat["dense"].shape == (2, 4, 8, 8, 1)
    assert all(ours <= 1.02 * pca for ours, pca in zip(shown.errors["dense"], shown.errors["PCA"], strict=True))


@pytest.mark.parametrize("name", ["dense", "conv", "strided", "residual", "linear"])
def test_networks_are_drawn_with_their_shapes(name):
    X = np.random.default_rng(0).random((20, 16, 16, 3), np.float32)
    ae = Autoencoder(name, None if name == "conv" else 5, epochs=1, random_state=0).fit(X)
    figure = plot.network(ae)
    text = written(figure)
    assert f"768 values to {ae.latent_dim_} numbers and back" in text
    assert f"{ae.n_parameters_:,} parameters" in text
    lines = text.split("\n")
    assert lines.count("16x16x3") == (1 if name in ("dense", "residual", "linear") else 2)


# ---- data frames, as people have them ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(60, 4))
    return pd.DataFrame(values, columns=list("abcd"))


def quick():
    return Autoencoder("dense", 2, epochs=2, random_state=0)


@pytest.mark.parametrize("model", [quick(), PCA(2)], ids=["ours", "scikit-learn's"])
@pytest.mark.filterwarnings("error")
def test_columns_are_taken_by_name(model, frame):
    model = model.fit(frame)
    others = frame.assign(other=1.0)[["other", *"dcba"]]
    np.testing.assert_allclose(plot.map(model, others).shown.Z, model.transform(frame), atol=1e-6)
    with pytest.raises(ValueError, match=r"X lacks the column\(s\) 'c', 'd', which fit saw"):
        plot.map(model, frame[["a", "b"]])
    whole = load_dataset(others, columns=[*"bcda"], test_fraction=0)
    dataset = Dataset("some", whole.train, whole.train, reading=whole.reading)
    np.testing.assert_allclose(plot.map(model, dataset).shown.Z, model.transform(frame), atol=1e-5)


def test_models_of_other_columns_stand_beside_each_other(frame):
    some, all_of_it = quick().fit(frame[["c", "a"]]), quick().fit(frame)
    for models in ([some, all_of_it], [all_of_it, some]):
        shown = {codes.Z.tobytes() for codes in plot.compare(models, frame).shown}
        assert shown == {some.transform(frame[["c", "a"]]).tobytes(), all_of_it.transform(frame).tobytes()}
    turned = quick().fit(frame[[*"dcba"]].to_numpy())  # which knows no names
    X = frame[[*"dcba"]]
    _, found = plot.compare([quick().fit(frame), turned], X).shown
    np.testing.assert_array_equal(found.Z, turned.transform(X.to_numpy()))
    with pytest.raises(DatasetError, match="more than one column 'a'"):
        plot.map(turned, X.set_axis([*"abca"], axis=1))


@pytest.mark.parametrize("kind", ["bool", "nullable", "pyarrow", "object"])
def test_columns_of_any_type_of_number_are_drawn(kind, frame):
    change = {
        "bool": lambda one: one.assign(flag=one.a > 0),
        "nullable": lambda one: one.convert_dtypes(),
        "pyarrow": lambda one: one.astype("float64[pyarrow]"),
        "object": lambda one: one.astype(object),
    }
    X = change[kind](frame)
    ae = quick().fit(X)
    np.testing.assert_array_equal(plot.map(ae, X).shown.Z, ae.transform(X))


def test_pipelines_of_images_are_drawn_whatever_they_take(digits):
    X, y = digits.test.images, digits.test.labels
    rows = X.reshape(len(X), -1)
    for pipeline, given in (
        (make_pipeline(StandardScaler(), PCA(2)).fit(rows), rows),
        (make_pipeline(FunctionTransformer(), quick()).fit(X), X),
    ):
        for drawn in (plot.map(pipeline, X, y), plot.map(pipeline, digits)):
            np.testing.assert_allclose(drawn.shown.Z, pipeline.transform(given), rtol=1e-3, atol=1e-3)


def test_one_sample_is_no_walk(digits):
    X = digits.test.images
    with pytest.raises(ValueError, match="X must be at least 2 samples, to walk from one to another, got 1"):
        plot.interpolation(quick().fit(X), X[:1])


def test_of_a_pipeline_that_takes_no_numbers_the_last_step_is_drawn(frame):
    X = frame.assign(kind=np.where(frame.a > 0, "u", "v"))
    columns = make_column_transformer((StandardScaler(), list("abcd")), (OneHotEncoder(), ["kind"]))
    pipeline = make_pipeline(columns, quick()).fit(X)
    np.testing.assert_allclose(plot.map(pipeline, X).shown.Z, pipeline.transform(X), atol=1e-6)
    assert "kind_u" in written(plot.reconstructions(pipeline, X))
    gaps = frame.mask(frame > 1.5)
    filled = make_pipeline(SimpleImputer(), quick()).fit(gaps)
    np.testing.assert_allclose(plot.compare(filled, gaps).shown[0].Z, filled.transform(gaps), atol=1e-6)
    with pytest.raises(ValueError, match="X must hold numbers, got 1 column"):
        plot.map(quick().fit(frame), X[["kind", *"abc"]].rename(columns={"kind": "d"}))
    with pytest.raises(ValueError, match="X has nan in row"):
        plot.map(quick().fit(frame), gaps)
    colours = np.random.default_rng(0).random((9, 8, 8, 3))
    colours[7, 7, 6, 2] = np.nan
    with pytest.raises(ValueError, match=r"X has nan in row 7, pixel \(7, 6\)"):
        plot.map(np.zeros((9, 2)), colours)


@pytest.mark.parametrize("offset", [0, 1e6, 1e9])
def test_what_is_drawn_is_what_the_model_sees_however_far_from_zero(offset, frame):
    X = frame + offset
    ae = quick().fit(X)
    np.testing.assert_array_equal(plot.map(ae, X).shown.Z, ae.transform(X))
    np.testing.assert_array_equal(plot.strangest(ae, X, n=5).shown.rows, np.argsort(-ae.anomaly_score(X))[:5])
    positive = abs(frame)
    for of_type in (positive, positive.to_numpy(), positive.astype(np.float32)):
        nmf = NMF(2, max_iter=2000).fit(of_type)  # which takes no other type than it was fitted on
        assert plot.map(nmf, of_type).shown.Z.shape == (60, 2)


@pytest.mark.parametrize(
    ("y", "names"),
    [([1, -1], ("-1", "1")), (["a", None], ("a", "(no label)")), ([1.0, np.nan], ("1", "(no label)"))],
)
def test_labels_are_none_where_load_dataset_says_so(y, names, frame):
    y = np.array(y * 30, object) if None in y else np.array(y * 30)
    assert plot.map(quick().fit(frame), frame, y).shown.class_names == names
    assert load_dataset(frame, labels=y).class_names == names


def test_numbers_colour_on_a_scale(frame):
    model = quick().fit(frame)
    y = pd.Series(np.linspace(0.5, 99.5, len(frame)), name="$price$")
    y[3] = np.nan
    codes = PCA(2).fit_transform(frame)
    for figure in (plot.map(model, frame, y), plot.compare([model, codes], frame, y), plot.tsne(model, frame, y)):
        *_, bar = figure.axes
        assert bar.get_xlabel() + bar.get_ylabel() == r"\$price\$"
        points = figure.axes[0].collections[0]
        colours = points.get_facecolors()[:, :3]
        assert len(colours) == len(frame)
        np.testing.assert_allclose(colours[3], to_rgb(REST))
        assert colours[0] @ [0.3, 0.6, 0.1] < colours[-1] @ [0.3, 0.6, 0.1]  # from dark to bright
        figure.draw_without_rendering()
    ax = Figure().subplots(1, 2)[0]
    assert len(plot.map(model, frame, y, ax=ax).axes) == 3
    below = ax.get_figure().axes[2].get_window_extent()
    assert below.y1 < ax.get_window_extent().y0
    # Few kinds, and whole numbers of any number of kinds, are classes.
    assert plot.map(model, frame, [None, *y[1:]]).shown.values is not None
    assert "k-means" in written(plot.medians(model, frame, y))  # no classes, as without labels
    for classes in (np.arange(len(frame)) % 3 / 2, np.arange(len(frame)), pd.Categorical(y)):
        assert plot.map(model, frame, classes).shown.labels is not None
    with pytest.raises(ValueError, match=f"one label for each of {len(frame)} samples"):
        plot.map(model, frame, np.linspace(0, 1, 25))


def test_axes_that_cannot_be_drawn_in_are_refused(ae, digits, frame):
    with pytest.raises(TypeError, match="ax must be axes of matplotlib, got list"):
        plot.map(ae, digits, ax=[1, 2])
    with pytest.raises(ValueError, match="ax must be left out for vectors"):
        plot.latent_grid(quick().fit(frame), frame, ax=Figure().subplots())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _, data: plot.map(Autoencoder("linear", 3, epochs=1).fit(data.train.X), data), "to be a map, got 3"),
        (lambda ae, data: plot.map([ae, ae], data), "model must be one model, got 2"),
        (lambda ae, data: plot.map(ae, data, data.test.labels), "y must be left out where X is a Dataset"),
        (lambda ae, data: plot.map(ae, data.test.X, [1, 2]), "y must be one label for each of 200 samples"),
        (lambda ae, _: plot.map(ae, "digits"), "X must be samples as fit saw them"),
        (lambda ae, data: plot.map(ae, data.test.X[:0]), "X must be samples as fit saw them"),
        (lambda ae, data: plot.interpolation(ae, data, pairs=[(0, 999)]), "pairs of rows from 0 to 199"),
        (lambda ae, data: plot.tsne(ae, data.test.X[:5]), "at least 8 samples"),
        (lambda _, data: plot.reconstructions({"Z": np.zeros((200, 2))}, data), "has no inverse_transform"),
        (lambda *_: plot.history(PCA()), "PCA has no history_"),
        (lambda _, data: plot.compare([], data), "models must be at least one fitted model, got none"),
        (lambda _, data: plot.growth(data, sizes=[5000]), "sizes must hold one of at most 64"),
        (lambda ae, data: plot.strangest(ae, data, n=0), "n must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, message, ae, digits):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        call(ae, digits)


def test_what_is_no_model_is_said(digits):
    with pytest.raises(TypeError, match="model must be fitted and have transform, or be codes"):
        plot.map(None, digits)


def test_it_draws_what_the_data_set_calls_test():
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    data = load_dataset(X, test_fraction=0.25)
    assert isinstance(data, Dataset)
    assert len(plot.map(PCA(2).fit(data.train.X), data).shown.Z) == 15


def test_scikit_learns_own_models_take_rows_whether_they_say_so_or_not():
    class Quiet(BaseEstimator):
        """Like UMAP: it does not say how many features it takes."""

        def transform(self, X):
            assert X.ndim == 2
            return X[:, :2]

    images = load_digits().images[:50]
    assert plot.map(Quiet(), images).shown.Z.shape == (50, 2)
    ae = Autoencoder("dense", 2, epochs=1, random_state=0).fit(images)
    inside = make_pipeline(ae)  # takes images, for its first step does
    np.testing.assert_array_equal(plot.map(inside, images).shown.Z, ae.transform(images))


def test_what_is_strange_is_what_anomaly_score_says(wine):
    X, _ = wine
    ae = Autoencoder(latent_dim=2, epochs=2, random_state=0).fit(X[:120])
    part = X[120:]  # of other spread than what fit saw
    shown = plot.strangest(ae, part, n=5).shown
    scores = ae.anomaly_score(part)
    np.testing.assert_array_equal(shown.rows, np.argsort(-scores, kind="stable")[:5])
    np.testing.assert_allclose(shown.models[0].errors, np.sort(scores)[::-1][:5], rtol=1e-4)


def test_arrow_tables_are_taken_by_name(frame):
    table = pa.Table.from_pandas(frame)
    model = quick().fit(table)
    turned = table.select(table.column_names[::-1])
    np.testing.assert_array_equal(plot.map(model, turned).shown.Z, model.transform(table))
    assert load_dataset(table).reading.columns == tuple(table.column_names)


def test_medians_of_training_codes_are_named_as_such(ae, digits):
    for given, said in (((digits,), True), ((digits.test.X, digits.test.labels), False)):
        texts = " ".join(text.get_text() for text in plot.map(ae, *given).findobj(Text))
        assert ("medians of the training codes" in texts) == said


def test_a_pipeline_that_cannot_go_back_is_drawn_by_its_last_step(frame):
    first = make_column_transformer((StandardScaler(), list(frame.columns[:2])), remainder="passthrough")
    model = make_pipeline(first, quick()).fit(frame)
    for draw in (plot.medians, plot.strangest, plot.latent_grid, plot.reconstructions, plot.map):
        draw(model, frame).draw_without_rendering()


@pytest.mark.parametrize("first", [SimpleImputer(), FunctionTransformer(np.exp)], ids=["imputer", "function"])
def test_a_pipeline_whose_inverse_fails_or_is_not_told_is_drawn_by_its_last_step(frame, first):
    model = make_pipeline(first, quick()).fit(frame)
    for draw in (plot.medians, plot.strangest, plot.latent_grid, plot.reconstructions, plot.map):
        draw(model, frame).draw_without_rendering()
    shown = plot.strangest(model, frame, n=4).shown
    assert list(shown.rows) == list(np.argsort(model.score_samples(frame), kind="stable")[:4])


def test_growth_of_three_samples_learns_from_two_and_says_that_two_are_too_few():
    X = np.random.default_rng(0).normal(size=(3, 4))
    assert plot.growth(X).shown.n_train == 2
    for n in (1, 2):
        with pytest.raises(
            ValueError, match=f"X must hold at least 3 samples, two to learn from and one to show, got {n}"
        ):
            plot.growth(X[:n])


def test_growth_of_an_array_keeps_a_part_to_measure_by():
    X = np.random.default_rng(0).normal(size=(60, 10))
    shown = plot.growth(X, sizes=[8]).shown
    assert shown.n_train == 48
    assert all((X[4::5] == x).all(axis=1).any() for x in shown.X)
    assert shown.errors["PCA"][0] > 0.1  # of what it has learned from it would be less


def test_rows_of_a_table_are_called_so_in_all_pictures():
    X = np.random.default_rng(0).normal(size=(60, 4))
    table = load_dataset(X)
    model = quick().fit(table.train.X)
    for figure in (plot.reconstructions(model, table), plot.medians(model, table), plot.growth(table, sizes=[2])):
        assert "row " in written(figure)
        assert "no. " not in written(figure)
    assert plot.interpolation(model, table, pairs=[(0, 1)]).shown.names[0][0] == f"row {table.test.rows[0]}"


def test_where_all_features_have_one_scale_the_axis_says_so(frame):
    one, each = quick().fit(frame), np.array([1, 100])
    assert "standard deviations of all features together" in written(plot.medians(one, frame))
    X = np.random.default_rng(0).normal(size=(60, 2)) * each
    assert "standard deviations from the mean" in written(plot.medians(quick().fit(X), X))


def test_new_rows_are_drawn_in_the_scale_of_fit(frame):
    model = quick().fit(frame)
    strange = frame[:20].copy()
    strange.loc[0, "b"] += 50 * frame["b"].std()
    known = model.preprocessing_
    for figure in (plot.strangest(model, strange, n=1), plot.reconstructions(model, strange[:1])):
        lines = [line.get_ydata() for ax in figure.axes for line in ax.lines if len(line.get_ydata()) == 4]
        wanted = ((strange[:1].to_numpy() - known.offset) / known.scale)[0]
        assert any(np.allclose(line, wanted, atol=1e-4) for line in lines)


def test_labels_in_an_order_of_their_own_keep_it(frame):
    sizes = pd.Categorical(["small", "large", "huge"] * 20, ["none", "small", "large", "huge"], ordered=True)
    model = quick().fit(frame)
    for y in (sizes, pd.Series(sizes)):
        shown = plot.map(model, frame, y).shown
        assert shown.class_names == ("small", "large", "huge")
        assert shown.labels[:3].tolist() == [0, 1, 2]
    dataset = load_dataset(frame.assign(size=sizes), label="size", test_fraction=0)
    assert dataset.class_names == ("small", "large", "huge")
    months = plot.map(model, frame, [str(i % 12 + 1) for i in range(60)]).shown
    assert months.class_names == tuple(map(str, range(1, 13)))


def test_many_dates_colour_on_a_scale_and_few_are_days(frame):
    model, days = quick().fit(frame), pd.Series(pd.date_range("2021-01-01", periods=60, freq="D"))
    shown = plot.map(model, frame, days).shown
    np.testing.assert_allclose(shown.values[[0, 59]], [2021, 2021 + 59 / 365.2425], atol=0.01)
    few = plot.map(model, frame, days.where(days.dt.day < 3, days[0]).dt.normalize()).shown
    assert few.class_names[:2] == ("2021-01-01", "2021-01-02")
    measured = load_dataset(frame.assign(day=days), label="day")
    assert measured.measured["values_name"] == "day"


def test_a_legend_stays_within_axes_that_are_not_ours(frame):
    figure = mpl.figure.Figure()
    ax = figure.subplots(1, 2)[0]
    plot.map(quick().fit(frame), frame, ["a long name of a class", "another"] * 30, ax=ax)
    figure.draw_without_rendering()
    inside = ax.get_window_extent()
    legend = ax.get_legend().get_window_extent()
    assert inside.x0 <= legend.x0
    assert legend.x1 <= inside.x1


def test_codes_of_very_different_ranges_are_not_drawn_as_a_line(frame):
    wide = frame.assign(a=1e5 * frame["a"])
    assert plot.compare(PCA(2).fit(wide), wide).axes[0].get_aspect() == "auto"
    assert plot.map(PCA(2).fit(frame), frame).axes[0].get_aspect() == 1.0


def test_a_figure_written_twice_is_the_same_whatever_the_users_layout(tmp_path):
    X, y = load_digits(return_X_y=True)
    figure = plot.map(PCA(2).fit(X), X[:200], y[:200])
    engine, first = figure.get_layout_engine(), tmp_path / "first.png"
    figure.savefig(first, dpi=60)
    with mpl.rc_context({"figure.constrained_layout.use": True}):
        figure.savefig(tmp_path / "second.png", dpi=60)
    assert figure.get_layout_engine() is engine
    assert (tmp_path / "second.png").read_bytes() == first.read_bytes()


@pytest.fixture
def far():
    """Vectors of which three lie far from all others, and their classes, one of which is of these three alone."""
    X = np.random.default_rng(0).normal(size=(303, 6))
    X[:3] = [[900] * 6, [-800] * 6, [500, -500] * 3]
    return X, np.array(["far"] * 3 + ["near", "by"] * 150)


@pytest.mark.parametrize("name", ["map", "compare"])
def test_a_few_samples_far_out_do_not_make_the_others_one_dot(name, far):
    X, y = far
    figure = draw(name, PCA(2).fit(X[3:]), X, y)
    figure.draw_without_rendering()
    assert "3 samples outside" in written(figure)
    ax = figure.axes[0]
    assert max(np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())) < 20
    inside = ax.get_window_extent().padded(1)
    assert all(inside.contains(*ax.transData.transform(line.get_xydata()[0])) for line in ax.lines)  # medians
    assert "outside" not in written(draw(name, PCA(2).fit(X[3:]), X[3:], y[3:]))


@pytest.mark.parametrize("kind", ["images", "vectors"])
@pytest.mark.parametrize(("n", "drawn"), [(37, 37), (120, 100)])
def test_the_strangest_are_all_drawn_and_none_in_their_place(kind, n, drawn, digits):
    X = digits.test.X if kind == "images" else digits.test.X.reshape(len(digits.test), -1)[:, :10]
    figure = plot.strangest(PCA(2).fit(X.reshape(len(X), -1)), X, n=n)
    rows = [text for text in written(figure).split("\n") if text.startswith("no. ")]
    assert rows == [f"no. {row:,}" for row in figure.shown.rows[:drawn]]
    assert ("100 " in written(figure)) == (drawn < n)


def test_growth_writes_long_names_of_classes_so_that_they_stay_different(frame):
    names = [f"Species number {i:03} of the long names that people give to them" for i in range(3)] * 20
    figure = plot.growth(frame, names, sizes=[1])
    titles = {ax.get_title(loc="left").removeprefix("dense: ") for ax in figure.axes}
    assert {title for title in titles if title.startswith("0")} == {"000", "001", "002"}


def colours_of(figure):
    """How strong the colours of its tables and maps are, from white to the darkest: the median."""
    return float(np.median([np.ptp(image.cmap(image.norm(image.get_array()))[..., :3]) if image.get_array().ndim == 2
                            else np.ptp(image.get_array()) for ax in figure.axes for image in ax.images]))  # fmt: skip


@pytest.mark.parametrize("name", ["medians", "interpolation", "latent_grid"])
def test_one_sample_far_out_does_not_make_tables_blank(name):
    X = np.random.default_rng(0).normal(size=(301, 6)) * [3, 2, 1, 1, 1, 1]
    usual, far = X[1:], np.concatenate([np.full((1, 6), 1000.0), X[1:]])
    given = {"pairs": [(1, 2), (3, 4)]} if name == "interpolation" else {}
    strong, weak = (colours_of(getattr(plot, name)(PCA(2).fit(usual), samples, **given)) for samples in (usual, far))
    assert weak > 0.7 * strong
    ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(far)  # in whose scale they would be one colour
    assert "without what is far out" in written(getattr(plot, name)(ae, far)).replace("\n", " ")
    figure = plot.strangest(PCA(2).fit(usual), far)
    assert "in red: scales of their own" in written(figure)
    assert np.ptp(figure.axes[0].get_ylim()) > 100
    assert all(np.ptp(ax.get_ylim()) < 20 for ax in figure.axes[1:])


def test_a_grid_has_one_cell_at_least_and_one_is_the_middle(ae, digits):
    with pytest.raises(ValueError, match="n_cells must be a whole number of at least 1, got 0"):
        plot.latent_grid(ae, digits, n_cells=0)
    one = plot.latent_grid(ae, digits, n_cells=1).shown
    np.testing.assert_allclose([one.z1[0], one.z2[0]], np.median(ae.transform(digits.train.X), axis=0), rtol=1e-5)


def test_names_of_curves_stay_within_axes_of_another_figure(ae):
    figure = Figure(figsize=(6, 3))
    left, _ = figure.subplots(1, 2)
    plot.history({"one": ae, "two": ae}, ax=left)
    figure.draw_without_rendering()
    legend = left.get_legend()
    assert [text.get_text().splitlines()[0] for text in legend.get_texts()] == ["one", "two"]
    assert legend.get_window_extent().x1 <= left.get_window_extent().x1
    assert plot.history({"one": ae}).axes[0].get_legend() is None


def test_of_a_pipeline_the_last_step_has_a_history_and_a_network(frame):
    pipeline = make_pipeline(StandardScaler(), quick()).fit(frame)
    assert plot.history(pipeline).shown == {"dense (2)": pipeline[-1].history_}
    assert list(plot.network(pipeline).shown) == ["dense (2)"]


def test_a_class_and_sparse_samples_are_refused_as_such(frame):
    with pytest.raises(TypeError, match=r"model must be fitted, got the class PCA. Pass PCA\(...\).fit\(X\)"):
        plot.map(PCA, frame)
    with pytest.raises(TypeError) as fitted:
        quick().fit(csr_array(frame.to_numpy()))
    for picture in (plot.map, explore):
        with pytest.raises(TypeError, match="Sparse data was passed for X") as drawn:
            picture(quick().fit(frame), csr_array(frame.to_numpy()))
        assert str(drawn.value) == str(fitted.value)


def test_of_a_data_set_without_a_test_part_all_is_drawn(frame):
    data = load_dataset(frame, test_fraction=0)
    model = quick().fit(data.train.X)
    assert len(plot.map(model, data).shown.Z) == len(frame)
    assert f'"of": {len(frame)}' in explore(model, data).html
    plot.growth(data, sizes=[1]).draw_without_rendering()
