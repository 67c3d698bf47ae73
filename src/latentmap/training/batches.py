"""Which samples make a batch: the split into training and validation part, and each epoch's order.

Everything follows from the seed and the epoch's number, so that an epoch can be entered again at any batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from latentmap.data.preprocessing import Preprocessing
from latentmap.training.augmentation import Augmentation

_MAX_VALIDATION = 5000  # enough to compare epochs by; more would only take time and samples from training
_FEWEST_TO_SPLIT = 20  # below this a validation part tells nothing, and training needs every sample
_EVALUATION_BATCH = 1024
_MEAN_SAMPLES = 8192


def n_validation(n: int, fraction: float) -> int:
    """Return how many of n samples are kept for validation."""
    return min(_MAX_VALIDATION, round(n * fraction)) if n >= _FEWEST_TO_SPLIT else 0


class BatchesBase(ABC):
    """What training asks of a training set, wherever it is held.

    Parameters
    ----------
    preprocessing : Preprocessing
        Turns samples into network input.
    seed : int
        Decides the split and the orders.
    device : torch.device
        Where batches are wanted.
    augmentation : callable or None
        An entry of `AUGMENTATIONS`, for the batches that are learned from.
    augmented_epochs : int
        How many epochs are augmented, from the first.
    """

    n_train: int
    n_validation: int
    n_batches: int

    def __init__(
        self,
        preprocessing: Preprocessing,
        seed: int,
        device: torch.device,
        augmentation: Augmentation | None,
        augmented_epochs: int,
    ) -> None:
        self.preprocessing = preprocessing
        self.seed = seed
        self.device = device
        self.augmentation = augmentation
        self.augmented_epochs = augmented_epochs

    @abstractmethod
    def mean(self) -> Tensor:
        """Return the mean training sample as network input (of some samples), shape image_shape."""

    @abstractmethod
    def validation(self) -> Iterator[Tensor]:
        """Yield the validation samples as network input; nothing where there is no validation part."""

    @abstractmethod
    def _take_epoch(self, epoch: int, start: int) -> Iterator[Tensor]:
        """The batches of an epoch as network input, from number `start` (from 0)."""

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Tensor]:
        """Yield the training samples as network input, in the order of epoch number `epoch` (from 1).

        Parameters
        ----------
        epoch : int
            Decides the order.
        start : int, default 0
            The first batch wanted: an interrupted epoch is entered again there.
        """
        augmentation = self.augmentation if epoch <= self.augmented_epochs else None
        for number, x in enumerate(self._take_epoch(epoch, start), start):
            yield x if augmentation is None else augmentation(x, self._generator(epoch, number + 1))

    def _permutation(self, n: int, epoch: int) -> Tensor:
        """A random order of n things that depends on the seed and the epoch alone."""
        return torch.randperm(n, generator=self._generator(epoch))

    def _generator(self, epoch: int, batch: int = 0) -> torch.Generator:
        """Random numbers that depend on the seed, the epoch and the batch alone."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + epoch + batch * 0x9E3779B97F4A7C15) % 2**63)


class Batches(BatchesBase):
    """A training set held as one tensor, taken batch by batch, in a new order each epoch.

    Parameters
    ----------
    samples : Tensor, shape (n, *sample_shape)
        What `Preprocessing.hold` returns: bytes, or scaled float32.
    preprocessing : Preprocessing
        Turns rows of it into network input.
    batch_size : int
        Samples per step; an epoch's batches are made as equal as possible, so that none is tiny.
    seed : int
        Decides the split and the orders.
    validation_fraction : float
        The part kept for validation, at most 5,000 samples; 0, or fewer than 20 samples in all, keeps none.
    device : torch.device
        Where batches are wanted, and samples are held.
    augmentation : callable, optional
        An entry of `AUGMENTATIONS`, for the batches that are learned from.
    augmented_epochs : int, default 0
        How many epochs are augmented, from the first.
    """

    def __init__(
        self,
        samples: Tensor,
        preprocessing: Preprocessing,
        *,
        batch_size: int,
        seed: int,
        validation_fraction: float,
        device: torch.device,
        augmentation: Augmentation | None = None,
        augmented_epochs: int = 0,
    ) -> None:
        n = len(samples)
        super().__init__(preprocessing, seed, device, augmentation, augmented_epochs)
        # Moved once: a batch is then a gather on the device. Bytes are a quarter of what float32 would take.
        self.samples = samples.to(device)
        order = self._permutation(n, epoch=0)
        # Sorted, so that reading them is sequential; each epoch has its own order anyway.
        self.validation_rows = order[: n_validation(n, validation_fraction)].sort().values
        trained = torch.ones(n, dtype=torch.bool)
        trained[self.validation_rows] = False
        self.train_rows = trained.nonzero().flatten()
        self.n_train, self.n_validation = len(self.train_rows), len(self.validation_rows)
        self.n_batches = max(1, round(self.n_train / batch_size))

    def mean(self) -> Tensor:
        """Return the mean training sample as network input (of at most 8,192 samples), shape image_shape."""
        some = self.train_rows[:: -(-len(self.train_rows) // _MEAN_SAMPLES)]
        return self.preprocessing.to_input(self.samples[some.to(self.device)]).mean(dim=0)

    def validation(self) -> Iterator[Tensor]:
        """Yield the validation samples as network input; nothing where there is no validation part."""
        n = len(self.validation_rows)
        return self._take(self.validation_rows, -(-n // _EVALUATION_BATCH))

    def _take_epoch(self, epoch: int, start: int) -> Iterator[Tensor]:
        """The batches of an epoch, from number `start`."""
        order = self.train_rows[self._permutation(len(self.train_rows), epoch)]
        return self._take(order, self.n_batches, start)

    def _take(self, rows: Tensor, n_batches: int, start: int = 0) -> Iterator[Tensor]:
        """The samples at these rows in `n_batches` near-equal batches, from batch number `start` (from 0)."""
        batches = torch.tensor_split(rows.to(self.device), n_batches) if n_batches else ()
        for batch in batches[start:]:
            yield self.preprocessing.to_input(self.samples.index_select(0, batch))
