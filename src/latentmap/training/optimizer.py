"""How weights move: the optimizer, and the schedule of its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn


def make_optimizer(module: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Return the optimizer of a module's parameters."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=0.0)
    for group in optimizer.param_groups:
        group["lr_scale"] = 1.0
    return optimizer


def one_cycle(step: int, n_steps: int) -> float:
    """Return the share of the highest learning rate at a step: a short rise, then a cosine down to nearly zero."""
    warm_up = max(1, round(0.15 * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up))) + 1e-3
