import contextlib
import copy
import json
import os
import pickle
import signal
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from latentmap import Autoencoder, load_dataset
from latentmap.analysis import reconstruction_errors
from latentmap.data.preprocessing import measuring_unit
from latentmap.errors import CheckpointError, TrainingError
from latentmap.models import MODELS
from latentmap.models.fitted import FittedModel
from latentmap.training import OBJECTIVES, Callback
from latentmap.training.loop import Training

ALL = pytest.mark.parametrize("model", sorted(MODELS))
RNG = np.random.default_rng(0)


def quick(model="dense", latent_dim=2, **parameters):
    sizes = {"width": 48, "depth": 2} if model == "residual" else None  # its own take as long as all others together
    return Autoencoder(model, latent_dim, **({"epochs": 1, "random_state": 0, "model_params": sizes} | parameters))


def flat(images):
    return images.reshape(len(images), -1).astype(np.float64)


# ---- learning ------------------------------------------------------------------------------------------------------


def test_a_linear_autoencoder_reaches_the_error_of_pca(digits):
    ae = Autoencoder("linear", 2, random_state=0).fit(digits.train.images)
    train, test = flat(digits.train.images), flat(digits.test.images)
    pca = PCA(2).fit(train)
    by_pca = np.mean((test - pca.inverse_transform(pca.transform(test))) ** 2)
    assert -ae.score(digits.test.images) == pytest.approx(by_pca, rel=0.03)


@pytest.mark.parametrize("scales", [[1, 1, 1, 1, 1, 1], [1e-6, 1, 1e6, 1, 1e3, 1e-3]])
def test_a_linear_autoencoder_of_vectors_reaches_the_error_of_pca_in_its_own_scale(vectors, scales):
    X = vectors * scales
    ae = Autoencoder("linear", 2, random_state=0, validation_fraction=0).fit(X)
    x = (X - ae.preprocessing_.offset) / ae.preprocessing_.scale
    x_hat = (ae.inverse_transform(ae.transform(X)) - ae.preprocessing_.offset) / ae.preprocessing_.scale
    pca = PCA(2).fit(x)
    by_pca = np.mean((x - pca.inverse_transform(pca.transform(x))) ** 2)
    assert np.mean((x - x_hat) ** 2) == pytest.approx(by_pca, rel=0.05)


def test_a_dense_autoencoder_beats_pca_and_puts_neighbours_together(digits):
    images, labels = digits.train.images, digits.train.labels
    ae = Autoencoder("dense", 2, random_state=0).fit(images)
    pca = PCA(2).fit(flat(images))
    errors = flat(digits.test.images) - pca.inverse_transform(pca.transform(flat(digits.test.images)))
    assert -ae.score(digits.test.images) < 0.7 * np.mean(errors**2)

    def accuracy(transformer, prepare=lambda X: X):
        knn = KNeighborsClassifier(10).fit(transformer.transform(prepare(images)), labels)
        return knn.score(transformer.transform(prepare(digits.test.images)), digits.test.labels)

    untrained = quick(learning_rate=1e-12).fit(images)
    assert accuracy(ae) > accuracy(pca, flat) + 0.1
    assert accuracy(ae) > accuracy(untrained) + 0.3


@ALL
def test_more_epochs_are_better_than_none(model, small):
    before = quick(model, 4, learning_rate=1e-12).fit(small.train.images)
    epochs = 5 if model == "residual" else 12
    after = quick(model, 4, epochs=epochs, augmentation="none").fit(small.train.images)
    # A linear path begins as PCA, which is far better than nothing; linear alone can do no more.
    share = 1.0 if model == "linear" else 0.75 if before.module_.linear is None else 0.95
    assert -after.score(small.test.images) <= share * -before.score(small.test.images)


def test_partial_fit_in_pieces_learns(digits):
    images = digits.train.images
    ae = quick("dense")
    scores = []
    for _ in range(4):
        for piece in np.array_split(images, 3):
            ae.partial_fit(piece)
        scores.append(ae.score(digits.test.images))
    assert ae.n_iter_ == len(ae.history_) == 12
    assert scores[-1] > scores[0]
    whole = quick("dense", epochs=4).fit(images)
    assert -scores[-1] < 1.3 * -whole.score(digits.test.images)


@pytest.mark.parametrize("sizes", [[100] * 5, [1, 3] * 5], ids=["pieces", "single samples"])
def test_pieces_of_what_it_was_fitted_to_leave_a_model_as_good(sizes):
    X = load_digits().data
    train, test = X[:1400], X[1400:]
    ae = quick("linear", latent_dim=8, epochs=20).fit(train[:700])
    before, start = ae.score(test), 700
    for size in sizes:
        ae.partial_fit(train[start : start + size])
        start += size
        assert ae.score(test) > 1.05 * before


def test_masks_are_learned_from_pieces_as_they_are():
    masks = load_digits().images > 7
    ae = quick("dense", latent_dim=16, epochs=10).fit(masks[:1000])
    before = ae.score(masks[1500:])
    for k in range(1000, 1160, 20):
        ae.partial_fit(masks[k : k + 20])
    assert ae.score(masks[1500:]) > 1.05 * before


def test_single_images_leave_a_loaded_linear_model_as_good(digits):
    ae = pickle.loads(pickle.dumps(quick("linear", latent_dim=8, epochs=20).fit(digits.train.images[:700])))  # noqa: S301
    before = ae.score(digits.test.images)
    for i in range(8):  # beside what the model draws, which is darker than black here and there
        ae.partial_fit(digits.train.images[700 + i : 701 + i])
    assert ae.score(digits.test.images) > 1.05 * before


def test_pieces_of_another_kind_are_learned_and_what_was_known_is_kept(digits):
    dark, test = digits.train.images, digits.test.images
    ae = quick("dense", latent_dim=16, epochs=20).fit(dark)
    known, unknown = ae.score(test), ae.score(255 - test)
    for piece in np.array_split(255 - dark, 6):
        ae.partial_fit(piece)
    assert ae.score(test) > 2 * known
    assert ae.score(255 - test) > unknown / 2


def test_the_first_piece_decides_the_scale_and_the_shape(vectors):
    ae = quick().partial_fit(vectors[:100])
    before = ae.preprocessing_
    ae.partial_fit(vectors[100:] * 5)
    assert ae.preprocessing_ is before
    with pytest.raises(ValueError, match="X has 4 features, but Autoencoder is expecting 6"):
        ae.partial_fit(vectors[:, :4])


def test_pieces_after_fit_are_epochs_that_follow(vectors):
    ae = quick(epochs=3).fit(vectors).partial_fit(vectors).partial_fit(vectors[:50])
    assert [row["epoch"] for row in ae.history_] == [0, 1, 2, 3, 4, 5]
    assert ae.best_epoch_ == ae.n_iter_ == 5


@pytest.mark.parametrize("first", ["fit", "partial_fit", "load"])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latent_dim", 3, "latent_dim must stay 2 while a network learns from more, got 3. Set it back, or fit anew."),
        ("latent_dim", None, "latent_dim must stay 2 .*, got None"),
        ("model", "residual", "model must stay 'dense' .*, got 'residual'"),
        (
            "model",
            (torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)),
            r"model must stay 'dense' .*, got '\(encoder, decoder\)'",
        ),
        ("model_params", {"hidden": [8]}, r"model_params must stay {'hidden': .9,?.} .*, got {'hidden': \[8\]}"),
        ("model_params", None, r"model_params must stay {'hidden': .9,?.} .*, got None"),
    ],
)
def test_more_pieces_do_not_change_the_network(vectors, tmp_path, first, name, value, message):
    ae = quick("dense", latent_dim=2, model_params={"hidden": (9,)})
    getattr(ae, "fit" if first == "load" else first)(vectors)
    if first == "load":
        ae.save(tmp_path / "m")
        ae = Autoencoder.load(tmp_path / "m")
    former, Z = ae.get_params(), ae.transform(vectors)
    changed = {"model_params": None, name: value} if name == "model" else {name: value}  # theirs are others
    with pytest.raises(ValueError, match=message):
        ae.set_params(**changed).partial_fit(vectors)
    np.testing.assert_array_equal(ae.transform(vectors), Z)
    ae.set_params(**former | {"learning_rate": 0.01, "batch_size": 20, "epochs": 3, "model_params": {"hidden": [9]}})
    assert ae.partial_fit(vectors).partial_fit(vectors).n_iter_ == 3


def test_fit_after_partial_fit_starts_anew(vectors):
    wanted = quick().fit(vectors).transform(vectors)
    ae = quick().partial_fit(vectors * 3).fit(vectors)
    np.testing.assert_array_equal(ae.transform(vectors), wanted)
    assert ae.n_iter_ == 1


