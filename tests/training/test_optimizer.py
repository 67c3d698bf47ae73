"""Muon makes orthogonal steps, and goes on exactly from a saved state."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from latentmap.training.optimizer import Muon, linear_decay, orthogonalize


def test_orthogonalize_brings_singular_values_to_order_one_and_keeps_the_directions():
    torch.manual_seed(0)
    # Singular values over three orders of magnitude, as gradients have.
    matrices = torch.randn(3, 16, 40) * torch.logspace(0, -3, 16)[:, None]
    u, _, vt = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonalize(matrices)
    # In the matrix's own singular directions the result is diagonal, with numbers of order one.
    diagonal = u.mT @ found @ vt.mT
    singular = diagonal.diagonal(dim1=1, dim2=2)
    assert singular.min() > 0.05
    assert singular.max() < 2
    off_diagonal = diagonal - torch.diag_embed(singular)
    assert off_diagonal.abs().max() < 1e-4


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e15])
def test_orthogonalize_does_not_depend_on_scale(scale):
    torch.manual_seed(0)
    matrices = torch.randn(1, 4, 9)
    torch.testing.assert_close(orthogonalize(matrices * scale), orthogonalize(matrices), atol=1e-4, rtol=1e-3)


def test_orthogonalize_leaves_zero():
    assert torch.equal(orthogonalize(torch.zeros(1, 3, 5)), torch.zeros(1, 3, 5))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6))


def steps(module: nn.Module, optimizer: Muon, n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        x = torch.randn(8, 6, generator=generator)
        optimizer.zero_grad()
        (module(x) - x).square().mean().backward()
        optimizer.step()


def test_it_learns():
    module = network()
    optimizer = Muon(module.parameters(), 0.05)
    x = torch.randn(200, 6)
    before = (module(x) - x).square().mean()
    steps(module, optimizer, 200, seed=1)
    assert (module(x) - x).square().mean() < before / 2


def test_state_round_trips_exactly():
    module = network()
    optimizer = Muon(module.parameters(), 0.05)
    steps(module, optimizer, 5, seed=1)
    twin = copy.deepcopy(module)
    other = Muon(twin.parameters(), 0.01)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(module, optimizer, 5, seed=2)
    steps(twin, other, 5, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), twin.parameters(), strict=True))


def test_the_rate_falls_from_one_to_nearly_zero():
    rates = [linear_decay(step, 100) for step in range(100)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.99
    assert 0 < rates[-1] < 0.01
