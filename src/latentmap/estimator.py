"""`Autoencoder`: the scikit-learn face of a `FittedModel` and of training: parameters, checks, delegation."""

from __future__ import annotations

import copy
import functools
import operator
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

import latentmap
from latentmap.checks import check_choice, check_number, check_share, describe_unknown, draw_seed
from latentmap.data.objects import check_images, check_units, name_first_gap, tensor_to_array
from latentmap.data.preprocessing import (
    SCALINGS,
    Preprocessing,
    Scaling,
    measuring_unit,
    range_in_words,
)
from latentmap.errors import TrainingError
from latentmap.models import MODELS, AutoencoderModule
from latentmap.models.base import build
from latentmap.models.fitted import FittedModel, check_size, digest_of
from latentmap.models.modes import own_modes
from latentmap.training import OBJECTIVES, Callback, PrintEpochs, TrainingPlan, train
from latentmap.training.augmentation import AUGMENTATIONS
from latentmap.training.checkpoints import Checkpoints, read_settings
from latentmap.training.objectives import Objective, make_objective
from latentmap.training.plan import auto_batch_size, auto_epochs
from latentmap.training.runtime import PRECISIONS, choose_device, choose_precision
from latentmap.training.streamed import make_batches

# What fitting leaves behind, besides parameters.
_LEARNED = ("_fitted", "n_features_in_", "feature_names_in_")
_P = ParamSpec("_P")


def _of_model(name: str) -> Any:
    """An attribute that is the fitted model's."""
    return property(operator.attrgetter(f"_fitted.{name}"), lambda self, value: setattr(self._fitted, name, value))


def _with_hints(
    initialize: Callable[Concatenate[Autoencoder, _P], None],
) -> Callable[Concatenate[Autoencoder, _P], None]:
    """Let a constructor say what was meant by a parameter that there is not."""

    @functools.wraps(initialize)
    def checked(self: Autoencoder, *args: _P.args, **parameters: _P.kwargs) -> None:
        if wrong := self._unknown(parameters):
            raise TypeError(wrong)
        initialize(self, *args, **parameters)

    return checked  # type: ignore[return-value]  # to mypy, `wraps` gives `self` a name


class Autoencoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn to encode images or vectors into a few numbers, and to decode them back.

    Drops in where `sklearn.decomposition.PCA` stood: `fit`, `transform`, `inverse_transform`, in pipelines and grid
    searches. Labels are never used.

    Parameters
    ----------
    model : {"dense", "residual", "conv", "linear"}, default "dense"
        The architecture: ``"dense"`` is small and quick, ``"residual"`` gives the best codes, ``"conv"`` is tiny and
        takes images only, ``"linear"`` does what PCA does.
    latent_dim : int, optional
        How many numbers a code has. By default 2, and for ``"conv"`` its innermost map (64 for 32x32 images).
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
    patience : int, optional
        Stop after so many epochs without a better one. By default all epochs are carried out.
    precision : {"auto", "float32", "bfloat16"}, default "auto"
        Of the arithmetic while learning; ``"auto"`` takes bfloat16 where the machine has it in hardware and the
        architecture gains by it. Weights, encoding and decoding are float32 always.
    augmentation : {"auto", "none", "affine"}, default "auto"
        ``"affine"`` moves, turns and stretches images a little before they are learned from, except in the last fifth
        of the epochs; ``"auto"`` leaves it to the architecture. Vectors are never changed.
    weight_decay : float or "auto", default "auto"
        How fast weights shrink: each step takes ``learning_rate * weight_decay`` of them.
    scaling : {"auto", "standard", "global"}, default "auto"
        How vectors are scaled inside: each feature by its standard deviation, or all by one; ``"auto"`` takes one
        scale where the features have one unit. Images need no scaling. Results are in the units of `X` always.
    device : str, default "auto"
        ``"cpu"``, ``"cuda"``, ``"mps"``, or the fastest there is.
    callbacks : sequence of Callback, default ()
        Told of training's beginning, of each epoch, and of its end.
    random_state : int, RandomState or None, default None
        Seeds everything that is random. With an int, fitting twice on one machine gives the same weights bit for bit.
    verbose : int, default 0
        1 writes a line an epoch to standard error, and which values of images that are not uint8 are black and white.

    Attributes
    ----------
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
    module_: AutoencoderModule = _of_model("module")
    preprocessing_: Preprocessing = _of_model("preprocessing")
    latent_dim_: int = _of_model("latent_dim")
    n_parameters_: int = _of_model("n_parameters")
    n_iter_: int = _of_model("n_iter")
    history_: list[dict[str, Any]] = _of_model("history")
    best_epoch_: int = _of_model("best_epoch")
    seed_: int = _of_model("seed")
    settings_: dict[str, Any] | None = _of_model("settings")
    metadata_: dict[str, Any] = _of_model("metadata")
    prior_is_normal_: bool = _of_model("prior_is_normal")

    @_with_hints
    def __init__(
        self,
        model: str = "dense",
        latent_dim: int | None = None,
        *,
        objective: str = "reconstruction",
        objective_params: dict[str, Any] | None = None,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = None,
        precision: str = "auto",
        augmentation: str = "auto",
        weight_decay: float | str = "auto",
        scaling: Scaling = "auto",
        device: str = "auto",
        callbacks: Sequence[Callback] = (),
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.latent_dim = latent_dim
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
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as scikit-learn does; `ValueError` for one that there is not."""
        if wrong := self._unknown(name.partition("__")[0] for name in params):
            raise ValueError(wrong)
        super().set_params(**params)
        return self

    def _unknown(self, names: Iterable[str]) -> str | None:
        """What is wrong with the first of these names that is no parameter."""
        return describe_unknown(type(self).__name__, names, self._get_param_names())

    # ---- learning -------------------------------------------------------------------------------------------------

    @own_modes()
    def fit(
        self,
        X: ArrayLike,
        y: object = None,  # noqa: ARG002  # scikit-learn passes y
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
            A folder to keep a checkpoint in while learning. Ctrl-C then stops after the present step and saves.
        resume : bool, default False
            Go on from the checkpoint, where there is one: the result is that of a run without interruption, bit for
            bit on one machine.
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
        """
        objective, new = self._check_parameters(), self._aside()
        samples = new._check_samples(X, reset=True)
        former = read_settings(checkpoint) if checkpoint is not None and resume else None
        # Without a random_state the seed was drawn, and is known to the checkpoint alone.
        new._start(samples, seed=former.get("seed") if former and self.random_state is None else None)
        checkpoints = None
        if checkpoint is not None:
            checkpoints = Checkpoints(checkpoint, {**new.settings(samples), "seed": new.seed_}, every=checkpoint_every)
        with checkpoints or nullcontext():
            problem = new._learn(samples, objective, checkpoints=checkpoints, resume=resume)
        self._become(new, problem)
        return self

    @own_modes()
    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002  # scikit-learn passes y
        """Learn from one more piece of the data, in one pass over it.

        The first piece decides the preprocessing, so it should be like the rest. The learning rate is constant, a
        third of `fit`'s highest, and no part is kept for validation.

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
            If `X` or a parameter is unusable, or `X` has another shape than the first piece.
        """
        objective, new = self._check_parameters(), self._aside()
        first = not hasattr(self, "_fitted")
        if not first:
            new.__dict__ |= {name: value for name, value in vars(self).items() if name in _LEARNED}
            new._fitted = self._fitted.copy()
            new._fitted.recall_some()
        samples = new._check_samples(X, reset=first)
        if first:
            new._start(samples)
        problem = new._learn(samples, objective, piecewise=True)
        self._become(new, problem)
        return self

    def _aside(self) -> Self:
        """An estimator with the same parameters to learn in, so that this one stays what it is until that is done."""
        new = object.__new__(type(self))
        new.__dict__ = {name: value for name, value in vars(self).items() if name not in _LEARNED}
        return new

    def _become(self, new: Autoencoder, problem: str | None) -> None:
        """Take over what another estimator has learned, in one step that nothing can interrupt."""
        own = {name: value for name, value in vars(self).items() if name not in _LEARNED}
        self.__dict__ = own | {name: value for name, value in vars(new).items() if name in _LEARNED}
        if problem is not None:
            raise TrainingError(problem)

    def _start(self, samples: NDArray[Any], seed: int | None = None) -> None:
        """Choose seed and preprocessing, and build an untrained network."""
        seed = draw_seed(self.random_state) if seed is None else seed
        preprocessing = Preprocessing.fit(samples, self.scaling)
        if self.verbose and preprocessing.is_images and not preprocessing.is_raw:
            black_to_white = range_in_words(preprocessing.pixel_range)
            sys.stderr.write(f"pixels from {black_to_white} are taken as black to white\n")
        latent_dim = {} if self.latent_dim is None else {"latent_dim": int(self.latent_dim)}
        architecture, shape = MODELS[self.model], preprocessing.tensor_shape
        config = architecture.config_for(shape, latent_dim.get("latent_dim"))
        module = build(architecture, seed, sample_shape=shape, **latent_dim, **config)
        if latent_dim and module.latent_dim > preprocessing.n_values:
            warnings.warn(
                f"latent_dim is {module.latent_dim}, more than the {preprocessing.n_values} numbers of a sample: "
                "the code compresses nothing.",
                stacklevel=4,
            )
        names = [str(name) for name in getattr(self, "feature_names_in_", [])]
        self._fitted = FittedModel(self.model, module, preprocessing, {"seed": seed}, feature_names=names or None)

    def _plan(self, n_samples: int, objective: Objective, device: torch.device) -> TrainingPlan:
        """Settle what is left on "auto"."""
        recipe = objective.adapt(self.module_.recipe)
        batch_size = auto_batch_size(recipe, n_samples) if self.batch_size == "auto" else int(self.batch_size)
        augmentation = recipe.augmentation if self.augmentation == "auto" else self.augmentation
        return TrainingPlan(
            self._fitted.name,
            auto_epochs(recipe, n_samples, batch_size) if self.epochs == "auto" else int(self.epochs),
            batch_size,
            recipe.learning_rate if self.learning_rate == "auto" else float(self.learning_rate),
            patience=self.patience,
            precision=choose_precision(self.precision, device, pays=recipe.bfloat16_pays),
            augmentation=augmentation if self.preprocessing_.is_images else "none",
            weight_decay=recipe.weight_decay if self.weight_decay == "auto" else float(self.weight_decay),
            objective=self.objective,
        )

    def _learn(
        self,
        samples: NDArray[Any],
        objective: Objective,
        *,
        piecewise: bool = False,
        checkpoints: Checkpoints | None = None,
        resume: bool = False,
    ) -> str | None:
        """Train the network on these samples and record what happened; what went wrong after a good epoch."""
        model, device, start = self._fitted, choose_device(self.device), time.perf_counter()
        plan = self._plan(len(samples), objective, device)
        if piecewise:
            plan = replace(plan, epochs=1, learning_rate=plan.learning_rate / 3, decay=False, patience=None)
        former = (model.info.get("objective"), model.info.get("objective_params")) if model.n_iter else ()
        result = train(
            model.module,
            make_batches(
                model.for_training(samples),
                model.preprocessing,
                plan,
                seed=model.seed + model.n_iter,  # each piece in an order of its own
                validation_fraction=0.0 if piecewise else self.validation_fraction,
                device=device,
            ),
            objective,
            plan,
            callbacks=[*self.callbacks, *([PrintEpochs()] if self.verbose else [])],
            untrained=model.n_iter == 0,
            optimizer_state=model.optimizer_state if former == (self.objective, self.objective_params) else None,
            checkpoints=checkpoints,
            resume=resume,
        )
        if result.best_epoch == 0 and result.start is None:
            raise TrainingError(result.problem)
        unit = model.info.get("error_unit")
        if model.n_iter == 0 and samples.ndim == 2 and self.scaling != "auto":
            unit = np.asarray(measuring_unit(samples)).tolist()
        training = {
            **result.facts(n_before=model.n_iter),
            "samples": len(samples) + (model.n_samples if piecewise else 0),
            "seconds": round(time.perf_counter() - start, 3),
            "device": str(device),
        }
        model.prior_is_normal = objective.prior_is_normal
        model.take_in(samples, piecewise=piecewise)
        model.history += [record.as_dict() for record in result.records]
        model.optimizer_state = result.optimizer_state if piecewise else None
        model.info = {
            "objective": self.objective,
            "objective_params": copy.deepcopy(self.objective_params),
            "error_unit": unit,
            "parameters": {name: value for name, value in self.get_params().items() if _is_json(value)},
            "seed": model.seed,
            "settings": None if checkpoints is None else checkpoints.settings,
            "training": training,
            "versions": _versions(),
        }
        return result.problem

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
        """
        ignored = ("callbacks", "verbose", "random_state", "device")
        parameters = {name: value for name, value in self.get_params().items() if name not in ignored}
        samples = np.ascontiguousarray(_array(X))
        return {
            **{name: value.item() if isinstance(value, np.generic) else value for name, value in parameters.items()},
            "seed": int(self.random_state) if isinstance(self.random_state, (int, np.integer)) else None,
            "shape of the data": [*samples.shape, str(samples.dtype)],
            "digest of the data": digest_of(samples),
        }

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
        """
        check_is_fitted(self, "module_")
        return self._fitted.encode(self._check_samples(X, reset=False))

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
        """
        check_is_fitted(self, "module_")
        try:
            # PyTorch takes neither flipped nor (without a warning) read-only memory.
            codes = check_array(_array(Z), dtype=np.float32, order="C", force_writeable=True, input_name="Z")
        except (ValueError, TypeError) as error:
            raise _in_one_line(error) from error
        if codes.shape[1] != self.latent_dim_:
            raise ValueError(f"Z must have {self.latent_dim_} columns (latent_dim), got {codes.shape[1]}.")
        return self._fitted.decode(codes)

    def sample(self, n: int = 1, *, random_state: int | np.random.RandomState | None = None) -> NDArray[np.floating]:
        """Return new samples, decoded from codes drawn at random.

        The codes are drawn from the prior, a standard normal distribution, with ``objective="variational"``, and
        otherwise from a mixture of 10 normal distributions fitted to the codes of 5,000 training samples (after
        `partial_fit`, of samples from all pieces that it was given since it was made, loaded or copied).

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
        """
        check_is_fitted(self, "module_")
        check_number("n", n, whole=True)
        return self._fitted.sample(int(n), draw_seed(random_state))

    def score_samples(self, X: ArrayLike, y: object = None) -> NDArray[np.float64]:  # noqa: ARG002
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
            whose features are in different units (the widest range above ten times the median one), each feature's
            error counts in its standard deviations there, or the largest numbers would decide alone. Errors
            below 1e-160 have squares of 0; multiply such `X` first.
        """
        check_is_fitted(self, "module_")
        return -self._fitted.errors(self._check_samples(X, reset=False))

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return minus the mean squared error over samples: higher is better; see `score_samples`."""
        return float(self.score_samples(X, y).mean())

    def anomaly_score(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the reconstruction error of each sample, minus its `score_samples`: higher is stranger."""
        return -self.score_samples(X)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Return the names of a code's numbers, as figures have them: z1, z2, ...

        Parameters
        ----------
        input_features : ignored
            Here for scikit-learn's sake.

        Returns
        -------
        ndarray of str, shape (latent_dim_,)
        """
        check_is_fitted(self, "module_")
        return np.asarray([f"z{i}" for i in range(1, self.latent_dim_ + 1)], dtype=object)

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
        """
        check_is_fitted(self, "module_")
        self._fitted.save(path, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Autoencoder:
        """Load a model that `save` wrote; its codes are bit-equal to those before.

        Parameters
        ----------
        path : path
            The folder.

        Returns
        -------
        Autoencoder
            Fitted.

        Raises
        ------
        ModelFileError
            If it is no model folder, or not as it was written.
        """
        model = FittedModel.load(path)
        recorded = model.info.get("parameters") or {}
        loaded = cls(**{name: value for name, value in recorded.items() if name in cls._get_param_names()})
        loaded.model, loaded._fitted = model.name, model
        objective = OBJECTIVES.get(str(model.info.get("objective")))
        model.prior_is_normal = objective is not None and objective.prior_is_normal
        loaded.n_features_in_ = model.preprocessing.n_values
        if model.feature_names:
            loaded.feature_names_in_ = np.asarray(model.feature_names, dtype=object)
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
            If the difference is above 1e-4; nothing is written then.
        OutputError
            If `path` holds something else, or cannot be written.
        """
        check_is_fitted(self, "module_")
        return self._fitted.export_onnx(path, latentmap.__version__)

    def describe(self) -> dict[str, Any]:
        """Return what the fitted model is and how it was learned, as one flat table of facts."""
        check_is_fitted(self, "module_")
        return self._fitted.describe()

    # ---- checks ---------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> Objective:
        """Refuse parameters out of range, each by name; the objective."""
        model: object = self.model
        if isinstance(model, (int, np.integer)) and not isinstance(model, bool):
            models = ", ".join(map(repr, sorted(MODELS)))
            raise ValueError(f"model must be one of {models}, got {model}. Did you mean latent_dim={model}?")
        check_choice("model", self.model, MODELS)
        objective = make_objective(self.objective, self.objective_params)
        check_choice("scaling", self.scaling, SCALINGS)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("augmentation", self.augmentation, ("auto", *AUGMENTATIONS))
        for name, unset in (("latent_dim", None), ("epochs", "auto"), ("batch_size", "auto"), ("patience", None)):
            value = getattr(self, name)
            if value is not None if unset is None else not _is_auto(value):
                check_number(name, value, whole=True)
        if not _is_auto(self.learning_rate):
            check_number("learning_rate", self.learning_rate)
        if not _is_auto(self.weight_decay):
            check_share("weight_decay", self.weight_decay, most=None)
        fraction = self.validation_fraction
        if not isinstance(fraction, (int, float, np.number)) or not 0 <= fraction < 1:
            raise ValueError(f"validation_fraction must be at least 0 and less than 1, got {fraction!r}.")
        rule = "callbacks must be a sequence of Callback instances"
        if isinstance(self.callbacks, (str, Callback)) or not isinstance(self.callbacks, Iterable):
            hint = " Put it in a list." if isinstance(self.callbacks, Callback) else ""
            raise TypeError(f"{rule}, got {self.callbacks!r}.{hint}")
        if wrong := [each for each in self.callbacks if not isinstance(each, Callback)]:
            raise TypeError(f"{rule}, got {wrong[0]!r} in it.")
        return objective

    def _check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return samples as an array whose shape and dtype the preprocessing takes, or say what is wrong."""
        X = _array(X)
        n_dims = len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim
        if n_dims not in (3, 4) and not reset and self.preprocessing_.is_images:
            raise ValueError(f"X must be images of shape {self.preprocessing_.sample_shape}, as in fit.")
        try:
            if n_dims in (3, 4):
                samples = self._check_images(X, reset=reset)
            else:
                least = 2 if reset else 1
                with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn adds all numbers up
                    samples = np.asarray(
                        validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=least)
                    )
        except (ValueError, TypeError) as error:
            raise _in_one_line(name_first_gap(error, X)) from error
        check_size(samples, None if reset else self.preprocessing_)
        if not reset and self.preprocessing_.is_images:
            check_units(samples, self.preprocessing_)
        return samples

    def _check_images(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return images as an array of numbers, of the shape that `fit` saw."""
        images = check_images(np.asarray(X), None if reset else self.preprocessing_)
        if reset:
            self.n_features_in_ = int(np.prod(images.shape[1:]))
            self.__dict__.pop("feature_names_in_", None)
        return images

    def __sklearn_tags__(self) -> Tags:
        """Say what input is taken; codes are float32 whatever the input."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.non_deterministic = False
        return tags


def _is_auto(value: object) -> bool:
    """Whether a parameter is left to us."""
    return isinstance(value, str) and value == "auto"


def _array(X: Any) -> Any:
    """A tensor of PyTorch as an array, whose images have their channels last; anything else as it is."""
    return tensor_to_array(X) if isinstance(X, torch.Tensor) else X


def _in_one_line(error: Exception) -> Exception:
    """An error that says the same in one line."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(" ".join(str(error).split()))


def _versions() -> dict[str, str]:
    """What a model was fitted by."""
    versions = {"latentmap": latentmap.__version__, "torch": torch.__version__, "numpy": np.__version__}
    return {**versions, "python": platform.python_version()}


def _is_json(value: object) -> bool:
    """Whether JSON can hold a parameter's value."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(part) for name, part in value.items())
    return value is None or isinstance(value, (str, int, float, bool))