def test_the_best_epoch_is_kept(small):
    ae = quick(epochs=6, learning_rate=0.2).fit(small.train.images)
    losses = [row["valid_loss"] for row in ae.history_]
    assert [row["epoch"] for row in ae.history_] == [1, 2, 3, 4, 5, 6]
    assert ae.n_iter_ == 6
    assert losses[ae.best_epoch_ - 1] == min(losses)


def test_labels_are_never_used(small):
    wanted = quick().fit(small.train.images).transform(small.test.images)
    for y in (small.train.labels, np.zeros(200), "nonsense"):
        np.testing.assert_array_equal(quick().fit(small.train.images, y).transform(small.test.images), wanted)


@pytest.mark.filterwarnings("ignore:training diverged")
def test_a_rate_that_blows_up_says_so(vectors):
    ae = quick(learning_rate=1e30)
    with pytest.raises(
        TrainingError, match=r"training diverged in epoch 1: the loss is .*Lower learning_rate \(now 1e"
    ):
        ae.fit(vectors)
    pca = quick(learning_rate=1e-12).fit(vectors)  # which it began as, and is left at
    np.testing.assert_array_equal(ae.transform(vectors), pca.transform(vectors))


def test_training_survives_one_divergence(vectors, monkeypatch):
    spoiled = []
    end_epoch = Training.end_epoch

    def spoil(training):
        end_epoch(training)
        if len(training.history) == 2 and not spoiled:
            with torch.no_grad():
                spoiled.append(next(training.module.encoder.parameters()).fill_(np.nan))

    monkeypatch.setattr(Training, "end_epoch", spoil)
    ae = quick(epochs=4)
    with pytest.warns(UserWarning, match="diverged in epoch 3: the loss is nan; going on from the "):
        ae.fit(vectors)
    assert [row["epoch"] for row in ae.history_] == [0, 1, 2, 3, 4]
    assert np.isfinite(ae.transform(vectors)).all()


def test_training_whose_every_validation_loss_is_infinite_says_so(small, monkeypatch):
    monkeypatch.setattr("latentmap.training.loop.validate", lambda *_: torch.tensor([torch.inf]))
    with pytest.raises(TrainingError, match=r"the validation loss was inf after each of 2 epochs\. Look for extreme"):
        quick(epochs=2).fit(small.train.images)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("case", ["all constant", "all black", "1e-200", "denormal"])
def test_data_without_variation_does_not_diverge(objective, case, vectors):
    X = {
        "all constant": np.full((60, 6), 1234.5),
        "all black": np.zeros((60, 6, 6), np.uint8),
        "1e-200": vectors[:60] * 1e-200,
        "denormal": vectors[:60] * 1e-310,
    }[case]
    ae = quick("residual", objective=objective).fit(X)
    assert np.isfinite(ae.transform(X)).all()
    assert np.isfinite(ae.score_samples(X)).all()


@pytest.mark.parametrize("scale", [1e-200, 1e-310])
def test_vectors_whose_squares_are_zeros_are_learned_from_as_others(scale, vectors):
    plain, tiny = quick(epochs=3).fit(vectors), quick(epochs=3).fit(vectors * scale)
    assert tiny.history_[-1]["valid_loss"] == pytest.approx(plain.history_[-1]["valid_loss"], rel=1e-3)
    X_hat = tiny.inverse_transform(tiny.transform(vectors * scale)) / scale
    assert np.allclose(X_hat, plain.inverse_transform(plain.transform(vectors)), atol=1e-2 * np.abs(vectors).max())
    assert tiny.score(vectors * scale) == 0  # in squared units, which float64 has no numbers for


@pytest.mark.filterwarnings("ignore:training diverged")
def test_an_estimator_whose_training_broke_off_can_be_used_and_saved(vectors, tmp_path, monkeypatch):
    from latentmap.training.objectives import Reconstruction

    calls = []

    class BreaksOff(Reconstruction):
        def forward(self, module, batch, progress=1.0):
            calls.append(module.training)
            loss = super().forward(module, batch, progress)
            return loss * (np.nan if module.training and sum(calls) > 30 else 1)

    monkeypatch.setitem(OBJECTIVES, "reconstruction", BreaksOff)
    ae = quick(epochs=9, batch_size=10)
    with pytest.raises(TrainingError, match=r"at a third of the learning rate too\. .*Lower learning_rate"):
        ae.fit(vectors)
    assert 0 <= ae.best_epoch_ <= ae.n_iter_ == len(ae.history_) - 1 < 9
    assert -ae.score(vectors) < vectors.var()
    ae.save(tmp_path / "m")
    np.testing.assert_array_equal(Autoencoder.load(tmp_path / "m").transform(vectors), ae.transform(vectors))


def test_patience_stops_early_and_says_so():
    """A hundred samples of noise are soon learned by heart, which validation shows."""
    noise = np.random.default_rng(0).normal(size=(100, 20))
    ae = Autoencoder(latent_dim=10, epochs=300, patience=5, random_state=0).fit(noise)
    losses = [row["valid_loss"] for row in ae.history_]
    assert ae.n_iter_ == len(losses) - 1 == int(np.argmin(losses[1:])) + 1 + 5 < 300
    assert ae.describe()["stopped_early"] is True
    assert ae.best_epoch_ == int(np.argmin(losses))


@pytest.mark.parametrize("parameters", [{"augmentation": "affine"}, {"weight_decay": 0.3}, {"precision": "bfloat16"}])
def test_options_of_training_take_effect_and_are_recorded(parameters, small):
    plain = quick(epochs=2, augmentation="none", weight_decay=0, precision="float32").fit(small.train.images)
    options = {"epochs": 2, "augmentation": "none", "weight_decay": 0, "precision": "float32"} | parameters
    ae, again = (quick(**options).fit(small.train.images) for _ in range(2))
    assert not np.array_equal(ae.transform(small.test.images), plain.transform(small.test.images))
    np.testing.assert_array_equal(ae.transform(small.test.images), again.transform(small.test.images))
    assert parameters.items() <= ae.describe().items()


def test_vectors_are_never_augmented(vectors):
    ae = quick(augmentation="affine").fit(vectors)
    assert ae.describe()["augmentation"] == "none"
    np.testing.assert_array_equal(ae.transform(vectors), quick(augmentation="none").fit(vectors).transform(vectors))


def test_a_batch_of_one_is_refused_where_batch_norm_needs_more(vectors):
    with pytest.raises(ValueError, match=r"batch_size must be at least 2 for model='residual', whose batch norm"):
        quick("residual", batch_size=1).fit(vectors[:30])
    with pytest.raises(ValueError, match=r"batches of one of 4 samples\. Use larger batches or pieces"):
        quick("residual", batch_size=1).partial_fit(vectors[:4])


# ---- interruption and resumption -----------------------------------------------------------------------------------


