"""What ``"auto"`` means: batch size, epochs and learning rate from the number of samples."""

from __future__ import annotations


def auto_batch_size(n_samples: int) -> int:
    """Return a batch size."""
    return min(256, max(8, n_samples // 8))


def auto_epochs(n_samples: int, batch_size: int) -> int:
    """Return enough epochs."""
    return max(1, round(max(1000, 5 * n_samples / batch_size) * batch_size / n_samples))


def auto_learning_rate(model: str) -> float:
    """Return the highest learning rate of the schedule."""
    return {"conv": 0.1}.get(model, 0.05)
