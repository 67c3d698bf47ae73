"""How long until a good autoencoder: the usual tutorial loop against Latentmap, both timed in one run.

(a) The tutorial loop, written fairly: a Dataset of PIL images, resized and turned to tensors item by item, a
DataLoader, Adam with learning rate 5e-4, batches of 64, 25,000 steps. Its final test error is the target.
(b) ``Autoencoder(model=..., epochs=...).fit(images)`` with a schedule fixed beforehand: the shortest that reached such
an error on validation data with room to spare, and the default one, which goes on to a lower error. Start-up of the
trainer and validation are counted. Loading the data is counted in neither.

Run: ``LATENTMAP_DATA=... python -m bench.time_to_quality [--short] [--models dense conv] [--seeds 3]``; ``--precision
float32`` shows a machine with bfloat16 what it gains by that.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench.data import benchmark_dataset
from latentmap import Autoencoder
from latentmap.data import Dataset
from latentmap.models import MODELS
from latentmap.training.runtime import PRECISIONS

SCHEDULES: dict[str, tuple[int | str, ...]] = {"dense": (4, "auto"), "conv": (1, "auto")}  # epochs


class TutorialDataset(torch.utils.data.Dataset[torch.Tensor]):
    """Images as a tutorial has them: PIL images, resized and turned to tensors when they are asked for."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = [Image.fromarray(image[..., 0]) for image in images]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = self.images[index].resize((32, 32), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(image, np.float32) / 255)[None]


def tutorial(model: str, dataset: Dataset, n_steps: int) -> tuple[float, float]:
    """Train by the usual loop; seconds and final test MSE."""
    torch.manual_seed(0)
    images = TutorialDataset(dataset.train.images)
    start = time.perf_counter()
    loader = torch.utils.data.DataLoader(images, batch_size=64, shuffle=True)
    module = MODELS[model]()
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-4)
    step = 0
    while step < n_steps:
        for x in loader:
            loss = nn.functional.mse_loss(module(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step == n_steps:
                break
    seconds = time.perf_counter() - start
    module.eval()
    x = torch.from_numpy(dataset.test.images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        return seconds, float(np.mean([nn.functional.mse_loss(module(part), part) for part in x.split(1000)]))


def ours(model: str, dataset: Dataset, epochs: int | str, precision: str, seed: int) -> tuple[float, float]:
    """Train by Latentmap; seconds and final test MSE."""
    start = time.perf_counter()
    autoencoder = Autoencoder(model=model, epochs=epochs, precision=precision, random_state=seed)
    autoencoder.fit(dataset.train.images)
    seconds = time.perf_counter() - start
    return seconds, -autoencoder.score(dataset.test.images) / 255**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="digits and few steps: shows that it runs")
    parser.add_argument("--models", nargs="+", default=["dense", "conv"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    options = parser.parse_args()
    dataset = benchmark_dataset(short=options.short)
    n_steps = 500 if options.short else 25_000
    print(f"{dataset.name}, {len(dataset.train):,} images, {torch.get_num_threads()} threads, {n_steps:,} steps")
    print(
        f"{'model':8}{'tutorial s':>12}{'its MSE':>10}{'epochs':>8}{'ours s':>10}{'our MSE':>10}{'ratio':>8}  reached"
    )
    for model in options.models:
        tutorial_seconds, target = tutorial(model, dataset, n_steps)
        for epochs, seed in itertools.product(SCHEDULES[model], range(1 if options.short else options.seeds)):
            seconds, mse = ours(model, dataset, epochs, options.precision, seed)
            print(
                f"{model:8}{tutorial_seconds:12.1f}{target:10.5f}{epochs:>8}{seconds:10.1f}{mse:10.5f}"
                f"{tutorial_seconds / seconds:8.1f}  {'yes' if mse <= target else 'no'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