class Stop(Callback):
    """Ctrl-C after some epoch."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.plans = []

    def on_train_begin(self, plan):
        self.plans.append(plan)

    def on_epoch_end(self, record):
        if record.epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("model", "random_state"), [*((model, None) for model in sorted(MODELS)), ("dense", 0)])
def test_a_resumed_fit_ends_with_the_bits_of_one_without_interruption(model, random_state, small, tmp_path):
    parameters = {"epochs": 3, "random_state": random_state}
    stop = Stop(1)
    with pytest.raises(KeyboardInterrupt, match="interrupted in epoch 2 of 3"):
        quick(model, callbacks=[stop], **parameters).fit(small.train.images, checkpoint=tmp_path)
    stop.epoch = None
    resumed = quick(model, callbacks=[stop], **parameters).fit(small.train.images, checkpoint=tmp_path, resume=True)
    assert [plan.epochs_done for plan in stop.plans] == [0, 1]
    whole = quick(model, epochs=3, random_state=resumed.seed_).fit(small.train.images)
    np.testing.assert_array_equal(resumed.transform(small.test.images), whole.transform(small.test.images))
    assert [row["valid_loss"] for row in resumed.history_] == [row["valid_loss"] for row in whole.history_]


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"epochs": 6}, "epochs=5, not 6"),
        ({"model": "linear"}, "model='dense', not 'linear'"),
        ({"latent_dim": 3}, "latent_dim=2, not 3"),
        ({"learning_rate": 0.01}, "learning_rate='auto', not 0.01"),
        ({"random_state": 1}, "seed=0, not 1"),
    ],
)
def test_a_checkpoint_of_other_parameters_is_refused_by_name(changed, difference, small, tmp_path):
    quick(epochs=5).fit(small.train.images, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match=f"was made with {difference}. Resume with the same settings and data"):
        quick(**({"epochs": 5} | changed)).fit(small.train.images, checkpoint=tmp_path, resume=True)


def test_a_checkpoint_of_other_data_is_refused_by_name(small, tmp_path):
    quick().fit(small.train.images, checkpoint=tmp_path)
    other = small.train.images.copy()
    other[3, 2, 1] ^= 1
    with pytest.raises(CheckpointError, match="was made with digest of the data="):
        quick().fit(other, checkpoint=tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="was made with shape of the data="):
        quick().fit(small.train.images[:-1], checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"resume": True}, ValueError, "resume=True needs the checkpoint to go on from"),
        ({"checkpoint_every": -1}, ValueError, "checkpoint_every must be a number of at least 0, got -1"),
        ({"checkpoint_every": "30"}, TypeError, "checkpoint_every must be a number of at least 0, got '30'"),
    ],
)
def test_options_of_checkpoints_that_make_no_sense_are_refused(options, error, said, small):
    with pytest.raises(error, match=said):
        quick().fit(small.train.images, **options)


def test_a_checkpoint_does_not_care_where_or_how_loudly_it_was_made(small, tmp_path):
    quick().fit(small.train.images, checkpoint=tmp_path)
    quick(device="cpu", callbacks=[Callback()]).fit(small.train.images, checkpoint=tmp_path, resume=True)


def test_ctrl_c_without_a_checkpoint_stops_at_once_and_leaves_nothing_fitted(small):
    ae = quick(epochs=5, callbacks=[Stop(1)])
    with pytest.raises(KeyboardInterrupt):
        ae.fit(small.train.images)
    with pytest.raises(NotFittedError):
        ae.transform(small.test.images)


class Interrupting(Callback):
    """Ctrl-C when training tells of something."""

    def __init__(self, moment):
        setattr(self, moment, self.interrupt)

    def interrupt(self, *_):
        raise KeyboardInterrupt


PLACES = [
    "latentmap.training.fitting.Preprocessing.fit",
    "latentmap.models.fitted.Preprocessing.hold",
    "latentmap.training.fitting.build",
    "latentmap.training.fitting.resolve",
    "latentmap.training.fitting.train",
    "latentmap.training.loop.Training.end_epoch",
    "latentmap.training.optimizer.Muon.step",
    "latentmap.models.fitted.for_inference",
    "latentmap.training.fitting.platform.python_version",
    "on_train_begin",
    "on_epoch_end",
    "on_train_end",
]


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_anywhere_leaves_what_was_there_before(place, small, vectors, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    fitted, unfitted = quick().partial_fit(vectors), quick()
    before, facts = dict(vars(fitted)), fitted.describe()
    Z, state = fitted.transform(vectors), copy.deepcopy(fitted.module_.state_dict())
    if place.startswith("on_"):
        for ae in (fitted, unfitted):
            ae.set_params(callbacks=[Interrupting(place)])
        before["callbacks"] = fitted.callbacks
    else:
        monkeypatch.setattr(place, interrupt)
    for ae, method, X in [(fitted, "fit", small.train.images), (unfitted, "fit", vectors), (fitted, "fit", vectors)]:
        with pytest.raises(KeyboardInterrupt):
            getattr(ae, method)(X)
    if place not in PLACES[:3:2]:  # what later pieces don't call
        with pytest.raises(KeyboardInterrupt):
            fitted.partial_fit(vectors)
    monkeypatch.undo()
    assert vars(fitted).keys() == before.keys()
    assert all(vars(fitted)[name] is value for name, value in before.items())
    assert all(torch.equal(value, state[name]) for name, value in fitted.module_.state_dict().items())
    assert fitted.describe() == facts
    np.testing.assert_array_equal(fitted.transform(vectors), Z)
    fitted.save(tmp_path / "m")
    with pytest.raises(NotFittedError):
        unfitted.transform(vectors)


def test_a_refused_fit_leaves_what_was_there_before(vectors):
    ae = quick().fit(pd.DataFrame(vectors, columns=list("abcdef")))
    Z = ae.transform(pd.DataFrame(vectors, columns=list("abcdef")))
    for wrong in (np.hstack([vectors, vectors]) * 1e200, np.zeros((3, 4, 4, 2)), [["a"], ["b"]]):
        with pytest.raises(ValueError, match=r"X must|could not|dtype='numeric'"):
            ae.fit(wrong)
    assert list(ae.feature_names_in_) == list("abcdef")
    np.testing.assert_array_equal(ae.transform(pd.DataFrame(vectors, columns=list("abcdef"))), Z)


def test_what_is_saved_is_what_was_fitted_whatever_parameters_say_since(small, tmp_path):
    ae = quick("dense", 3).fit(small.train.images)
    ae.set_params(model="conv", latent_dim=5, objective="variational", scaling="global")
    ae.save(tmp_path / "m")
    loaded = Autoencoder.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.transform(small.test.images), ae.transform(small.test.images))
    assert (loaded.model, loaded.latent_dim, loaded.objective) == ("dense", 3, "reconstruction")
    assert ae.describe() == loaded.describe()
    ae.set_params(model="dense", latent_dim=3).partial_fit(small.train.images)  # another objective of this network
    assert ae.describe()["objective"] == "variational"


# ---- threads, processes and modes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["conv", "dense", "residual"])
def test_fits_in_threads_are_those_alone(model, small):
    latent_dim, X = None if model == "conv" else 2, small.train.images[:60]
    n_threads, stop = torch.get_num_threads(), threading.Event()
    n_used = 1 if model == "residual" else 2  # threads of threads take long where processors are few
    torch.set_num_threads(n_used)
    others = threading.Thread(target=lambda: [torch.rand(9) for _ in iter(stop.is_set, True)])
    try:
        wanted = quick(model, latent_dim).fit(X).transform(X)
        others.start()
        with ThreadPoolExecutor(4) as pool:
            fits = [pool.submit(quick(model, latent_dim).fit, X) for _ in range(4)]
        for fit in fits:
            np.testing.assert_array_equal(fit.result().transform(X), wanted)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == n_used
    finally:
        stop.set()
        others.join()
        torch.set_num_threads(n_threads)


MODES = {
    "float64": (lambda: torch.set_default_dtype(torch.float64), lambda: torch.set_default_dtype(torch.float32)),
    "float16": (lambda: torch.set_default_dtype(torch.float16), lambda: torch.set_default_dtype(torch.float32)),
    "meta": (lambda: torch.set_default_device("meta"), lambda: torch.set_default_device(None)),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.fixture(
    scope="module",
    params=[("conv", "denoising"), ("dense", "neighbors"), ("linear", "reconstruction"), ("residual", "variational")],
    ids="-".join,
)
def results(request, small, tmp_path_factory):
    """All that a model gives, as a function to call in some mode, and what it gives in none."""
    (model, objective), X = request.param, small.train.images[:40]
    path = tmp_path_factory.mktemp("modes") / "m"

    def results():
        ae = quick(model, 4, objective=objective).fit(X)
        ae.save(path)
        loaded = pickle.loads(pickle.dumps(Autoencoder.load(path)))  # noqa: S301
        Z = loaded.transform(X)
        drawn = loaded.sample(3, random_state=0)
        return Z, loaded.inverse_transform(Z), ae.score_samples(X), drawn, loaded.partial_fit(X).transform(X)

    return results, results()


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_pytorch_that_the_caller_set_make_no_difference(mode, results):
    (results, wanted), setting = results, MODES[mode]
    if isinstance(setting, tuple):
        setting[0]()
        try:
            found = results()
        finally:
            setting[1]()
    else:
        with setting():
            found = results()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_after_fit_can_go_on(digits):
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ae = quick().fit(digits.train.images[:100])  # large enough that threads take part
        Z = ae.transform(digits.test.images)
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends it if it waits for threads that are not there
            same = np.allclose(ae.transform(digits.test.images), Z, rtol=1e-4, atol=1e-4)
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(n_threads)


# ---- shapes and units ----------------------------------------------------------------------------------------------


SHAPES = [(9, 7), (9, 7, 1), (8, 8, 3), (5, 6, 4), (1, 1)]
FLOATS = ["float32 in [0, 1]", "float64 in [-40, 90]"]


@pytest.mark.parametrize(
    ("model", "shape", "kind"),
    [
        *((model, shape, "uint8") for model in sorted(MODELS) for shape in SHAPES),
        *(("dense", shape, kind) for shape in SHAPES for kind in FLOATS),  # units are no business of the network
    ],
)
def test_images_come_back_in_their_shape_and_units(model, shape, kind):
    X = RNG.random((30, *shape))
    X = {
        "uint8": (255 * X).astype(np.uint8),
        "float32 in [0, 1]": X.astype(np.float32),
        "float64 in [-40, 90]": 130 * X - 40,
    }[kind]
    latent_dim = 1 if shape == (1, 1) else 2
    ae = quick(model, latent_dim).fit(X)
    Z = ae.transform(X)
    assert Z.shape == (30, latent_dim)
    assert Z.dtype == np.float32
    X_hat = ae.inverse_transform(Z)
    assert X_hat.shape == X.shape
    assert X_hat.dtype == (np.float64 if X.dtype == np.float64 else np.float32)
    assert abs(X_hat.mean() - X.mean()) < 0.25 * np.ptp(X)
    errors = np.mean((X.astype(np.float64) - X_hat).reshape(30, -1) ** 2, axis=1)
    np.testing.assert_allclose(ae.score_samples(X), -errors, rtol=1e-4)
    np.testing.assert_allclose(ae.anomaly_score(X), errors, rtol=1e-4)
    assert ae.score(X) == pytest.approx(-errors.mean(), rel=1e-4)
    assert ae.n_features_in_ == np.prod(shape)


def test_uint8_and_float_pixels_give_one_model(small):
    as_bytes = quick(epochs=3).fit(small.train.images)
    as_floats = quick(epochs=3).fit(small.train.images / np.float32(255))
    Z = as_bytes.transform(small.test.images)
    np.testing.assert_allclose(as_floats.transform(small.test.images / np.float32(255)), Z, rtol=1e-2, atol=1e-2)


def test_a_channel_axis_of_one_may_be_left_out_or_added(small):
    ae = quick().fit(small.train.images)
    Z = ae.transform(small.test.images)
    np.testing.assert_array_equal(ae.transform(small.test.images[..., 0]), Z)
    without = quick().fit(small.train.images[..., 0])
    np.testing.assert_array_equal(without.transform(small.test.images), Z)
    assert without.inverse_transform(Z).shape == (200, 8, 8)


def test_float_pixels_from_0_to_255_are_taken_by_a_model_of_bytes(small):
    ae = quick().fit(small.train.images)
    Z = ae.transform(small.test.images)
    np.testing.assert_allclose(ae.transform(small.test.images.astype(np.float64)), Z, rtol=1e-5, atol=1e-5)


def test_bytes_are_refused_by_a_model_of_floats_from_0_to_1(small):
    ae = quick().fit(small.train.images / 255)
    with pytest.raises(ValueError, match=r"floats from 0 to 1, got uint8. Divide it by 255"):
        ae.transform(small.test.images)


def test_reconstructions_are_inverse_transform_of_transform(fitted, small):
    X = small.test.images
    X_hat = fitted.inverse_transform(fitted.transform(X))
    by_hand = -np.mean((X - X_hat.astype(np.float64)).reshape(len(X), -1) ** 2, axis=1)
    np.testing.assert_allclose(fitted.score_samples(X), by_hand, rtol=1e-4)


def test_errors_of_vectors_in_different_units_count_in_standard_deviations(tmp_path):
    from sklearn.datasets import load_breast_cancer

    X = load_breast_cancer().data
    unit = measuring_unit(X)
    np.testing.assert_allclose(unit, X.std(axis=0))
    for scaling in ("auto", "standard", "global"):
        ae = quick("linear", 5, epochs=5, scaling=scaling).fit(X)
        ae.save(tmp_path / "m")
        errors = (X - ae.inverse_transform(ae.transform(X))) / unit
        for each in (ae, Autoencoder.load(tmp_path / "m"), copy.deepcopy(ae).partial_fit(X[:5])):
            assert np.isclose(each._fitted.error_unit, unit).all()
        np.testing.assert_allclose(ae.score_samples(X), -np.mean(errors**2, axis=1), rtol=1e-3)
        np.testing.assert_allclose(ae.anomaly_score(X), np.mean(errors**2, axis=1), rtol=1e-3)
    search = GridSearchCV(quick("linear", epochs=5), {"latent_dim": [1, 5]}, cv=2, refit=True).fit(X)
    assert search.best_params_ == {"latent_dim": 5}
    errors = ((X - search.best_estimator_.inverse_transform(search.transform(X))) / unit) ** 2
    assert np.sort(errors.mean(axis=0))[-2:].sum() < 0.4 * errors.mean(axis=0).sum()  # two do not decide
    assert -1 < search.best_score_ < 0


def test_errors_of_vectors_in_one_unit_count_in_it(vectors):
    for scaling in ("auto", "standard", "global"):
        ae = quick(scaling=scaling).fit(vectors)
        errors = np.mean((vectors - ae.inverse_transform(ae.transform(vectors))) ** 2, axis=1)
        np.testing.assert_allclose(ae.score_samples(vectors), -errors, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:X must be in the units")  # of the first piece
def test_samples_after_pieces_are_of_all_pieces(vectors, monkeypatch):
    pieces = [vectors + 100, vectors, vectors - 100]
    ae = quick("linear", learning_rate=1e-3)
    monkeypatch.setattr(FittedModel, "_encode_some", None)  # no piece pays for it
    for piece in pieces:
        ae.partial_fit(piece)
    monkeypatch.undo()
    again = pickle.loads(pickle.dumps(ae))  # noqa: S301
    assert again._fitted._some is None
    np.testing.assert_array_equal(again.sample(9, random_state=0), ae.sample(9, random_state=0))
    drawn = ae._fitted.code_mixture().sample(900, 0)
    for piece in pieces:
        Z = ae.transform(piece)
        assert 0.28 < np.mean((np.abs(drawn - Z.mean(axis=0)) < 6 * Z.std(axis=0)).all(axis=1)) < 0.39


@pytest.mark.parametrize("whole", [True, False], ids=["fit", "pieces"])
def test_samples_after_a_piece_more_are_of_those_before_saving_too(vectors, tmp_path, whole):
    low, high = np.repeat(vectors - 5, 10, axis=0), vectors + 5
    X = np.concatenate([low, high])
    if whole:
        ae = quick("linear", epochs=20).fit(X)
    else:
        ae = quick("linear")
        for _ in range(10):
            ae.partial_fit(X)
    ae.save(tmp_path / "m")
    ae = Autoencoder.load(tmp_path / "m")
    n_before = len(X) * (1 if whole else 10)
    assert ae._fitted.n_samples == n_before
    ae.partial_fit(high)
    assert ae._fitted.n_samples == n_before + len(high)
    share = np.mean(np.abs(ae.sample(1000, random_state=0).mean(axis=1) - low.mean()) < 5)
    assert share == pytest.approx(len(low) * (1 if whole else 10) / (n_before + len(high)), abs=0.04)


def test_what_is_kept_of_pieces_is_an_even_draw_and_bounded(small, monkeypatch):
    monkeypatch.setattr("latentmap.models.fitted._KEPT_BYTES", 64 * 50)
    ae = quick("linear")
    for brightness in range(8):
        ae.partial_fit(np.full((100, 8, 8), brightness * 30, np.uint8))
    kept = ae._fitted._some[0][:, 0, 0] // 30
    assert len(kept) == 50
    assert len(set(kept)) > 5


@pytest.mark.parametrize("kind", ["requires_grad", "channels first", "bfloat16", "sparse"])
def test_tensors_are_taken(kind, small, vectors):
    X, given = {
        "requires_grad": (vectors, torch.tensor(vectors, requires_grad=True)),
        "channels first": (small.train.images, torch.tensor(small.train.images).permute(0, 3, 1, 2)),
        "bfloat16": (np.round(vectors).astype(np.float32), torch.tensor(np.round(vectors)).bfloat16()),
        "sparse": (vectors, torch.tensor(vectors).to_sparse()),
    }[kind]
    np.testing.assert_array_equal(
        load_dataset(given, test_fraction=0).train.X, load_dataset(X, test_fraction=0).train.X
    )
    ae = quick().fit(X)
    np.testing.assert_array_equal(quick().fit(given).transform(given), ae.transform(X))
    assert ae.settings(given) == ae.settings(X)
    Z = torch.tensor(ae.transform(X), requires_grad=True)
    np.testing.assert_array_equal(ae.inverse_transform(Z), ae.inverse_transform(Z.detach().numpy()))


@pytest.mark.parametrize("as_what", ["float64", "list", "pandas", "polars", "fortran", "flipped", "read-only"])
def test_codes_may_come_as_any_table(fitted, small, as_what):
    Z = fitted.transform(small.test.images)
    wanted = fitted.inverse_transform(Z)
    given = {
        "float64": Z.astype(np.float64),
        "list": Z.tolist(),
        "pandas": pd.DataFrame(Z, columns=fitted.get_feature_names_out()),
        "polars": pl.DataFrame(Z, schema=list(fitted.get_feature_names_out())),
        "fortran": np.asfortranarray(Z),
        "flipped": Z[::-1].copy()[::-1],
        "read-only": np.frombuffer(Z.tobytes(), Z.dtype).reshape(Z.shape),
    }[as_what]
    np.testing.assert_allclose(fitted.inverse_transform(given), wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("layout", ["fortran", "strided", "flipped", "read-only", "memory-mapped"])
@pytest.mark.parametrize("kind", ["images", "vectors"])
def test_the_layout_in_memory_makes_no_difference(small, vectors, tmp_path, layout, kind):
    X = small.train.images if kind == "images" else vectors
    given = {
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "flipped": X[:, ::-1].copy()[:, ::-1],
        "read-only": np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
        "memory-mapped": None,
    }[layout]
    if given is None:
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    ae = quick().fit(X)
    np.testing.assert_allclose(quick().fit(given).transform(X), ae.transform(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ae.transform(given), ae.transform(X), rtol=1e-4, atol=1e-5)


def test_what_goes_in_is_never_changed(small, vectors):
    for X in (
        small.train.images.copy(),
        vectors.copy(),
        small.train.images / 255,
        small.train.images / np.float32(255),
    ):
        before = X.copy()
        ae = quick().fit(X)
        ae.partial_fit(X)
        Z = ae.transform(X)
        ae.score_samples(X)
        np.testing.assert_array_equal(X, before)
        kept = Z.copy()
        ae.inverse_transform(Z)
        np.testing.assert_array_equal(Z, kept)


def test_using_a_model_does_not_change_it(fitted, small, tmp_path):
    fitted.save(tmp_path / "model")
    for ae in (fitted, pickle.loads(pickle.dumps(fitted)), Autoencoder.load(tmp_path / "model")):  # noqa: S301
        before = dict(vars(ae))
        ae.inverse_transform(ae.transform(small.test.images))
        ae.score(small.test.images)
        assert vars(ae).keys() == before.keys()
        assert all(vars(ae)[name] is value for name, value in before.items())


def test_results_are_the_callers_own(fitted, small):
    Z = fitted.transform(small.test.images)
    kept = Z.copy()
    X_hat = fitted.inverse_transform(Z)
    X_hat[:] = 0
    Z[:] = 7
    np.testing.assert_array_equal(fitted.transform(small.test.images), kept)


# ---- hard vectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", sorted(name for name, kind in MODELS.items() if not kind.images_only))
@pytest.mark.parametrize(
    "case", ["constant feature", "all constant", "wild scales", "large offset", "outlier", "tiny", "two samples"]
)
def test_hard_vectors_are_learned_from(model, case, vectors):
    X = vectors.copy()
    if case == "constant feature":
        X[:, 2] = 1234.5
    elif case == "all constant":
        X[:] = 1234.5
    elif case == "wild scales":
        X *= 10.0 ** np.array([-6, -3, 0, 2, 4, 6])
    elif case == "large offset":
        X += 1e8
    elif case == "outlier":
        X[17, 3] = 1e9
    elif case == "tiny":
        X *= 1e-12
    elif case == "two samples":
        X = X[:2]
    epochs = 8 if model == "residual" or case == "two samples" else "auto"
    ae = Autoencoder(model, 3, epochs=epochs, random_state=0).fit(X)
    X_hat = ae.inverse_transform(ae.transform(X))
    assert X_hat.dtype == np.float64
    assert np.isfinite(X_hat).all()
    spread = X.std(axis=0)
    varies = spread > 1e-9 * np.abs(X).mean(axis=0)
    errors = np.sqrt(np.mean((X - X_hat) ** 2, axis=0))
    np.testing.assert_allclose(X_hat[:, ~varies], X[:, ~varies], rtol=1e-4)
    learned = varies & (case != "two samples")
    if case == "outlier":
        learned[3] = False  # one sample in 300 may be missed; the other features may not suffer for it
        learned &= model != "linear"  # which has no numbers left: of four directions PCA leaves one out
    assert (errors[learned] < 0.6 * spread[learned]).all()


def test_an_outlier_is_the_strangest(vectors):
    X = vectors.copy()
    X[17] = [8, -8, 8, -8, 8, -8]
    ae = Autoencoder("linear", 3, random_state=0).fit(vectors)
    scores = ae.anomaly_score(X)
    assert scores.argmax() == 17
    assert scores[17] > 20 * np.delete(scores, 17).max()


def test_a_code_larger_than_the_sample_warns(vectors):
    with pytest.warns(
        UserWarning, match="latent_dim is 7, more than the 6 numbers of a sample: the code compresses noth"
    ):
        quick(latent_dim=7).fit(vectors)
    quick(latent_dim=6).fit(vectors)


# ---- the contract on codes -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(small):
    """3,000 images: more than are encoded at once."""
    return np.concatenate([np.roll(small.train.images, shift, axis=1) for shift in range(15)])


def close_codes(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


def test_a_code_does_not_depend_on_what_else_is_in_the_call(fitted, many):
    Z = fitted.transform(many)
    order = RNG.permutation(len(many))
    close_codes(fitted.transform(many[order]), Z[order])
    for rows in (slice(0, 1), slice(1500, 1501), slice(2999, 3000), slice(7, 20), slice(1000, 2100)):
        close_codes(fitted.transform(many[rows]), Z[rows])
    X_hat = fitted.inverse_transform(Z)
    np.testing.assert_allclose(fitted.inverse_transform(Z[1023:1026]), X_hat[1023:1026], atol=1e-2)
    np.testing.assert_allclose(fitted.score_samples(many[1023:1026]), fitted.score_samples(many)[1023:1026], rtol=1e-4)


def test_transform_is_the_same_every_time_and_in_evaluation_mode(fitted, small):
    Z = fitted.transform(small.test.images)
    assert not fitted.module_.training
    for _ in range(3):
        np.testing.assert_array_equal(fitted.transform(small.test.images), Z)
    state = {name: value.clone() for name, value in fitted.module_.state_dict().items()}
    fitted.inverse_transform(Z)
    fitted.score(small.test.images)
    for name, value in fitted.module_.state_dict().items():
        assert torch.equal(value, state[name]), name


@ALL
def test_one_random_state_gives_equal_bits_and_none_does_not(model, small):
    first, second = (quick(model, epochs=2).fit(small.train.images) for _ in range(2))
    for name, value in first.module_.state_dict().items():
        assert torch.equal(value, second.module_.state_dict()[name]), name
    np.testing.assert_array_equal(first.transform(small.test.images), second.transform(small.test.images))
    np.random.seed(0)  # noqa: NPY002  # random_state=None must not follow the global state either
    torch.manual_seed(0)
    third = quick(model, random_state=None, refine=0).fit(small.train.images)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    fourth = quick(model, random_state=None, refine=0).fit(small.train.images)
    same = np.allclose(third.transform(small.test.images), fourth.transform(small.test.images), atol=1e-3)
    assert same == (third.best_epoch_ == fourth.best_epoch_ == 0)  # the start is PCA, whatever the seed
    assert third.seed_ != fourth.seed_
    again = quick(model, random_state=third.seed_, refine=0).fit(small.train.images)
    np.testing.assert_array_equal(again.transform(small.test.images), third.transform(small.test.images))


def test_different_seeds_give_different_codes(small):
    codes = [quick(random_state=seed).fit(small.train.images).transform(small.test.images) for seed in (0, 1, 2)]
    assert not np.allclose(codes[0], codes[1])
    assert not np.allclose(codes[1], codes[2])


def test_a_random_state_object_seeds_too(small):
    codes = [
        quick(random_state=np.random.RandomState(5)).fit(small.train.images).transform(small.test.images)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*codes)


@ALL
def test_the_worlds_state_is_left_as_found(model, small):
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    numpy_state, torch_state = pickle.dumps(np.random.get_state()), torch.random.get_rng_state()  # noqa: NPY002
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    deterministic, dtype = torch.are_deterministic_algorithms_enabled(), torch.get_default_dtype()
    ae = quick(model, random_state=None).fit(small.train.images)
    ae.partial_fit(small.train.images)
    ae.inverse_transform(ae.transform(small.test.images))
    assert pickle.dumps(np.random.get_state()) == numpy_state  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, grad)
    assert (torch.are_deterministic_algorithms_enabled(), torch.get_default_dtype()) == (deterministic, dtype)


# ---- scikit-learn --------------------------------------------------------------------------------------------------


def test_repr_is_short_and_html_is_scikit_learns():
    assert repr(Autoencoder()) == "Autoencoder()"
    assert repr(quick("conv", 8)) == "Autoencoder(epochs=1, latent_dim=8, model='conv', random_state=0)"
    assert "sk-top-container" in Autoencoder()._repr_html_()


def test_a_clone_is_unfitted_and_alike(fitted):
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "module_")


def test_names_of_features_and_codes(vectors):
    ae = quick(latent_dim=3).fit(pd.DataFrame(vectors, columns=list("abcdef")))
    np.testing.assert_array_equal(ae.feature_names_in_, list("abcdef"))
    assert ae.n_features_in_ == 6
    np.testing.assert_array_equal(ae.get_feature_names_out(), ["z1", "z2", "z3"])
    ae.fit(vectors)
    assert not hasattr(ae, "feature_names_in_")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_in_and_frames_out(vectors, library):
    names = list("abcdef")
    frame = pd.DataFrame(vectors, columns=names) if library == "pandas" else pl.DataFrame(vectors, schema=names)
    Z = quick().fit(vectors).transform(vectors)
    ae = quick().set_output(transform=library).fit(frame)
    out = ae.transform(frame)
    assert type(out) is type(frame)
    assert list(out.columns) == ["z1", "z2"]
    np.testing.assert_array_equal(out.to_numpy(), Z)
    np.testing.assert_array_equal(ae.inverse_transform(out), ae.inverse_transform(Z))


def test_set_output_takes_images_too(small):
    out = quick().set_output(transform="pandas").fit_transform(small.train.images)
    assert isinstance(out, pd.DataFrame)
    assert out.shape == (200, 2)


def test_a_pipeline_scales_encodes_and_classifies_and_goes_back(digits):
    X, y = flat(digits.train.images[:400, ::4, ::4]), digits.train.labels[:400]
    test, truth = flat(digits.test.images[:, ::4, ::4]), digits.test.labels
    pipeline = make_pipeline(MinMaxScaler(), Autoencoder(latent_dim=8, random_state=0), KNeighborsClassifier())
    assert pipeline.fit(X, y).score(test, truth) > 0.75
    encode = pipeline[:-1]
    assert encode.inverse_transform(encode.transform(test)).shape == test.shape


def test_a_grid_search_over_latent_dim_in_two_processes_finds_the_larger(vectors):
    search = GridSearchCV(
        Autoencoder("linear", random_state=0, epochs=30), {"latent_dim": [1, 3]}, cv=2, n_jobs=2, error_score="raise"
    ).fit(vectors)
    assert search.best_params_ == {"latent_dim": 3}
    assert search.best_score_ > -0.1
    wanted = Autoencoder("linear", 3, random_state=0, epochs=30).fit(vectors)
    np.testing.assert_array_equal(search.best_estimator_.transform(vectors), wanted.transform(vectors))


def test_cross_val_score_of_images(small):
    scores = cross_val_score(quick(epochs=3), small.train.images, cv=3)
    assert scores.shape == (3,)
    assert (scores < 0).all()


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "joblib"])
def test_copies_give_equal_codes(fitted, small, tmp_path, how):
    Z = fitted.transform(small.test.images)
    if how == "pickle":
        again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    elif how == "deepcopy":
        again = copy.deepcopy(fitted)
    else:
        import joblib

        joblib.dump(fitted, tmp_path / "ae")
        again = joblib.load(tmp_path / "ae")
    np.testing.assert_array_equal(again.transform(small.test.images), Z)
    assert again.history_ == fitted.history_


@ALL
def test_a_pickle_holds_the_weights_and_no_training_data(model, digits):
    X = digits.train.images[:500]
    ae = quick(model).fit(X)
    ae.transform(digits.test.images)
    assert len(pickle.dumps(ae)) < 1.05 * 4 * ae.n_parameters_ + 25_000
    assert X.nbytes > 0.05 * 4 * ae.n_parameters_ + 100_000


def test_a_pickle_after_partial_fit_goes_on_as_the_original(small):
    ae = quick().partial_fit(small.train.images)
    again = pickle.loads(pickle.dumps(ae))  # noqa: S301
    ae._fitted._find_mixture()
    ae._fitted._some = None  # as in the pickle, which holds no samples: draws stand for them
    for each in (ae, again):
        each.partial_fit(small.train.images)
    np.testing.assert_array_equal(again.transform(small.test.images), ae.transform(small.test.images))


@pytest.mark.parametrize("method", ["transform", "score", "score_samples", "anomaly_score", "inverse_transform"])
def test_an_unfitted_estimator_says_so(method, vectors):
    with pytest.raises(NotFittedError):
        getattr(Autoencoder(), method)(vectors)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (
            {"model": "dens"},
            ValueError,
            "model must be one of 'auto', 'conv', 'dense', 'linear', 'residual', 'strided', got 'dens'",
        ),
        ({"model": None}, ValueError, "model must be one of .*, got None"),
        (
            {"objective": "mse"},
            ValueError,
            "objective must be one of 'denoising', 'neighbors', 'reconstruction', 'variational', got 'mse'",
        ),
        ({"scaling": "standart"}, ValueError, "scaling must be one of .*Did you mean 'standard'"),
        ({"latent_dim": 0}, ValueError, "latent_dim must be a whole number of at least 1, got 0"),
        ({"latent_dim": 2.5}, TypeError, "latent_dim must be a whole number of at least 1, got 2.5"),
        ({"latent_dim": True}, TypeError, "latent_dim must be a whole number of at least 1, got True"),
        ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": "many"}, TypeError, "epochs must be a whole number of at least 1, got 'many'"),
        ({"batch_size": -1}, ValueError, "batch_size must be a whole number of at least 1, got -1"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be a number above 0, got nan"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number above 0, got 'fast'"),
        ({"model": 2}, ValueError, r"model must be one of .*, got 2\. Did you mean latent_dim=2\?"),
        ({"latent_dim": 10**12}, MemoryError, r"latent_dim=1000000000000 needs .* GiB of memory.*Lower latent_dim"),
        ({"weight_decay": -1}, ValueError, "weight_decay must be a number of at least 0, got -1"),
        ({"weight_decay": [1]}, TypeError, r"weight_decay must be a number of at least 0, got \[1\]"),
        ({"callbacks": [5]}, TypeError, "callbacks must be a sequence of Callback instances, got 5 in it"),
        ({"callbacks": [None]}, TypeError, "callbacks must be a sequence of Callback instances, got None in it"),
        ({"callbacks": "x"}, TypeError, "callbacks must be a sequence of Callback instances, got 'x'"),
        ({"callbacks": Callback()}, TypeError, r"callbacks must be a sequence of .*Put it in a list"),
        ({"validation_fraction": 1}, ValueError, "validation_fraction must be at least 0 and less than 1, got 1"),
        (
            {"validation_fraction": -0.1},
            ValueError,
            "validation_fraction must be at least 0 and less than 1, got -0.1",
        ),
        ({"verbose": -1}, ValueError, "verbose must be a whole number of at least 0, got -1"),
        ({"verbose": "yes"}, TypeError, "verbose must be a whole number of at least 0, got 'yes'"),
        ({"validation_fraction": "x"}, ValueError, "validation_fraction must be at least 0 and less than 1, got 'x'"),
        ({"random_state": "seed"}, ValueError, "random_state must be an int, a RandomState or None, got 'seed'"),
        ({"random_state": -1}, ValueError, "random_state must be from 0 to 4294967295, got -1"),
        ({"device": "meta"}, ValueError, "device must be one that is here, got 'meta'. Use 'auto' or 'cpu'"),
        ({"device": "tpu9"}, ValueError, "device must be 'auto', 'cpu', 'cuda' or 'mps', got 'tpu9'"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name_when_fitting(parameters, error, message, vectors):
    ae = quick(**parameters)
    with pytest.raises(error, match=message):
        ae.fit(vectors)
    with pytest.raises(error, match=message):
        ae.partial_fit(vectors)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_what_is_not_finite_is_refused(bad, kind, vectors, small):
    X = vectors.copy() if kind == "vectors" else small.train.images / 255
    ae = quick().fit(X)
    X.ravel()[5] = bad
    for method in (quick().fit, quick().partial_fit, ae.transform, ae.score_samples):
        with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
            method(X)
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        ae.inverse_transform([[0.0, bad]])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((4, 8, 8, 2), np.uint8),
            r"X must have 1, 3 or 4 channels in its last axis, got shape \(4, 8, 8, 2\)",
        ),
        (
            np.zeros((4, 3, 8, 8), np.uint8),
            r"X must have 1, 3 or 4 channels .*Images are \(n, height, width, channels\)",
        ),
        (
            np.zeros((0, 8, 8), np.uint8),
            r"X must hold at least one image of at least one pixel, got shape \(0, 8, 8\)",
        ),
        (np.zeros((4, 0, 8), np.uint8), "X must hold at least one image of at least one pixel"),
        (np.zeros((1, 8, 8), np.uint8), "X must hold at least 2 samples to learn from, got 1 sample"),
        (np.zeros(8), "Expected 2D array, got 1D array"),
        (np.zeros((2, 8, 8, 1, 1)), "dim 5"),
        (np.zeros((1, 5)), "minimum of 2 is required"),
        (np.array([["a", "b"], ["c", "d"]]), "could not convert string|dtype='numeric'"),
    ],
)
def test_unusable_samples_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X)


@pytest.mark.parametrize(
    "X", [np.zeros((3, 3), complex), np.zeros(8), np.array(3.0), None, [], np.zeros((0, 4)), np.zeros((2, 2, 2, 2, 2))]
)
def test_every_refusal_is_one_line(X, vectors):
    ae = quick().fit(vectors)
    for call in (quick().fit, ae.transform, ae.inverse_transform):
        with pytest.raises((ValueError, TypeError)) as refusal:
            call(X)
        assert len(str(refusal.value).splitlines()) == 1


def test_numbers_too_large_to_compute_with_are_refused(small, vectors):
    images, too_large = small.train.images / 255, "X must hold numbers whose squares can be added up"
    ae, of_images = quick().fit(vectors), quick().fit(images)
    with pytest.raises(ValueError, match=too_large):
        quick().fit(images * 1e308)
    with pytest.raises(ValueError, match=too_large):  # whose sum is none
        quick().fit(np.array([[1e308, -1e308], [1e308, -1e308], [1e308, -1e308], [-1e308, 1e308]]))
    for method in (ae.transform, ae.score_samples, ae.partial_fit):
        with pytest.raises(ValueError, match="X must be in the units that fit saw, got numbers far larger"):
            method(vectors * 1e30)
    with pytest.raises(ValueError, match=too_large):
        of_images.score(images * 1e200)


def test_columns_far_from_what_fit_saw_are_named(vectors):
    idle = vectors.copy()
    idle[:, 3] = 5 + 1e-6 * idle[:, 3]
    ae = quick().fit(idle)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ae.transform(idle)
    with pytest.warns(UserWarning, match=r"that fit saw, got numbers in column 3 more than 20 standard deviations"):
        ae.transform(vectors)
    with pytest.warns(UserWarning, match="numbers in column 3 more than"):  # the first piece decides the scale
        quick(epochs="auto").partial_fit(idle).partial_fit(vectors)
    names = [f"sensor {i}" for i in range(idle.shape[1])]
    ae = quick().fit(pd.DataFrame(idle, columns=names))
    with pytest.warns(UserWarning, match="numbers in column 'sensor 3' more than"):
        ae.transform(pd.DataFrame(vectors, columns=names))


def test_what_there_is_no_answer_to_before_fit():
    for name in ("history_", "best_epoch_", "module_"):
        assert not hasattr(Autoencoder(), name)
        with pytest.raises(NotFittedError, match=r"this Autoencoder is not fitted yet\. Call fit first"):
            getattr(Autoencoder(), name)


@pytest.mark.parametrize(
    ("name", "meant"), [("n_components", "latent_dim"), ("lr", "learning_rate"), ("epoch", "epochs")]
)
def test_a_parameter_that_there_is_not_says_what_was_meant(name, meant):
    with pytest.raises(TypeError, match=f"Autoencoder has no parameter '{name}'. Did you mean {meant}"):
        Autoencoder(**{name: 2})
    with pytest.raises(ValueError, match=f"Autoencoder has no parameter '{name}'. Did you mean {meant}"):
        Autoencoder().set_params(**{name: 2})


class Map(Autoencoder):
    """A subclass that settles some parameters and adds one."""

    def __init__(self, epochs=2, colour="red"):
        super().__init__("linear", 3, batch_size=50, epochs=epochs, random_state=0)
        self.colour = colour


def test_a_subclass_need_not_take_all_parameters(vectors, tmp_path):
    ae = Map(colour="blue").fit(vectors).partial_fit(vectors)
    ae.save(tmp_path / "m")
    loaded = Map.load(tmp_path / "m")
    assert (loaded.colour, loaded.n_iter_) == ("blue", 3)
    np.testing.assert_array_equal(loaded.transform(vectors), ae.transform(vectors))
    with pytest.raises(ValueError, match=r"Map has no parameter 'color'\. Did you mean colour"):
        ae.set_params(color="green")


def test_samples_of_another_shape_than_fit_saw_are_refused(small, vectors):
    images = quick().fit(small.train.images)
    with pytest.raises(ValueError, match=r"X must be samples of shape \(8, 8, 1\), as in fit, got \(9, 9, 1\)"):
        images.transform(np.zeros((2, 9, 9, 1), np.uint8))
    with pytest.raises(ValueError, match=r"X must be samples of shape \(8, 8, 1\), as in fit, got \(8, 8, 3\)"):
        images.score(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"X must be images of shape \(8, 8, 1\), as in fit"):
        images.transform(np.zeros((2, 64)))
    of_vectors = quick().fit(vectors)
    with pytest.raises(ValueError, match="X has 5 features, but Autoencoder is expecting 6 features"):
        of_vectors.transform(vectors[:, :5])
    with pytest.raises(ValueError, match=r"X must be vectors of 6 features, as in fit, got shape \(200, 8, 8, 1\)"):
        of_vectors.transform(small.train.images)


def test_codes_in_a_frame_are_taken_by_name(fitted):
    Z = pd.DataFrame(np.eye(3), columns=["z1", "z2", "z3"])
    np.testing.assert_array_equal(fitted.inverse_transform(Z[["z3", "z1", "z2"]]), fitted.inverse_transform(np.eye(3)))
    others = Z.set_axis(list("abc"), axis=1)
    np.testing.assert_array_equal(fitted.inverse_transform(others), fitted.inverse_transform(np.eye(3)))


def test_a_lazy_frame_is_to_be_collected():
    for take in (quick().fit, load_dataset):
        with pytest.raises(TypeError, match=r"got a LazyFrame. Pass its collect\(\)"):
            take(pl.LazyFrame({"a": [1.0, 2.0, 3.0]}))


def test_sparse_samples_are_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"Sparse data was passed.*In pipelines: OneHotEncoder\(sparse_output=False\)"):
        quick().fit(sparse.eye(5, format="csr"))


def test_codes_of_another_width_are_refused(fitted):
    with pytest.raises(ValueError, match=r"Z must have 3 columns \(latent_dim\), got 2"):
        fitted.inverse_transform(np.zeros((4, 2)))


def test_conv_refuses_vectors_and_says_what_takes_them(vectors):
    with pytest.raises(ValueError, match=r"for ConvAutoencoder, got .* Use model='dense' for vectors"):
        quick("conv").fit(vectors)


def test_a_failed_fit_does_not_harm_a_fitted_estimator(vectors):
    ae = quick().fit(vectors)
    Z = ae.transform(vectors)
    with pytest.raises(ValueError, match="contains NaN"):
        ae.fit(np.full((5, 6), np.nan))
    np.testing.assert_array_equal(ae.transform(vectors), Z)


# ---- callbacks and facts -------------------------------------------------------------------------------------------


class Watcher(Callback):
    def __init__(self):
        self.seen = []

    def on_train_begin(self, plan):
        self.seen.append(plan)

    def on_epoch_end(self, record):
        self.seen.append(record)

    def on_train_end(self):
        self.seen.append("end")


def test_callbacks_are_told_of_the_plan_each_epoch_and_the_end(small):
    watcher = Watcher()
    ae = quick(epochs=3, callbacks=[watcher]).fit(small.train.images)
    plan, *records, end = watcher.seen
    assert (plan.model, plan.epochs, plan.n_train, plan.n_validation) == ("dense", 3, 180, 20)
    assert plan.learning_rate == pytest.approx(ae.describe()["learning_rate"])
    assert [record.as_dict() for record in records] == ae.history_
    assert end == "end"


def test_callbacks_are_told_of_steps(small, monkeypatch):
    class Steps(Callback):
        last = None

        def on_step_end(self, step, n_steps):
            self.last = step, n_steps

    monkeypatch.setattr("latentmap.training.loop._TELL_EVERY", 0)
    steps = Steps()
    quick(epochs=2, batch_size=60, callbacks=[steps]).fit(small.train.images)
    assert steps.last == (6, 6)


def test_callbacks_are_told_of_one_pass_by_partial_fit(small):
    watcher = Watcher()
    quick(callbacks=[watcher], epochs=9).partial_fit(small.train.images)
    plan, *records, _ = watcher.seen
    assert (plan.epochs, plan.n_train, plan.n_validation, len(records)) == (1, 200, 0, 1)


@pytest.mark.filterwarnings("ignore:training diverged")
def test_callbacks_are_told_of_the_end_after_a_failure(vectors):
    watcher = Watcher()
    with pytest.raises(TrainingError):
        quick(learning_rate=1e30, callbacks=[watcher]).fit(vectors)
    assert watcher.seen[-1] == "end"


def test_a_callback_that_raises_stops_training(small):
    class Stop(Callback):
        def on_epoch_end(self, _record):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(epochs=50, callbacks=[Stop()]).fit(small.train.images)


def test_verbose_writes_a_line_an_epoch_to_standard_error(small, capsys):
    quick(epochs=3, verbose=1).fit(small.train.images)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[:2] for line in err.splitlines()] == [["epoch", f"{i}/3"] for i in (1, 2, 3)]
    quick(verbose=1).fit(small.train.images.astype(np.uint16) * 16)
    assert capsys.readouterr().err.startswith("pixels from 0 to 4,095 are taken as black to white\nepoch ")
    quick().fit(small.train.images)
    assert capsys.readouterr() == ("", "")


def test_describe_is_a_flat_table_that_json_can_hold(fitted):
    facts = json.loads(json.dumps(fitted.describe()))
    assert facts["model"] == fitted.model
    assert facts["latent_dim"] == 3
    assert facts["parameters"] == fitted.n_parameters_
    assert facts["sample_shape"] == [8, 8, 1]
    assert facts["latentmap_version"]
    assert not any(isinstance(value, dict) for value in facts.values())


def test_nothing_warns_in_ordinary_use(small, vectors):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for X in (small.train.images, vectors):
            ae = quick().fit(X)
            ae.inverse_transform(ae.transform(X))


@pytest.mark.parametrize("method", ["transform", "score", "partial_fit"])
@pytest.mark.parametrize(("fitted", "given", "message"), [
    ("bytes", "unit", r"0 to 255, got 0 to 1: these are taken as almost black images\. Multiply X by 255\."),
    ("unit", "255", r"0 to 1, got 0 to 255: codes of what lies far outside mean nothing\. Divide X by 255\."),
    ("12 bits", "unit", r"0 to 4,095, got 0 to 1: these are taken as almost black images\."),
    ("12 bits", "bytes", r"0 to 4,095, got uint8: these are taken as almost black images\. Bring X to the range"),
    ("bytes", "12 bits", r"0 to 255, got 0 to 4,095: codes of what lies far outside mean nothing\."),
])  # fmt: skip
def test_images_in_other_units_than_those_of_fit_are_noticed(small, fitted, given, message, method):
    X = small.train.images[:60]
    kinds = {"bytes": X, "unit": X / 255, "255": X.astype(np.float32), "12 bits": X.astype(np.uint16) * 16}
    ae = quick("linear").partial_fit(kinds[fitted])
    with pytest.warns(UserWarning, match=f"^X must be in the units that fit saw, {message}") as caught:
        getattr(ae, method)(kinds[given])
    assert len(caught) == 1


def test_images_in_the_units_of_fit_are_taken_in_silence(small):
    X = small.train.images[:60]
    for fitted, given in ((X, X.astype(int)), (X / 255, X[:5] / 300 - 0.01), (X.astype(np.uint16) * 16, X[:1] * 0.5)):
        quick("linear").fit(fitted).transform(given)
    with pytest.raises(ValueError, match="Divide it by 255"):
        quick("linear").fit(X / 255).transform(X)


def test_tensors_may_have_their_channels_first(small):
    colour = np.repeat(small.train.images, 3, axis=3) // np.array([1, 2, 3], np.uint8)
    first = torch.from_numpy(colour).permute(0, 3, 1, 2)
    ae = quick("linear").fit(first)
    Z = quick("linear").fit(colour).transform(colour)
    np.testing.assert_array_equal(ae.transform(first), Z)
    np.testing.assert_array_equal(
        ae.transform(first.float().requires_grad_()), ae.transform(colour.astype(np.float32))
    )
    assert ae.inverse_transform(Z).shape == colour.shape
    with pytest.raises(ValueError, match=r"Move the channels to the end: X\.transpose\(0, 2, 3, 1\)\."):
        ae.transform(first.numpy())


def test_fit_holds_one_copy_of_float_images_at_most():
    X = RNG.random((6000, 12, 12))
    ae = Autoencoder("linear", epochs=1, random_state=0)
    ae.fit(X[:50])
    tracemalloc.start()
    ae.fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * X.nbytes * 1.2 + 2**21  # half: the copy is of float32


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_number_that_is_none_is_named(value, vectors):
    X = vectors.copy()
    X[41, 3] = X[50, 0] = value
    with pytest.raises(ValueError, match=r"row 41, column 3\. Fill it in, or leave the row out\.$"):
        quick().fit(X)
    with pytest.raises(ValueError, match="row 41, column 'd'"):
        quick().fit(pd.DataFrame(X, columns=list("abcdef")))
    with pytest.raises(ValueError, match=r"row 41, column 3"):
        quick().fit(vectors).transform(X)


def test_in_a_notebook_it_shows_what_was_learned(small):
    ae = Autoencoder("dense", 2, epochs=3, random_state=0)
    assert "Learned" not in ae._repr_mimebundle_()["text/html"]
    ae.fit(small.train.X)
    best = ae.history_[[row["epoch"] for row in ae.history_].index(ae.best_epoch_)]
    for html in (ae._repr_mimebundle_()["text/html"], ae._repr_html_()):
        assert "dense: 8 x 8 x 1 values to 2 and back" in html
        assert f"{ae.n_parameters_:,} parameters" in html
        assert f"3 epochs, the best {ae.best_epoch_}" in html
        assert f"validation loss {best['valid_loss']:.4g}" in html
    with config_context(display="text"):
        assert set(ae._repr_mimebundle_()) == {"text/plain"}
    alone = Autoencoder("dense", 2, epochs=1, validation_fraction=0, random_state=0).fit(small.train.X)
    assert "validation" not in alone._what_was_learned()


def test_in_a_notebook_progress_is_a_bar(small, monkeypatch, capsys):
    IPython = pytest.importorskip("IPython")

    class ZMQInteractiveShell:
        """What the kernel of a notebook calls itself."""

    Autoencoder("dense", 2, epochs=3, random_state=0, verbose=1).fit(small.train.X)
    assert "epoch 3/3  train 0." in capsys.readouterr().err
    monkeypatch.setattr(IPython, "get_ipython", ZMQInteractiveShell)
    Autoencoder("dense", 2, epochs=3, random_state=0, verbose=1).fit(small.train.X)
    said = capsys.readouterr().err
    assert "3/3" in said
    assert "train 0." in said
    assert "\n" not in said.strip()


def test_samples_are_of_all_kinds_also_where_these_take_turns():
    rng = np.random.default_rng(0)
    X = 0.3 * rng.normal(size=(6000, 4))
    X[:, 0] += np.where(np.arange(6000) % 2, 5, -5)
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(X)
    assert 0.4 < (ae.sample(2000, random_state=0)[:, 0] > 0).mean() < 0.6


def test_a_first_piece_that_is_too_small_is_said():
    X = np.random.default_rng(0).normal(size=(4, 9))
    with pytest.warns(UserWarning, match="the first piece has 4 samples, from which codes of 6 numbers cannot start"):
        Autoencoder("linear", 6, random_state=0).partial_fit(X)


def test_what_is_no_array_of_samples_is_refused_at_once(digits):
    class Endless(torch.utils.data.Dataset):
        def __len__(self):
            return 30

        def __getitem__(self, row):
            return torch.zeros(1, 8, 8), row % 3

    with pytest.raises(TypeError, match=r"got Endless\. Read it by load_dataset, and pass its train\.X"):
        Autoencoder(epochs=1).fit(Endless())


def test_masks_are_said_to_be_in_other_units_than_bytes():
    X = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    ae = Autoencoder(epochs=1, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="got 0 to 1: these are taken as almost black images. Multiply X by 255"):
        ae.transform(X > 100)


def test_half_precision_comes_back_in_single(vectors):
    half = vectors.astype(np.float16)
    ae, same = quick().fit(half), quick().fit(half.astype(np.float32))
    assert ae.inverse_transform(ae.transform(half)).dtype == np.float32
    np.testing.assert_array_equal(ae.transform(half), same.transform(half.astype(np.float32)))
    assert ae.settings(half) == same.settings(half.astype(np.float32))


WAYS_TO_WARN = {
    "transform": lambda ae, X, ___: ae.transform(X / 255.0),
    "score": lambda ae, X, ___: ae.score(X / 255.0),
    "score_samples": lambda ae, X, ___: ae.score_samples(X / 255.0),
    "anomaly_score": lambda ae, X, ___: ae.anomaly_score(X / 255.0),
    "a pipeline": lambda ae, X, ___: make_pipeline(ae).transform(X / 255.0),
    "analysis": lambda ae, X, ___: reconstruction_errors(ae, X / 255.0),
    "fit": lambda _, X, ___: quick("dense", 9).fit(flat(X)[:, :4]),
    "fit_transform": lambda _, X, ___: quick("dense", 9).fit_transform(flat(X)[:, :4]),
    "partial_fit": lambda _, X, ___: quick("linear", 6).partial_fit(X[:4]),
    "partial_fit of more": lambda ae, X, ___: copy.deepcopy(ae).partial_fit(X / 255.0),
    "a folder": lambda ae, __, folder: ae.save(folder, metadata={"reading": {"kind": "none"}}),
    "onnx": lambda ae, __, folder: copy.deepcopy(ae).set_params(refine=1).export_onnx(folder),
    "a diverging fit": lambda _, X, ___: quick("dense", 2, epochs=2, learning_rate=1e9).fit(X),
}


@pytest.mark.parametrize("way", WAYS_TO_WARN)
def test_warnings_name_the_line_that_led_to_them(way, small, tmp_path):
    ae, call = quick().fit(small.train.images), WAYS_TO_WARN[way]
    with pytest.warns(UserWarning, match=".") as caught, contextlib.suppress(TrainingError):
        call(ae, small.train.images, tmp_path / "new")
    first = call.__code__.co_firstlineno
    assert {(one.filename, one.lineno) for one in caught} == {(__file__, first)}
