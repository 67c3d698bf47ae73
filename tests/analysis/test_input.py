"""What the measures are given is checked, and taken in every form that arrays have."""

import numpy as np
import pandas as pd
import pytest
from sklearn import decomposition

from latentmap import Autoencoder, analysis
from latentmap.analysis import (
    OriginalRanks,
    PcaBaseline,
    active_units,
    class_medians,
    cluster_accuracy,
    continuity,
    embed_tsne,
    knn_accuracy,
    knn_r2,
    latent_grid,
    nearest_samples,
    reconstruction_errors,
    trustworthiness,
)

X = np.random.default_rng(0).normal(size=(60, 4))
Z, LABELS = X[:, :2] * 2, np.arange(60) % 2
PCA = PcaBaseline(2).fit(X)
HOLED = np.where(X > 1, np.nan, X)

OF_SAMPLES = {
    "trustworthiness": lambda x: trustworthiness(x, Z),
    "trustworthiness of codes": lambda x: trustworthiness(X, x),
    "continuity": lambda x: continuity(x, Z),
    "continuity of codes": lambda x: continuity(X, x),
    "ranks": lambda x: OriginalRanks(x).trustworthiness(Z),
    "nearest": lambda x: nearest_samples(x[:3], x, 2),
    "errors": lambda x: reconstruction_errors(PCA, x),
    "errors of codes": lambda x: reconstruction_errors(PCA, X, PCA.transform(x)),
    "fit": lambda x: PcaBaseline(2).fit(x).transform(X),
    "accuracy": lambda x: knn_accuracy(x, LABELS, x, LABELS),
    "r2": lambda x: knn_r2(x, X[:, 0], x, X[:, 0]),
    "clusters": lambda x: cluster_accuracy(x, LABELS),
    "medians": lambda x: class_medians(x, LABELS).Z.astype(np.float32),
    "active": active_units,
    "t-SNE": lambda x: embed_tsne(x, LABELS).Z,
    "decode": lambda x: PCA.inverse_transform(x[:, :2]),
    "grid": lambda x: latent_grid(PCA, x[:, :2]),
}
"""Public functions as functions of one thing, `X` or what may stand in its place."""


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_what_is_not_finite_is_refused_in_one_line(name):
    with pytest.raises(ValueError, match=r"must hold finite numbers, got NaN or infinity") as refused:
        OF_SAMPLES[name](HOLED)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in OF_SAMPLES if name not in ("nearest", "decode", "grid")])
