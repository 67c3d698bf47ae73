import sys

import numpy as np
import pytest
import torch

from latentmap import Autoencoder
from latentmap.training.optimizer import Muon, orthogonalize
from tests.processes import Process


@pytest.mark.parametrize("shape", [(3, 3), (4, 9), (8, 72), (32, 128)])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_orthogonalizing_keeps_directions_and_brings_singular_values_near_one(shape, scale):
    matrices = torch.from_numpy(np.random.default_rng(0).normal(size=(5, *shape)) * scale).float()
    factors = orthogonalize(matrices)
    u, _, vh = torch.linalg.svd(matrices.double(), full_matrices=False)
    polar = u @ vh
    values = torch.linalg.svdvals(factors)
    assert values.max() < 2  # three steps of the iteration are near enough to one
    assert values.median() > 0.7
    cosine = (factors * polar).sum((1, 2)) / (factors.norm(dim=(1, 2)) * polar.norm(dim=(1, 2)))
    assert cosine.min() > 0.75


def test_a_matrix_of_zeros_stays_one():
    assert torch.equal(orthogonalize(torch.zeros(2, 3, 5)), torch.zeros(2, 3, 5))


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (4, 3, 3, 3)])
def test_a_least_squares_problem_is_solved(shape):
    torch.manual_seed(0)
    wanted, weight = torch.randn(shape), torch.zeros(shape, requires_grad=True)
    offset, bias = torch.randn(7), torch.zeros(7, requires_grad=True)
    optimizer = Muon([weight, bias], lr=0.3)
    for step in range(600):
        optimizer.lr = 0.3 * (1 - step / 600)
        loss = (weight - wanted).square().sum() + (bias - offset).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (weight - wanted).abs().max() < 0.05
    assert (bias - offset).abs().max() < 0.05


def test_a_step_does_not_depend_on_the_gradients_scale():
    moved = []
    for scale in (1e-6, 1e6):
        weight = torch.zeros(4, 6, requires_grad=True)
        weight.grad = scale * torch.arange(24.0).reshape(4, 6)
        Muon([weight], lr=0.1).step()
        moved.append(weight.detach())
    torch.testing.assert_close(*moved, rtol=1e-3, atol=1e-5)


def test_parameters_without_gradients_are_left_alone():
    weight, bias = torch.ones(2, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    Muon([weight, bias], lr=0.1).step()
    assert torch.equal(weight, torch.ones(2, 2))
    assert torch.equal(bias, torch.ones(2))


def test_the_state_comes_back():
    def run(optimizer, weight, n):
        for _ in range(n):
            weight.grad = weight.detach() - 3
            optimizer.step()

    whole = torch.zeros(3, 4, requires_grad=True)
    run(Muon([whole], lr=0.1), whole, 10)
    first = torch.zeros(3, 4, requires_grad=True)
    optimizer = Muon([first], lr=0.1)
    run(optimizer, first, 5)
    second = first.detach().clone().requires_grad_()
    again = Muon([second], lr=0.1)
    again.load_state_dict(optimizer.state_dict())
    run(again, second, 5)
    assert torch.equal(second, whole)


@pytest.mark.parametrize(
    ("shape", "n_blocks"),
    [((300, 500), 3), ((500, 300), 3), ((256, 256), 2), ((65, 65), 2), ((64, 400), 1), ((8, 40, 3, 3), 1)],
)
def test_large_matrices_are_orthogonalized_in_blocks_of_equal_height(shape, n_blocks):
    torch.manual_seed(0)
    weight = torch.zeros(shape, requires_grad=True)
    weight.grad = torch.randn(shape)
    Muon([weight], lr=1.0).step()
    rows, columns = shape[0], weight[0].numel()
    step = (weight.detach() / (rows / columns) ** 0.5).flatten(1)
    step = step if rows <= columns else step.mT
    height = -(-len(step) // n_blocks)
    for block in step.split(height):
        values = torch.linalg.svdvals(block)
        assert values.median() > 0.6
        assert values.max() < 2
    assert torch.linalg.svdvals(step).max() < 2 * (-(-len(step) // height)) ** 0.5


def test_weight_decay_shrinks_matrices_and_not_vectors():
    moved = {}
    for decay in (0.0, 0.5):
        weight, bias = torch.ones(3, 4, requires_grad=True), torch.ones(3, requires_grad=True)
        weight.grad, bias.grad = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), torch.ones(3)
        Muon([weight, bias], lr=0.1, weight_decay=decay).step()
        moved[decay] = weight.detach(), bias.detach()
    torch.testing.assert_close(moved[0.5][0], moved[0.0][0] - 0.05)
    assert torch.equal(moved[0.5][1], moved[0.0][1])


def fit_and_look_for_a_compiler():
    Autoencoder(epochs=1).fit(np.random.default_rng(0).random((40, 5)))
    sys.exit("torch._dynamo" in sys.modules)


def test_the_first_optimizer_does_not_import_a_compiler(tmp_path):
    """It would take seconds at the start of every process that trains."""
    assert Process(tmp_path, fit_and_look_for_a_compiler).end()[0] == 0


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_small_networks_take_the_steps_of_large_ones(weight_decay, monkeypatch):
    """What is done side by side is what is done one by one."""
    ends = []
    for few in (0, 2**14):
        monkeypatch.setattr("latentmap.training.optimizer._FEW_NUMBERS", few)
        generator = torch.Generator().manual_seed(0)
        shapes = [(8, 1, 3, 3), (16, 8, 3, 3), (5, 3), (3, 5), (70, 4), (6,)]
        params = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
        params[1].data = params[1].data.contiguous(memory_format=torch.channels_last)
        optimizer = Muon(params, lr=0.1, weight_decay=weight_decay)
        for _ in range(5):
            for p in params:
                p.grad = torch.randn(p.shape, generator=generator)
            optimizer.step()
        ends.append([*params, *optimizer.state_dict().values()])
    for small, large in zip(*ends, strict=True):
        torch.testing.assert_close(small, large, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("power", [-40, -25, -20, -15, 0, 15])
def test_gradients_of_any_size_are_orthogonalized_or_move_nothing(power):
    matrix = torch.randn(1, 8, 20, generator=torch.Generator().manual_seed(0))
    largest = torch.linalg.svdvals(orthogonalize(matrix * 10.0**power)).max()
    assert largest == 0 if power <= -20 else 1 < largest < 2
