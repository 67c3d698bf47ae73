"""`Autoencoder`: the scikit-learn face of a `FittedModel` and of training: parameters, checks, delegation."""

from __future__ import annotations

import copy
import html
import operator
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from latentmap.checks import (
    Refining,
    check_number,
    check_refine,
    check_share,
    describe_unknown,
    draw_seed,
    explains_unknown,
)
from latentmap.data.codes import code_names
from latentmap.data.objects import as_input, check_codes, check_input
from latentmap.data.preprocessing import Preprocessing, Scaling
from latentmap.errors import ModelFileError, TrainingError, count, warn
from latentmap.models import AutoencoderModule
from latentmap.models.fitted import FittedModel
from latentmap.models.layers import Description
from latentmap.models.modes import own_modes
from latentmap.models.onnx import export_onnx
from latentmap.training import OBJECTIVES, Callback
from latentmap.training.checkpoints import Checkpoints, read_settings
from latentmap.training.fitting import check_network_stays, check_parameters, learn, settings_of, untrained

# What fitting leaves behind, besides parameters.
_LEARNED = ("_fitted", "n_features_in_", "feature_names_in_")


def _of_model(name: str) -> Any:
    """An attribute that is the fitted model's."""

    def read(self: Autoencoder) -> Any:
        if "_fitted" not in vars(self):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet. Call fit first.")
        return operator.attrgetter(name)(self._fitted)

    return property(read, lambda self, value: setattr(self._fitted, name, value), doc="See Attributes of the class.")


class Autoencoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn to encode images or vectors into a few numbers, and to decode them back.

    Drops in where `sklearn.decomposition.PCA` stood: `fit`, `transform`, `inverse_transform`, in pipelines and grid
    searches. Labels are never used.

    Parameters
    ----------
    model : {"auto", "dense", "strided", "residual", "conv", "linear"} or (Module, Module), default "auto"
        The architecture: ``"dense"`` is small and quick, ``"strided"`` is for photographs, ``"residual"`` gives the
        best codes of handwriting and the best maps, ``"conv"`` is tiny, ``"linear"`` does what PCA does; ``"strided"``
        and ``"conv"`` take images only. ``"auto"`` takes what suits the data, see `model_`. Or a network of your own,
        as a pair of ``torch.nn.Module``: an encoder (n, *shape) -> (n, latent_dim) and a decoder back; images come as
        (n, channels, height, width) with pixels from 0 to 1, vectors scaled. It begins with the weights it has.
    latent_dim : int, optional
        How many numbers a code has. By default 2, and for ``"conv"`` its innermost map (64 for 32x32 images).
    model_params : dict, optional
        Sizes of the architecture: ``hidden`` of ``"dense"``, ``width`` and ``depth`` of ``"residual"``,
        ``channels`` of ``"strided"``.
    objective : {"reconstruction", "neighbors", "denoising", "variational"}, default "reconstruction"
        What training makes small: the error of reconstructions; that, and the loss of neighbours (a map that tells
        groups apart); the error under noise on the input; or the bound of a variational autoencoder (new samples,
        even walks).
    objective_params : dict, optional
        Settings of the objective: ``weight`` and ``n_neighbors`` for ``"neighbors"``, ``noise`` and ``masking`` for
        ``"denoising"``, ``beta`` and ``warm_up`` for ``"variational"``.
    epochs : int or "auto", default "auto"
        Passes over the training samples; ``"auto"`` chooses enough from their number.
    batch_size : int or "auto", default "auto"
        Samples per step.
    learning_rate : float or "auto", default "auto"
        The highest of the schedule.
    validation_fraction : float, default 0.1
        The part of the samples by which epochs are judged (at most 5,000 samples); the best epoch's weights are kept.
        0 keeps none.
    patience : int, "auto" or None, default "auto"
        Stop after so many epochs without a better one; None never does. ``"auto"`` takes a third of the epochs where
        their number is left to it too, of 1,000 samples and more, where the objective is an error.
    precision : {"auto", "float32", "bfloat16"}, default "auto"
        Of the arithmetic while learning; ``"auto"`` takes bfloat16 where the machine has it in hardware and the
        architecture gains by it. Weights, encoding and decoding are float32 always.
    augmentation : {"auto", "none", "affine", "elastic", "crop"}, default "auto"
        What is done to images before they are learned from: ``"affine"`` moves, turns and stretches them a little,
        ``"elastic"`` bends them besides, both but in the last fifth of the epochs; ``"crop"`` mirrors half and moves
        all by up to two pixels, but mirrors alone in the last two epochs; ``"auto"`` leaves it to the architecture,
        and to how long codes are. Vectors are never changed.
    weight_decay : float or "auto", default "auto"
        How fast weights shrink: each step takes ``learning_rate * weight_decay`` of them.
    scaling : {"auto", "standard", "global"}, default "auto"
        How vectors are scaled inside: each feature by its standard deviation, or all by one; ``"auto"`` takes one
        scale where the features have one unit. Images need no scaling. Results are in the units of `X` always.
    refine : "auto" or int, default "auto"
        How `transform`, `score` and their like bring the encoder's codes nearer to those from which the decoder draws
        each sample best. ``"auto"`` corrects them by what the encoder makes of their own drawings (twicing), or not
        where `fit` finds that this gains nothing; encoding takes three to eight times as long by it. 0 leaves codes as
        the encoder gives them. A number takes as many steps (Levenberg-Marquardt): no sample's error grows by it, and
        one or two often save a quarter; each takes a few times as long as decoding `latent_dim` samples for one. It
        plays no part in learning, and can be set after `fit`. Codes that are looked at, or are features, gain nothing
        by steps. Maps (``"neighbors"``), codes of a prior (``"variational"``) and those of noisy samples
        (``"denoising"``) are never corrected, and best left as they are.
    device : str, default "auto"
        ``"cpu"``, ``"cuda"``, ``"mps"``, or the fastest there is.
    callbacks : sequence of Callback, default ()
        Told of training's beginning, of each epoch, and of its end.
    random_state : int, RandomState or None, default None
        Seeds everything that is random. With an int, fitting twice on one machine gives the same weights bit for bit.
    verbose : int, default 0
        1 writes a line an epoch to standard error (in a notebook it moves a bar), and which values of images that are
        not uint8 are black and white.

    Attributes
    ----------
    model_ : str
        The architecture's name: `model`, or what ``"auto"`` came to.
    module_ : AutoencoderModule
        The network, in evaluation mode.
    preprocessing_ : Preprocessing
        From samples to network input and back.
    latent_dim_ : int
        How many numbers a code has.
    n_parameters_ : int
        How many numbers the network consists of, those of a linear path too.
    n_iter_ : int
        Epochs trained; fewer than `epochs` where patience ran out.
    history_ : list of dict
        One row an epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``learning_rate``, ``seconds``; the first is epoch
        0, before the first step, where the network began as principal component analysis.
    best_epoch_ : int
        The epoch whose weights were kept; 0 where none was better than principal component analysis.
    seed_ : int
        What `random_state` came to.
    settings_ : dict or None
        What `settings` gave for the data that `fit` saw, where a checkpoint was kept.
    prior_is_normal_ : bool
        Whether codes were drawn towards a standard normal distribution, as a variational model's are.
    metadata_ : dict
        What `save` was given to remember.
    n_features_in_ : int
        Numbers in a sample.
    feature_names_in_ : ndarray of str
        Where `fit` saw a data frame with named columns.

    Notes
    -----
    Fits in several threads at once are those alone. A process forked after `fit` goes on with one thread, since
    PyTorch's are not there; start workers with ``spawn``, or load the saved model in the worker, for all cores.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=5, random_state=0).fit(digits.train.images)
    >>> Z = ae.transform(digits.test.images)
    >>> Z.shape, ae.inverse_transform(Z).shape
    ((360, 2), (360, 32, 32, 1))
    """

    _fitted: FittedModel
    model_: str = _of_model("name")
    module_: AutoencoderModule = _of_model("module")
    preprocessing_: Preprocessing = _of_model("preprocessing")
    latent_dim_: int = _of_model("latent_dim")
    n_parameters_: int = _of_model("module.n_parameters")
    n_iter_: int = _of_model("n_iter")
    history_: list[dict[str, Any]] = _of_model("history")
    best_epoch_: int = _of_model("best_epoch")
    seed_: int = _of_model("seed")
    settings_: dict[str, Any] | None = _of_model("settings")
    metadata_: dict[str, Any] = _of_model("metadata")
    prior_is_normal_: bool = _of_model("prior_is_normal")

    @explains_unknown
    def __init__(
        self,
        model: str | tuple[nn.Module, nn.Module] = "auto",
        latent_dim: int | None = None,
        *,
        model_params: dict[str, Any] | None = None,
        objective: str = "reconstruction",
        objective_params: dict[str, Any] | None = None,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        validation_fraction: float = 0.1,
        patience: int | str | None = "auto",
        precision: str = "auto",
        augmentation: str = "auto",
        weight_decay: float | str = "auto",
        scaling: Scaling = "auto",
        refine: Refining = "auto",
        device: str = "auto",
        callbacks: Sequence[Callback] = (),
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.latent_dim = latent_dim
        self.model_params = model_params
        self.objective = objective
        self.objective_params = objective_params
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.precision = precision
        self.augmentation = augmentation
        self.weight_decay = weight_decay
        self.scaling = scaling
        self.refine = refine
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as scikit-learn does; `ValueError` for one that there is not.

        Examples
        --------
        >>> from latentmap import Autoencoder
        >>> Autoencoder().set_params(latent_dim=8).latent_dim
        8
        """
        names = (name.partition("__")[0] for name in params)
        if wrong := describe_unknown(type(self).__name__, names, self._get_param_names()):
            raise ValueError(wrong)
        super().set_params(**params)
        return self

    # ---- learning -------------------------------------------------------------------------------------------------

    @own_modes()
    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        checkpoint_every: float = 30.0,
    ) -> Self:
        """Learn to encode and decode samples like these.

        A fit that fails, is refused or interrupted leaves the estimator as it was before.

        Parameters
        ----------
        X : array, shape (n, n_features), (n, height, width) or (n, height, width, channels)
            Vectors of any scale, or images: uint8 0..255, whole numbers of 10, 12, 14 or 16 bits, floats from 0 to
            1, -1 to 1 or 0 to 255 with a little slack, or of any other range, which becomes the model's. A tensor may
            have its channels first. Images mapped from a file (``np.load(path, mmap_mode="r")``), of more than 256
            MiB, are read from there piece by piece where they are uint8, or float32 from 0 to 1.
        y : ignored
            Here for scikit-learn's sake.
        checkpoint : path, optional
            A folder, or the address of one in object storage (``"s3://bucket/run"``), to keep a checkpoint in while
            learning. Ctrl-C then stops after the present step and saves.
        resume : bool, default False
            Go on from the checkpoint, where there is one: the result is that of a run without interruption, bit for
            bit on one machine. Otherwise learning begins anew, and the checkpoint that is there is replaced.
        checkpoint_every : float, default 30
            Seconds between two checkpoints.

        Returns
        -------
        Autoencoder
            Itself.

        Raises
        ------
        ValueError, TypeError
            If `X` or a parameter is unusable.
        TrainingError
            If the loss is no longer a sensible number, even after one more try at a lower learning rate. Where an
            epoch had gone well, its weights are kept and the estimator can be used.
        CheckpointError
            If the checkpoint is damaged, or of other settings or data; the first that differs is named.
        OutputError
            If the checkpoint cannot be written, the former one stays whole; or if another run is writing it.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(epochs=3, random_state=0).fit(X)
        >>> ae.model_, ae.latent_dim_, ae.n_iter_
        ('dense', 2, 3)
        """
        if checkpoint_every != float("inf"):  # at the end alone, or where it is interrupted
            check_share("checkpoint_every", checkpoint_every, most=None)
        if resume and checkpoint is None:
            raise ValueError("resume=True needs the checkpoint to go on from. Name its folder: checkpoint=...")
        parameters, new = self._parameters(), copy.copy(self)
        objective = check_parameters(parameters)
        samples = check_input(new, X)
        former = read_settings(checkpoint) if checkpoint is not None and resume else None
        # Without a random_state the seed was drawn, and is known to the checkpoint alone.
        seed = former.get("seed") if former and self.random_state is None else None
        new._fitted = untrained(samples, parameters, objective, getattr(new, "feature_names_in_", None), seed)
        checkpoints = None
        if checkpoint is not None:
            checkpoints = Checkpoints(
                checkpoint, {**self.settings(samples), "seed": new.seed_}, every=checkpoint_every
            )
        with checkpoints or nullcontext():
            problem = learn(new._fitted, samples, parameters, objective, checkpoints=checkpoints, resume=resume)
        return self._become(new, problem)

    @own_modes()
    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn from one more piece of the data, in one pass over it.

        The first piece decides the preprocessing, so it should be like the rest. Beside each piece as many of the
        samples before are learned from again, 512 at least where so many are kept, so that less is forgotten: of
        pieces 5,000 are held in memory (64 MB at most); for those that `fit` saw, and in a loaded model, stand samples
        that the model draws. A piece that is read from a mapped file, of more than 256 MiB, is learned from alone.

        The learning rate is constant: a third of `fit`'s highest, after `fit` a tenth, and less for the smaller steps
        of small pieces. Raise `learning_rate` where what comes is of another kind than what was learned. No part is
        kept for validation.

        Parameters
        ----------
        X : array, shape as for `fit`
            The piece.
        y : ignored
            Here for scikit-learn's sake.

        Returns
        -------
        Autoencoder
            Itself.

        Raises
        ------
        ValueError, TypeError
            If `X` or a parameter is unusable, `X` has another shape than the first piece, or `model`, `latent_dim` or
            `model_params` are no longer those that the network was built by.

        Examples
        --------
        >>> import numpy as np
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, random_state=0)
        >>> for piece in np.array_split(X, 4):
        ...     _ = ae.partial_fit(piece)
        >>> ae.n_iter_
        4
        """
        parameters, new = self._parameters(), copy.copy(self)
        objective = check_parameters(parameters)
        if hasattr(self, "_fitted"):
            check_network_stays(self._fitted, parameters)
            samples = check_input(new, X, self.preprocessing_)
            new._fitted = self._fitted.copy()
        else:
            samples = check_input(new, X)
            names = getattr(new, "feature_names_in_", None)
            new._fitted = untrained(samples, parameters, objective, names, piecewise=True)
            if len(samples) <= (wanted := new._fitted.module.n_components):
                warn(
                    f"the first piece has {len(samples)} samples, from which codes of {wanted} numbers cannot start: "
                    "some may stay without use. Begin with a larger piece."
                )
        problem = learn(new._fitted, samples, parameters, objective, piecewise=True)
        return self._become(new, problem)

    @property
    def _model(self) -> FittedModel:
        """The fitted model; scikit-learn's error where there is none."""
        check_is_fitted(self, "module_")
        return self._fitted

    @property
    def _refine(self) -> Refining:
        """How codes are refined."""
        return check_refine(self.refine)

    def _recorded(self) -> FittedModel:
        """The fitted model, which then knows `refine` as it was set last."""
        model = self._model
        model.info = {**model.info, "parameters": {**(model.info.get("parameters") or {}), "refine": self._refine}}
        return model

    def _parameters(self) -> dict[str, Any]:
        """Parameters by name, those too that the constructor of a subclass leaves as they are."""
        return {**{name: getattr(self, name) for name in Autoencoder._get_param_names()}, **self.get_params()}

    def _become(self, new: Autoencoder, problem: str | None) -> Self:
        """Take over what a copy has learned, in one step that nothing can interrupt."""
        own = {name: value for name, value in vars(self).items() if name not in _LEARNED}
        self.__dict__ = own | {name: value for name, value in vars(new).items() if name in _LEARNED}
        if problem is not None:
            raise TrainingError(problem)
        return self

    def settings(self, X: ArrayLike) -> dict[str, Any]:
        """Return all that decides what `fit` would learn from these samples: parameters, seed, and a digest of `X`.

        Parameters
        ----------
        X : array, shape as for `fit`
            The samples.

        Returns
        -------
        dict
            As JSON can hold it.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> Autoencoder(random_state=0).settings(X)["shape of the data"]
        [100, 8, 8, 1, 'uint8']
        """
        return settings_of(self._parameters(), np.asarray(as_input(X)))

    # ---- using ----------------------------------------------------------------------------------------------------

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the codes of samples.

        A sample's code does not depend on what else is in the call.

        Parameters
        ----------
        X : array, shape (n, *sample_shape)
            In the shape and units that `fit` saw.

        Returns
        -------
        ndarray of float32, shape (n, latent_dim_)

        Raises
        ------
        ValueError
            If `X` has another shape than what `fit` saw, or is not finite.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> ae.transform(X).shape
        (100, 2)
        """
        return self._model.encode(check_input(self, X, self.preprocessing_), self._refine)

    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.floating]:
        """Return the samples that codes stand for.

        Parameters
        ----------
        Z : array or data frame, shape (n, latent_dim_)
            Codes.

        Returns
        -------
        ndarray of float, shape (n, *sample_shape)
            In the shape and units that `fit` saw; uint8 images come back as float32 from 0 to 255, not rounded.

        Raises
        ------
        ValueError
            If `Z` does not have `latent_dim_` columns of finite numbers.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> ae.inverse_transform([[0.5, -1.0]]).shape
        (1, 8, 8, 1)
        """
        return self._model.decode(check_codes(Z, self.latent_dim_))

    def sample(self, n: int = 1, *, random_state: int | np.random.RandomState | None = None) -> NDArray[np.floating]:
        """Return new samples, decoded from codes drawn at random.

        The codes are drawn from the prior, a standard normal distribution, with ``objective="variational"``, and
        otherwise from a mixture of 10 normal distributions fitted to the codes of 5,000 training samples (after
        `partial_fit`, of samples from all pieces; what the model draws stands for those before a copy or loading).

        Parameters
        ----------
        n : int, default 1
            How many.
        random_state : int, RandomState or None, default None
            Seeds the drawing.

        Returns
        -------
        ndarray of float, shape (n, *sample_shape)
            As `inverse_transform` gives them.

        Raises
        ------
        ValueError
            If `n` is not a whole number of at least 1, or the model was saved when none was kept.

        References
        ----------
        P. Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> ae.sample(3, random_state=0).shape
        (3, 8, 8, 1)
        """
        model = self._model
        check_number("n", n, whole=True)
        return model.sample(int(n), draw_seed(random_state))

    def score_samples(self, X: ArrayLike, y: object = None) -> NDArray[np.float64]:
        """Return minus the reconstruction error of each sample: higher is better.

        Parameters
        ----------
        X : array, shape (n, *sample_shape)
            In the shape and units that `fit` saw.
        y : ignored
            Here for scikit-learn's sake.

        Returns
        -------
        ndarray of float64, shape (n,)
            Minus the mean squared error over a sample's values, in squared units of `X`. Where `fit` saw vectors
            whose features are in different units (what `scaling="auto"` divides one by one), each feature's
            error counts in its standard deviations there, or the largest numbers would decide alone. Of data near
            that limit the parts of a cross-validation may differ in it: scale `X` in a pipeline then. Errors below
            1e-160 have squares of 0; multiply such `X` first.

        Examples
        --------
        >>> import numpy as np
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> scores = ae.score_samples(np.concatenate([X, 255 - X[:1]]))  # the last one a negative
        >>> int(scores.argmin())
        100
        """
        return -self._model.errors(check_input(self, X, self.preprocessing_), self._refine)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return minus the mean squared error over samples: higher is better; see `score_samples`.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> short, long = (Autoencoder("linear", k, epochs=1, random_state=0).fit(X) for k in (2, 16))
        >>> long.score(X) > short.score(X)
        True
        """
        return float(self.score_samples(X, y).mean())

    def anomaly_score(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the reconstruction error of each sample, minus its `score_samples`: higher is stranger.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> negative = 255 - X[:1]
        >>> bool(ae.anomaly_score(negative)[0] > ae.anomaly_score(X).max())
        True
        """
        return -self.score_samples(X)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of a code's numbers, as figures have them: z1, z2, ...

        Parameters
        ----------
        input_features : ignored
            Here for scikit-learn's sake.

        Returns
        -------
        ndarray of str, shape (latent_dim_,)

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> ae.get_feature_names_out().tolist()
        ['z1', 'z2']
        """
        return np.asarray(code_names(self._model.latent_dim), dtype=object)

    # ---- files ----------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, metadata: Mapping[str, Any] | None = None) -> None:
        """Save the fitted model as a folder, without any training data; a model that is there is replaced.

        Parameters
        ----------
        path : path
            The folder to make: ``model.safetensors``, ``config.json`` and ``history.jsonl``.
        metadata : mapping, optional
            What else to remember, as JSON can hold it: the classes' names, say. `load` gives it back as `metadata_`.

        Raises
        ------
        OutputError
            If `path` holds something else, or cannot be written. The old model stays whole.

        Examples
        --------
        >>> import os, tempfile
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ae.save(f"{folder}/model", metadata={"by": "me"})
        ...     sorted(os.listdir(f"{folder}/model"))
        ['config.json', 'history.jsonl', 'model.safetensors']
        """
        self._recorded().save(path, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, model: tuple[nn.Module, nn.Module] | None = None) -> Autoencoder:
        """Load a model that `save` wrote; its codes are bit-equal to those before.

        Parameters
        ----------
        path : path
            The folder.
        model : (Module, Module), optional
            Of a network of your own the modules, of the same layers, whatever their weights: a file holds none.

        Returns
        -------
        Autoencoder
            Fitted.

        Raises
        ------
        ModelFileError
            If it is no model folder, or not as it was written.

        Examples
        --------
        >>> import tempfile
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ae.save(f"{folder}/model")
        ...     same = Autoencoder.load(f"{folder}/model")
        >>> bool((same.transform(X) == ae.transform(X)).all())
        True
        """
        fitted = FittedModel.load(path, model)
        recorded = fitted.info.get("parameters") or {}
        loaded = cls(**{name: value for name, value in recorded.items() if name in cls._get_param_names()})
        loaded._fitted = fitted
        try:
            check_refine(loaded.refine)  # the others are checked by `fit`
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"{path} has a damaged entry: {error}") from error
        if recorded.get("model") != "auto":
            loaded.model = model or fitted.name
        objective = OBJECTIVES.get(str(fitted.info.get("objective")))
        fitted.prior_is_normal = objective is not None and objective.prior_is_normal
        loaded.n_features_in_ = fitted.preprocessing.n_values
        if fitted.feature_names:
            loaded.feature_names_in_ = np.asarray(fitted.feature_names, dtype=object)
        return loaded

    def export_onnx(self, path: str | os.PathLike[str]) -> float:
        """Write ``encoder.onnx`` and ``decoder.onnx``, preprocessing included, and check them against PyTorch.

        Parameters
        ----------
        path : path
            The folder to make; a former export is replaced.

        Returns
        -------
        float
            The largest difference from PyTorch seen; codes relative to their size, images with pixels in [0, 1].

        Raises
        ------
        MissingExtraError
            If the extra ``onnx`` is not installed.
        ModelFileError
            If the difference is above 1e-4, or `X` lies so far from zero that float32 can't tell it apart; nothing is
            written then.
        OutputError
            If `path` holds something else, or cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ae.export_onnx(f"{folder}/onnx") < 1e-4
        True
        """
        if self._refine not in ("auto", 0):
            warn("files of ONNX take no steps: their codes are those of refine='auto'.")
        return export_onnx(path, self._model, self._refine)

    def describe_layers(self) -> Description:
        """Return the network's layers as data, for those who compute them without PyTorch.

        Raises
        ------
        LayerError
            If the network has a layer that only PyTorch knows.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(X)
        >>> [layer["kind"] for layer in ae.describe_layers().facts["encoder"]]
        ['flatten', 'linear']
        """
        return self._model.describe_layers(self._refine)

    def describe(self) -> dict[str, Any]:
        """Return what the fitted model is and how it was learned, as one flat table of facts.

        Examples
        --------
        >>> from latentmap import Autoencoder, load_dataset
        >>> X = load_dataset("digits", size=8).limit(100).train.images
        >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(X)
        >>> facts = ae.describe()
        >>> facts["model"], facts["n_train"], facts["n_validation"]
        ('dense', 90, 10)
        """
        return self._recorded().describe()

    def _repr_html_inner(self) -> str:
        """What notebooks show: scikit-learn's table of parameters, and what was learned."""
        return str(super()._repr_html_inner()) + self._what_was_learned()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """The same, for the notebooks that ask in this way."""
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += self._what_was_learned()
        return bundle

    def _what_was_learned(self) -> str:
        """What the network is and what it reached, in a few words; nothing before `fit`."""
        if not hasattr(self, "_fitted"):
            return ""
        shape = self.preprocessing_.sample_shape
        best = next((row["valid_loss"] for row in self.history_ if row["epoch"] == self.best_epoch_), None)
        facts = [
            f"{self.model_}: {' x '.join(map(str, shape))} values to {self.latent_dim_} and back",
            f"{self.n_parameters_:,} parameters",
            count(self.n_iter_, "epoch") + (f", the best {self.best_epoch_}" if best is not None else ""),
            *([f"validation loss {best:.4g}"] if best is not None else []),
        ]
        return f"<p>Learned: {html.escape(' · '.join(facts))}</p>"

    def __sklearn_tags__(self) -> Tags:
        """Say what input is taken; codes are float32 whatever the input."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.non_deterministic = False
        return tags
