"""What ``"auto"`` means: batch size and epochs from the number of samples and the architecture's recipe."""

from __future__ import annotations

from latentmap.models.base import Recipe

_RECIPE_SAMPLES = 60_000  # what recipes are stated for
_FEWEST_STEPS = 150
_FEWEST_EPOCHS = 2
_SMALLEST_BATCH = 8


def auto_batch_size(recipe: Recipe, n_samples: int) -> int:
    """Return the recipe's batch size, or an eighth of the samples where that is less: an epoch needs some steps."""
    return min(recipe.batch_size, max(_SMALLEST_BATCH, n_samples // 8))


def auto_epochs(recipe: Recipe, n_samples: int, batch_size: int) -> int:
    """Return enough epochs: the steps needed grow with the cube root of the number of samples.

    Fewer samples have less to be learned from them, but not proportionally less; many samples are seen in two
    epochs at the least. The rule was set by digits (1,437 samples) and MNIST (60,000); ``docs/decisions`` has the
    figures.
    """
    n_steps: float = max(_FEWEST_STEPS, recipe.n_steps * (n_samples / _RECIPE_SAMPLES) ** (1 / 3))
    return max(_FEWEST_EPOCHS, round(n_steps * batch_size / n_samples))
