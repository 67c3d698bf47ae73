"""Which samples make a batch: the split into training and validation part, and each epoch's order.

Everything follows from the seed and the epoch's number, so that an epoch can be entered again at any batch.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from latentmap.data.preprocessing import Preprocessing
from latentmap.data.windows import FEWEST_TO_SPLIT, last_rows
from latentmap.models.base import Components
from latentmap.training.augmentation import AUGMENTATIONS, Augmentation
from latentmap.training.components import find_components
from latentmap.training.objectives.base import Batch, Objective
from latentmap.training.ranks import Ranks, Share, rows_of

_MAX_VALIDATION = 5000  # enough to compare epochs by; more would only take time and samples from training
_EVALUATION_BATCH = 1024
_SOME = 8192  # samples that means and variances are taken of


def n_validation(n: int, fraction: float) -> int:
    """Return how many of n samples are kept for validation."""
    return min(_MAX_VALIDATION, round(n * fraction), n - 2) if n >= FEWEST_TO_SPLIT else 0


class Batches:
    """A training set held as one tensor, taken batch by batch, in a new order each epoch."""

    n_left_out = 0  # samples that would be in both parts

    def __init__(
        self,
        samples: Any,  # (n, *sample_shape): bytes or scaled float32, as `Preprocessing.hold` gives them
        preprocessing: Preprocessing,
        *,
        batch_size: int,  # an epoch's batches are made as equal as possible, so that none is tiny
        seed: int,  # of the split and of the orders
        validation_fraction: float,  # at most 5,000 samples; none of fewer than 20
        device: torch.device,  # where batches are wanted, and samples are held
        augmentation: Augmentation = AUGMENTATIONS["none"],
        epochs: int = 0,  # in all, by which augmentation goes
        overlapping: int = 0,  # with how many samples after it each shares values: then the last are for validation
    ) -> None:
        self.preprocessing, self.seed, self.device, self.overlapping = preprocessing, seed, device, overlapping
        self.augmentation, self.epochs, self.ranks = augmentation, epochs, Ranks.here()
        self._split(samples, validation_fraction)
        self.n_batches = max(1, round(self.n_train / batch_size))

    def _split(self, samples: Any, validation_fraction: float) -> None:
        """Hold the samples, and say which of them are learned from: `train_rows`, ascending."""
        n = len(samples)
        # Moved once: a batch is then a gather on the device. Bytes are a quarter of what float32 would take.
        self.samples = samples.to(self.device)
        wanted = n_validation(n, validation_fraction)
        if self.overlapping:
            self.train_rows, self.validation_rows = map(torch.from_numpy, last_rows(n, wanted, self.overlapping))
        else:
            order = self._permutation(n, epoch=0)
            # Sorted, so that reading them is sequential; each epoch has its own order anyway.
            self.validation_rows, self.train_rows = order[:wanted].sort().values, order[wanted:].sort().values
        self.n_train, self.n_validation = len(self.train_rows), len(self.validation_rows)
        self.n_left_out = n - self.n_train - self.n_validation

    def some(self) -> Tensor:
        """Return at most 8,192 training samples, drawn by the seed, as network input."""
        # Evenly spaced ones may all be of one kind.
        n = len(self.train_rows)
        chosen = (
            torch.randperm(n, generator=self._generator(0, -1))[:_SOME].sort().values if n > _SOME else slice(None)
        )
        return self.take(self.train_rows[chosen])

    def everything(self) -> Iterator[Tensor]:
        """Yield all samples as network input, in the order of the data."""
        for part in torch.split(self.samples, _EVALUATION_BATCH):
            yield self.preprocessing.to_input(part)

    def take(self, rows: Tensor) -> Tensor:
        """Return the samples of these numbers as network input."""
        return self.preprocessing.to_input(self.samples.index_select(0, rows.to(self.device)))

    def _take_epoch(self, epoch: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch from number `start` (from 0): numbers, and this process's share as network input."""
        order = self.train_rows[self._permutation(len(self.train_rows), epoch)]
        for rows in torch.tensor_split(order, self.n_batches)[start:]:
            yield rows, self.take(self._own(rows))

    def _take_validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The validation samples in batches: numbers, and network input."""
        n_batches = -(-len(self.validation_rows) // _EVALUATION_BATCH)
        for rows in torch.tensor_split(self.validation_rows, n_batches) if n_batches else ():
            yield rows, self.take(rows)

    def components(self, k: int, *, of_all: bool = False) -> Components:
        """Return the mean and the first k principal components, of the training part or `of_all` samples."""
        # Without the validation part, it can judge by them. Of more than can be held: of some of the training part.
        return find_components(self.some(), self._pieces(of_all), self.n_train + self.n_validation, k)

    def _pieces(self, of_all: bool) -> Iterator[Tensor]:
        """All samples, or those that are learned from, in the order of the data."""
        if of_all:
            yield from self.everything()
            return
        is_trained = torch.zeros(self.n_train + self.n_validation + self.n_left_out, dtype=torch.bool)
        is_trained[self.train_rows] = True
        start = 0
        for x in self.everything():
            yield x[is_trained[start : start + len(x)].to(x.device)]
            start += len(x)

    def variance(self) -> Tensor:
        """Return the mean over values of their variance (of some training samples), shape ()."""
        some = self.some()
        return (some - some.mean(dim=0)).square().mean()

    def epoch(self, epoch: int, *, start: int = 0, objective: Objective | None = None) -> Iterator[Batch]:
        """Yield the training samples in the order of an epoch (from 1), from batch number `start` (from 0)."""
        change = self.augmentation.at(epoch, self.epochs)
        for number, (rows, x) in enumerate(self._take_epoch(epoch, start), start):
            share = self.ranks.share(len(rows))
            batch = self._batch(rows, x, self._generator(epoch, number + 1), objective, share)
            yield batch if change is None else batch._replace(x=change(batch.x, batch.generator, share))

    def validation(self, objective: Objective | None = None) -> Iterator[Batch]:
        """Yield the validation samples, with the same random numbers each time; nothing where there are none."""
        for number, (rows, x) in enumerate(self._take_validation()):
            yield self._batch(rows, x, self._generator(0, number + 1), objective)

    def _batch(
        self,
        rows: Tensor,
        x: Tensor,
        generator: torch.Generator,
        objective: Objective | None,
        share: Share | None = None,
    ) -> Batch:
        """A batch of these samples and what the objective wants beside them; `rows` are those of all processes."""
        n = len(x)
        if objective is not None and objective.n_companions:
            companions = objective.companions(rows, generator)[rows_of(x, share)[1]]
            others = self.take(companions.flatten())
            x = torch.cat([x[:, None], others.view(n, -1, *x.shape[1:])], dim=1).flatten(0, 1)
        return Batch(x, n, generator, share)

    def _own(self, rows: Tensor) -> Tensor:
        """Those of a batch's rows that this process takes."""
        share = self.ranks.share(len(rows))
        return rows if share is None else rows[share.start : share.stop]

    def _permutation(self, n: int, epoch: int) -> Tensor:
        """A random order of n things that depends on the seed and the epoch alone."""
        return torch.randperm(n, generator=self._generator(epoch))

    def _generator(self, epoch: int, batch: int = 0) -> torch.Generator:
        """Random numbers that depend on the seed, the epoch and the batch alone."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + epoch + batch * 0x9E3779B97F4A7C15) % 2**63)
