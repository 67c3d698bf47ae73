"""Batches of samples that lie in a file: read in blocks, in a new order each epoch, a window of them held at a time.

Blocks of about a megabyte are put in a random order, and the samples of so many of them as make a window are shuffled
together: reading stays sequential within a block, and a batch mixes samples from all over the file.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from latentmap.data.cache import FileRegion
from latentmap.training.batches import Batches, n_validation

_BLOCK_BYTES = 2**20
_WINDOW_BYTES = 96 * 2**20  # two are held: the one in use, and the next
_SOME_BLOCKS = 16


class StreamedBatches(Batches):
    """A training set in a file, taken batch by batch, in a new order each epoch."""

    def _split(self, region: FileRegion, validation_fraction: float) -> None:
        """Cut the file into blocks."""
        n = len(region)
        step = max(1, _BLOCK_BYTES // region.row_bytes)
        starts = np.arange(0, n, step)
        # Whole blocks are kept for validation, so that training still reads in one go; half a block at least remains.
        step = max(1, min(step, n // 20)) if len(starts) < 20 else step
        starts = np.arange(0, n, step)
        self._sizes = np.minimum(step, n - starts)
        self._starts = starts
        self._per_window = max(1, _WINDOW_BYTES // (step * region.row_bytes))
        self.region = region
        order = self._permutation(len(starts), epoch=0).numpy()
        wanted = n_validation(n, validation_fraction)
        n_blocks = int(np.searchsorted(np.cumsum(self._sizes[order]), wanted, side="left")) + 1 if wanted else 0
        n_blocks = min(n_blocks, len(starts) - 1)  # one at least is learned from
        self._validation, self._training = np.sort(order[:n_blocks]), np.sort(order[n_blocks:])
        self.n_train = int(self._sizes[self._training].sum())
        self.n_validation = int(self._sizes[self._validation].sum())

    @property
    def train_rows(self) -> Tensor:  # type: ignore[override]
        """Numbers of the samples that are learned from, ascending."""
        return torch.cat([self._rows(block) for block in self._training])

    def some(self) -> Tensor:
        """Return the training samples of a few blocks as network input."""
        blocks = self._training[:: -(-len(self._training) // _SOME_BLOCKS)]
        return torch.cat([self.preprocessing.to_input(self._block(block)) for block in blocks]).to(self.device)

    def everything(self) -> Iterator[Tensor]:
        """Yield all samples as network input, in the order of the data."""
        for block in range(len(self._starts)):
            yield self.preprocessing.to_input(self._block(block).to(self.device))

    def take(self, rows: Tensor) -> Tensor:
        """Return the samples of these numbers as network input: each is read on its own."""
        with self.region.open() as file:
            held = self.region.take(file, rows.numpy())
        return self.preprocessing.to_input(torch.from_numpy(held).to(self.device))

    def _take_validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The validation samples, block by block."""
        for block in self._validation:
            yield self._rows(block), self.preprocessing.to_input(self._block(block).to(self.device))

    def _take_epoch(self, epoch: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch."""
        generator = self._generator(epoch)
        blocks = self._training[torch.randperm(len(self._training), generator=generator).numpy()]
        windows = [blocks[i : i + self._per_window] for i in range(0, len(blocks), self._per_window)]
        orders = [torch.randperm(int(self._sizes[window].sum()), generator=generator) for window in windows]
        # Batches as near-equal as those of data in memory, each of what comes next in one window's order or more.
        small, n_larger = divmod(self.n_train, self.n_batches)
        sizes = [small + (number < n_larger) for number in range(self.n_batches)]
        skipped, first = sum(sizes[:start]), 0
        while first < len(orders) and skipped >= len(orders[first]):  # windows before that batch are not read
            skipped, first = skipped - len(orders[first]), first + 1
        coming = zip(windows[first:], orders[first:], self._windows(windows[first:]), strict=True)
        left = torch.empty(0, dtype=torch.int64)  # of the window's order
        for size in sizes[start:]:
            rows: list[Tensor] = []
            pieces: list[Tensor] = []
            while (lacking := size - sum(map(len, rows))) > 0:
                if not len(left):
                    blocks, order, window = next(coming)
                    numbers = torch.cat([self._rows(block) for block in blocks])
                    left, skipped = order[skipped:], 0
                taken, left = left[:lacking], left[lacking:]
                rows.append(numbers.index_select(0, taken))
                pieces.append(window.index_select(0, taken))
            yield torch.cat(rows), self.preprocessing.to_input(self._own(torch.cat(pieces)).to(self.device))

    def _windows(self, windows: list[np.ndarray]) -> Iterator[Tensor]:
        """The samples of each window in turn, the next one being read meanwhile; good until the one after is asked."""
        most = max((int(self._sizes[window].sum()) for window in windows), default=0)
        # Two buffers for all windows: fresh memory would cost a page fault for every 4 KiB of them.
        buffers = [np.empty((most, *self.region.shape[1:]), self.region.dtype) for _ in range(2)]
        with ThreadPoolExecutor(1) as reader, self.region.open() as file:

            def read(number: int) -> Tensor:
                buffer, n = buffers[number % 2], 0
                for block in windows[number]:
                    start, size = int(self._starts[block]), int(self._sizes[block])
                    self.region.read_into(file, start, buffer[n : n + size])
                    n += size
                return torch.from_numpy(buffer[:n])

            coming = [reader.submit(read, 0)] if windows else []
            for number in range(len(windows)):
                window = coming.pop().result()
                if number + 1 < len(windows):
                    coming.append(reader.submit(read, number + 1))
                yield window

    def _rows(self, block: int) -> Tensor:
        """The numbers of a block's samples."""
        start = int(self._starts[block])
        return torch.arange(start, start + int(self._sizes[block]))

    def _block(self, number: int) -> Tensor:
        """The samples of a block."""
        start = int(self._starts[number])
        return torch.from_numpy(self.region.read(start, start + int(self._sizes[number])))