@pytest.mark.parametrize("form", [np.ndarray.tolist, pd.DataFrame, np.ma.MaskedArray])
def test_lists_frames_and_masked_arrays_are_taken(name, form):
    np.testing.assert_array_equal(OF_SAMPLES[name](form(X)), OF_SAMPLES[name](X))
    if form is np.ma.MaskedArray:
        with pytest.raises(ValueError, match="must hold finite numbers"):
            OF_SAMPLES[name](np.ma.masked_greater(X, 2))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: trustworthiness(X[:10], Z), "Z must have a row for each of the 10 samples, got 60"),
        (lambda: trustworthiness(X, Z[:10]), "Z must have a row for each of the 60 samples, got 10"),
        (lambda: continuity(X[:10], Z), "Z must have a row for each of the 10 samples, got 60"),
        (lambda: reconstruction_errors(PCA, X, Z[:9]), "Z must have a row for each of the 60 samples, got 9"),
        (lambda: reconstruction_errors(PCA, X[:0]), "X must hold at least one sample"),
        (lambda: nearest_samples(X, X[:0], 1), "X must hold at least one sample"),
        (lambda: nearest_samples(X[:, :3], X, 1), r"queries must be of shape \(n, 4\), got \(60, 3\)"),
        (lambda: nearest_samples(X, X, 0), "n_neighbors must be a whole number of at least 1"),
        (lambda: knn_accuracy(Z, LABELS[:9], Z, LABELS), "labels_train must be one for each of 60 codes"),
        (lambda: knn_accuracy(Z, LABELS, Z, LABELS[:9]), "labels_test must be one for each of 60 codes"),
        (lambda: knn_accuracy(Z, LABELS, X, LABELS), r"Z_test must be of shape \(n, 2\), got \(60, 4\)"),
        (lambda: knn_r2(Z, X[:9, 0], Z, X[:, 0]), "values_train must be one for each of 60 codes"),
        (lambda: cluster_accuracy(Z, LABELS[:9]), "labels must be one for each of 60 codes"),
        (lambda: class_medians(Z, LABELS[:9]), "labels must be one for each of 60 codes"),
        (lambda: class_medians(Z, LABELS / 2), "labels must be whole numbers or names"),
        (lambda: embed_tsne(Z, LABELS[:9]), "labels must be one for each of 60 codes"),
        (lambda: latent_grid(PCA, X), r"Z must be of shape \(n, 2\), got \(60, 4\)"),
        (lambda: PCA.transform(X[:, :3]), r"X must be of shape \(n, 4\), got \(60, 3\)"),
        (lambda: PCA.inverse_transform(X), r"Z must be of shape \(n, 2\), got \(60, 4\)"),
        (lambda: active_units([["a", "b"]]), "Z must be an array of numbers, got <U1"),
        (lambda: active_units([[1, 2], [3]]), "Z must be an array of numbers, got list: "),
        (lambda: trustworthiness(pd.DataFrame({"a": ["x"] * 60}), Z), "X must hold numbers, got"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_line(call, said):
    with pytest.raises(ValueError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_samples_have_no_neighbourhoods(n):
    assert trustworthiness(X[:n], Z[:n]) is None is continuity(X[:n], Z[:n])
    assert active_units(Z[:1]) == 0 == active_units(pd.DataFrame(Z[:1]))


def test_one_number_a_sample_may_be_a_row():
    assert trustworthiness(X, X[:, 0]) == trustworthiness(X, X[:, :1])


def test_classes_may_be_names():
    names = np.array(["cat", "dog"])[LABELS]
    by_name, by_number = class_medians(Z, names), class_medians(Z, LABELS, class_names=("cat", "dog"))
    assert by_name.names == by_number.names == ("cat", "dog")
    np.testing.assert_array_equal(by_name.Z, by_number.Z)
    assert class_medians(Z, np.where(LABELS, np.nan, 0)).counts.tolist() == [30]
    assert embed_tsne(Z, names.tolist()).labels.tolist() == LABELS.tolist()


def test_a_frames_columns_are_known_to_the_model_by_name():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = decomposition.PCA(2).fit(frame)  # warns of arrays
    assert reconstruction_errors(model, frame).mean() == pytest.approx(reconstruction_errors(PCA, X).mean())


def test_columns_of_a_frame_are_compared_with_those_of_the_model():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    ae = Autoencoder(epochs=1, random_state=0).fit(frame.to_numpy())
    ae.metadata_ = {"reading": {"columns": list("abcd")}}  # as the command line leaves it
    wanted = analysis.reconstruction_errors(ae, frame)
    np.testing.assert_array_equal(analysis.reconstruction_errors(ae, frame[list("dcba")]), wanted)
    np.testing.assert_array_equal(analysis.reconstruction_errors(ae, frame.assign(more=1.0)), wanted)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", None, "b", "a", "b", None], ("a", "b")),
        (np.array([0, 1, None, 0, 1, 1], object), ("x", "y")),
        (pd.Categorical(["lo", "hi", None, "lo", "hi", "lo"], ["lo", "hi"], ordered=True), ("lo", "hi")),
    ],
)
def test_what_has_no_label_is_of_no_class(labels, names):
    Z = np.random.default_rng(0).normal(size=(6, 2))
    given = ("x", "y") if names == ("x", "y") else None
    assert analysis.class_medians(Z, labels, class_names=given).names == names
