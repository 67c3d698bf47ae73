"""A fitted model: network, preprocessing and what is known of how it was learned, as one object.

It encodes, decodes, scores, samples, saves, loads and exports arrays that have been checked already; what a user may
pass in is checked before.
"""

import copy
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from latentmap.checks import Refining, how_refined
from latentmap.data.cache import FileRegion, file_region
from latentmap.data.preprocessing import Preprocessing, Unit
from latentmap.errors import words_of
from latentmap.models.base import AutoencoderModule, lay_out
from latentmap.models.files import read_model, save_model
from latentmap.models.layers import Description, describe_network
from latentmap.models.mixture import MOST_CODES, CodeMixture
from latentmap.models.modes import own_modes
from latentmap.models.own import Pair
from latentmap.models.refine import refined, twiced

CHUNK = 512  # samples encoded or decoded at once
FEW = 16  # of fewer samples at once PyTorch may round otherwise
_STREAMED_FROM = 2**28  # bytes: mapped files of images from this size on are read piece by piece, never as a whole
_FEWEST_FORMER = 512  # samples beside a piece
_KEPT_BYTES = 2**26  # of samples that `partial_fit` keeps, to learn from again and to find how codes are distributed


@dataclass(eq=False)
class FittedModel:
    """What `Autoencoder.fit` makes and a model folder holds."""

    name: str  # in MODELS, or OWN
    module: AutoencoderModule  # in evaluation mode
    preprocessing: Preprocessing
    info: dict[str, Any] = field(repr=False)  # the rest of config.json: objective, seed, training, versions, ...
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)  # one row an epoch
    mixture: CodeMixture | None = field(default=None, repr=False)  # of codes, once it is needed
    metadata: dict[str, Any] = field(default_factory=dict, repr=False)
    feature_names: list[str] | None = field(default=None, repr=False)
    prior_is_normal: bool = False  # see `Objective`
    twicing_gain: float = 0.0  # the share of errors that correcting codes by their drawings saves; 0: they are not
    optimizer_state: dict[str, Tensor] | None = field(default=None, repr=False)  # that `partial_fit` goes on from
    _quick: AutoencoderModule | None = field(default=None, init=False, repr=False)  # `module`, quickest to run
    _codes: NDArray[np.float32] | None = field(default=None, init=False, repr=False)  # until `mixture` is found
    _some: tuple[NDArray[Any], NDArray[np.float64]] | None = field(default=None, init=False, repr=False)
    # samples of all pieces, and the random numbers they drew

    # ---- what is known of it -------------------------------------------------------------------------------------

    @property
    def latent_dim(self) -> int:
        """How many numbers a code has."""
        return self.module.latent_dim

    @property
    def seed(self) -> int:
        """What `random_state` came to."""
        return self.info.get("seed", 0)  # an int, where the file is whole

    @property
    def n_iter(self) -> int:
        """Epochs trained."""
        return self._training.get("epochs", 0)

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights these are; 0 where learning found nothing better than it started from."""
        return self._training.get("best_epoch", 0)

    @property
    def n_samples(self) -> int:
        """Samples it has learned from, those of all pieces."""
        return self._training.get("samples", MOST_CODES if self.n_iter else 0)

    @property
    def is_annealed(self) -> bool:
        """Whether it has come to the end of a schedule, rather than from pieces alone."""
        before_it_was_kept = self._training.get("n_validation", 0) > 0
        return self._training.get("annealed", before_it_was_kept)

    @property
    def settings(self) -> dict[str, Any] | None:
        """All that decided the result, where a checkpoint was kept."""
        settings = self.info.get("settings")
        return settings if isinstance(settings, dict) else None

    @property
    def _training(self) -> dict[str, Any]:
        return self.info.get("training") or {}

    @property
    def error_unit(self) -> Unit:
        """What errors count as one: the `measuring_unit` of the training data, which "auto" scaling goes by too."""
        unit = self.info.get("error_unit")
        if unit is not None:
            return np.asarray(unit, np.float64)
        return self.preprocessing.scale if np.ndim(self.preprocessing.scale) else 1.0

    def describe(self) -> dict[str, Any]:
        """One flat table of facts."""
        preprocessing, versions = self.preprocessing, self.info.get("versions") or {}
        return {
            "model": self.name,
            "latent_dim": self.latent_dim,
            "sample_shape": list(preprocessing.sample_shape),
            "dtype": preprocessing.dtype,
            **({"pixel_range": list(preprocessing.pixel_range)} if preprocessing.is_images else {}),
            "parameters": self.module.n_parameters,
            "objective": self.info.get("objective"),
            **(self.info.get("objective_params") or {}),
            "seed": self.seed,
            **how_refined((self.info.get("parameters") or {}).get("refine", "auto"), self.twicing_gain),
            **self._training,
            **{f"{name}_version": version for name, version in versions.items()},
            **self.metadata,
        }

    # ---- over chunks ---------------------------------------------------------------------------------------------

    @own_modes()
    def encode(self, samples: NDArray[Any], refine: Refining = "auto") -> NDArray[np.float32]:
        """(n, *sample_shape) -> (n, latent_dim)."""
        Z = np.empty((len(samples), self.latent_dim), np.float32)
        with torch.inference_mode():
            for rows, _, x in self._inputs(samples):
                Z[rows] = self._codes_of(x, refine).numpy()
        return Z

    def _codes_of(self, x: Tensor, refine: Refining) -> Tensor:
        """Codes of network input: the encoder's, corrected, then brought nearer to those that are drawn best."""
        module = self._for_inference()
        corrected = partial(twiced, module) if self.twicing_gain and refine else module.encode
        if not refine or refine == "auto":
            return corrected(x)
        # Padded, for steps would enlarge what is rounded otherwise.
        starts = [codes_of(_padded(x))[: len(x)] for codes_of in dict.fromkeys((module.encode, corrected))]
        # As `errors` counts them: where the user chose the scaling, features have other units there.
        units = np.atleast_1d(self.preprocessing.scale / np.asarray(self.error_unit))
        weight = torch.from_numpy((units / units.max()).astype(np.float32))

        def draw(z: Tensor) -> Tensor:
            codes = _padded(z)
            drawn = [module.decode(codes[rows]).flatten(1) for rows in chunks(len(codes))]
            return torch.cat(drawn)[: len(z)].to(z.dtype) * weight

        return refined(draw, x.flatten(1) * weight, starts, refine)

    def encode_meanwhile(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """The same while it learns, by the weights of this moment, wherever they are."""
        place = next(self.module.parameters()).device
        now = replace(self, module=self.module if place.type == "cpu" else copy.deepcopy(self.module).cpu())
        return now.encode(samples, 0)

    @own_modes()
    def decode(self, Z: NDArray[np.float32]) -> NDArray[np.floating]:
        """(n, latent_dim) -> (n, *sample_shape)."""
        module = self._for_inference()
        X_hat = np.empty((len(Z), *self.preprocessing.sample_shape), self.preprocessing.output_dtype)
        with torch.inference_mode():
            for rows in chunks(len(Z)):
                X_hat[rows] = self.preprocessing.to_samples(module.decode(torch.from_numpy(Z[rows])))
        return X_hat

    @own_modes()
    def errors(self, samples: NDArray[Any], refine: Refining = "auto") -> NDArray[np.float64]:
        """Mean squared errors of reconstructions, in squared units of `error_unit`: (n, *sample_shape) -> (n,)."""
        module, unit = self._for_inference(), np.asarray(self.error_unit, self.preprocessing.output_dtype)
        errors = np.empty(len(samples))
        with torch.inference_mode():
            for rows, piece, x in self._inputs(samples):
                x_hat = module.decode(self._codes_of(x, refine))
                X_hat = self.preprocessing.to_samples(x_hat)
                differences = np.subtract(piece.reshape(X_hat.shape), X_hat, dtype=X_hat.dtype) / unit
                errors[rows] = np.square(differences, dtype=np.float64).reshape(len(piece), -1).mean(axis=1)
        return errors

    def sample(self, n: int, seed: int) -> NDArray[np.floating]:
        """New samples, decoded from codes of the prior or like those of the training data: (n, *sample_shape)."""
        return self.decode(self.code_mixture().sample(n, seed))

    def _inputs(self, samples: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any], Tensor]]:
        """Samples in pieces that the cache holds: their rows, themselves, and as network input."""
        preprocessing = self.preprocessing
        for part, held in pieces(samples):
            # Bytes, and floats from 0 to 1, are shared, not copied; other floats are scaled piece by piece.
            whole = preprocessing.hold(held) if preprocessing.holds_as_is(held.dtype) else None
            for rows in chunks(len(held)):
                tensor = preprocessing.hold(held[rows]) if whole is None else whole[rows]
                there = slice(part.start + rows.start, min(part.start + rows.stop, part.stop))
                yield there, held[rows], preprocessing.to_input(tensor)

    def for_training(self, samples: NDArray[Any]) -> FileRegion | Tensor:
        """Samples as training takes them."""
        region = streamed(samples) if self.preprocessing.holds_as_is(samples.dtype) else None
        return region or self.preprocessing.hold(samples)

    def _for_inference(self) -> AutoencoderModule:
        """The network as it is quickest to run."""
        if self._quick is None:
            self._quick = for_inference(self.module)
        return self._quick

    # ---- how codes are distributed -------------------------------------------------------------------------------
    # What is held of it, until the mixture is asked for:
    # - after `fit`: codes of some samples, or of a variational model nothing, whose prior is known
    # - after `partial_fit`: samples of all pieces, also of a variational model, to learn from again
    # - loaded, or from a pickle: the mixture, or nothing

    def take_in(self, samples: NDArray[Any], *, piecewise: bool = False) -> None:
        """Keep what will tell how codes are distributed, once the network has learned from these samples."""
        self._quick = None
        self._for_inference()  # now, since using a model may not change it
        self.mixture = self._codes = None
        if piecewise:
            self._keep_some(samples)
        else:
            self._some = None
            self._codes = None if self.prior_is_normal else self._encode_some(samples)

    def _keep_some(self, samples: NDArray[Any]) -> None:
        """Keep at most 5,000 of all samples seen so far: those that drew the smallest random numbers."""
        most = _most_kept(samples[:1].nbytes)

        def smallest(samples: NDArray[Any], numbers: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
            chosen = np.argsort(numbers)[:most]
            return samples[chosen], numbers[chosen]

        some = smallest(samples, self._random().random(len(samples)))
        if self._some is not None:
            some = smallest(*(np.concatenate(both) for both in zip(self._some, some, strict=True)))
        self._some = some

    def _encode_some(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Codes of at most 5,000 samples, drawn by the seed: evenly spaced ones may all be of one kind."""
        if len(samples) <= MOST_CODES:
            return self.encode(samples)
        rows = np.sort(np.random.default_rng(self.seed).choice(len(samples), MOST_CODES, replace=False))
        parts = np.array_split(rows, MOST_CODES // CHUNK)  # no copy of all
        return np.concatenate([self.encode(samples[part]) for part in parts])

    def code_mixture(self) -> CodeMixture:
        """How codes are distributed; `ValueError` where that is not known."""
        if self.prior_is_normal:
            return CodeMixture.standard(self.latent_dim)
        self._find_mixture()
        if self.mixture is None:
            raise ValueError("the model was saved without the distribution of its codes. Fit and save it again.")
        return self.mixture

    def _find_mixture(self) -> None:
        """Find the mixture, once it is needed."""
        if self.mixture is not None or self.prior_is_normal:
            return
        codes = self._codes if self._some is None else self._encode_some(self._some[0])
        if codes is not None:
            self.mixture, self._codes = CodeMixture.fit(codes, seed=self.seed), None

    def with_former(self, samples: NDArray[Any]) -> NDArray[Any]:
        """A piece to learn from, and beside it as many of the samples before, so that these are not forgotten."""
        self._recall_some()
        if self._some is None or streamed(samples) is not None:
            return samples
        former, n = self._some[0], max(len(samples), _FEWEST_FORMER)
        return np.concatenate([samples, former[self._random(2).permutation(len(former))[:n]]])

    def _recall_some(self) -> None:
        """Before another piece: samples that stand for those of which only the distribution of codes is known."""
        if self._some is not None or not (self.prior_is_normal or self.mixture or self._codes is not None):
            return
        numbers = np.sort(self._random(1).random(min(self.n_samples, 10**7)))
        numbers = numbers[: _most_kept(4 * self.preprocessing.n_values)]
        Z = self._codes if self._codes is not None else self.code_mixture().sample(len(numbers), self.seed)
        drawn = self.decode(Z[self._random(3).permutation(len(Z))[: len(numbers)]])
        if self.preprocessing.dtype == "uint8":  # a linear decoder goes beyond black and white
            drawn = np.rint(drawn).clip(0, 255).astype(np.uint8)
        self._some = (drawn, numbers[: len(Z)])

    def _random(self, *purpose: int) -> np.random.Generator:
        """Random numbers of their own for each piece, and for each of these purposes."""
        return np.random.default_rng((self.seed, self.n_iter, *purpose))

    # ---- copies and files ----------------------------------------------------------------------------------------

    def copy(self) -> Self:
        """A model to go on learning in, so that this one stays what it is."""
        new = object.__new__(type(self))
        new.__dict__ = vars(self) | {"module": copy.deepcopy(self.module), "history": list(self.history)}
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Leave out of pickles what can be made again, and samples."""
        self._find_mixture()
        return vars(self) | {"_quick": None, "_some": None}

    @own_modes(computing=False)
    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make again what was left out."""
        self.__dict__ = state
        self._for_inference()

    @own_modes()
    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, Any] | None = None) -> None:
        """Write a model folder; `metadata` takes the place of what was remembered."""
        kept = self.metadata if metadata is None else checked_metadata(metadata)
        self._find_mixture()
        save_model(path, self, kept)
        self.metadata = kept  # only what could be saved

    @classmethod
    @own_modes(computing=False)
    def load(cls, path: str | os.PathLike[str], own: Pair | None = None) -> Self:
        """Read a model folder; `ModelFileError` if anything in it is not as it was written."""
        model = cls(**read_model(path, own))
        model._for_inference()
        return model

    def describe_layers(self, refine: Refining = "auto") -> Description:
        """What the network computes, as data."""
        return describe_network(self._for_inference(), self.preprocessing, bool(self.twicing_gain and refine))


def for_inference(module: AutoencoderModule) -> AutoencoderModule:
    """The same function, up to rounding, in fewer steps: batch norm folded into convolutions, channels last."""
    if module.is_foreign or not module.convolves:  # a network of the user's may use what lies between two layers
        return module
    quick = copy.deepcopy(module).requires_grad_(False).eval()
    for layers in [part for part in quick.modules() if isinstance(part, nn.Sequential)]:
        for i, (layer, norm) in enumerate(itertools.pairwise(list(layers))):
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(norm, nn.BatchNorm2d):
                layers[i] = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
                layers[i + 1] = nn.Identity()
    lay_out(quick, torch.channels_last)
    return quick


def _padded(rows: Tensor) -> Tensor:
    """So many rows that PyTorch rounds as it does of more, the last repeated."""
    few = max(FEW - len(rows), 0)
    return torch.cat([rows, rows[-1:].repeat_interleave(few, dim=0)]) if few else rows


def _most_kept(n_bytes: int) -> int:
    """How many samples of so many bytes `partial_fit` keeps."""
    return max(1, min(MOST_CODES, _KEPT_BYTES // max(1, n_bytes)))


def streamed(samples: NDArray[Any]) -> FileRegion | None:
    """Where samples lie in a file, if they are to be read from there piece by piece."""
    if samples.dtype not in (np.uint8, np.float32) or samples.ndim < 3 or samples.nbytes < _STREAMED_FROM:
        return None
    return file_region(samples)


def pieces(samples: NDArray[Any]) -> Iterable[tuple[slice, NDArray[Any]]]:
    """Samples as they fit into memory, and their rows: all at once, or what is streamed piece by piece."""
    region = streamed(samples)
    return [(slice(0, len(samples)), samples)] if region is None else region.pieces()


def checked_metadata(metadata: Any) -> dict[str, Any]:
    """What is to be remembered with a model; refused where JSON would not give it back."""
    rule = "metadata must be a dict with names as keys, of what JSON can hold (text, finite numbers, lists, dicts)"
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise TypeError(f"{rule}, got {' '.join(repr(metadata).split())[:80]}.")
    try:
        json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"{rule}: {words_of(error, 120)}.") from error
    return dict(metadata)


def chunks(n: int, size: int = CHUNK) -> list[slice]:
    """Slices that cover n rows; a few at the end go with those before, since few are added up in another order."""
    starts = range(0, max(n - FEW, 1), size) if n else ()
    return [slice(start, start + size if start + size < n - FEW else n) for start in starts]
