"""The quick way of learning computes what the plain layers compute."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from latentmap.models import ConvAutoencoder
from latentmap.models.base import AutoencoderModule

SHAPES = pytest.mark.parametrize("shape", [(1, 32, 32), (1, 8, 8), (3, 16, 40), (4, 24, 8)])


def plainly(module, x):
    """Reconstruct by the plain layers."""
    return AutoencoderModule.forward(module, x)


def module_and_batch(shape, n=13, **config):
    torch.manual_seed(0)
    module = ConvAutoencoder(shape, **config).train()
    with torch.no_grad():  # weights and biases of norms that matter
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return module, torch.rand(n, *shape)


def learn(module, forward, x):
    out = forward(module, x)
    module.zero_grad()
    (functional.mse_loss(out, x) + 0.1 * out.square().sum() / len(x)).backward()
    return out


@SHAPES
@pytest.mark.parametrize("bottleneck_channels", [4, 3])
def test_outputs_gradients_and_statistics_are_those_of_the_plain_layers(shape, bottleneck_channels):
    quick, x = module_and_batch(shape, bottleneck_channels=bottleneck_channels)
    assert quick._learns_by_cells(x)
    exact = nn.Module.train(copy.deepcopy(quick).double())
    for _ in range(2):  # the second time with buffers that were used
        wanted = learn(exact, plainly, x.double())
        torch.testing.assert_close(learn(quick, ConvAutoencoder.__call__, x).double(), wanted, rtol=0, atol=1e-5)
    for (name, parameter), other in zip(quick.named_parameters(), exact.parameters(), strict=True):
        scale = other.grad.abs().max()
        torch.testing.assert_close(parameter.grad.double(), other.grad, rtol=0, atol=float(2e-4 * scale), msg=name)
    for (name, buffer), other in zip(quick.named_buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(buffer.double(), other.double(), rtol=1e-5, atol=1e-6, msg=name)


def test_two_passes_at_once_do_not_disturb_each_other():
    module, x = module_and_batch((1, 16, 16))
    y = torch.rand_like(x)
    alone = torch.autograd.grad(module(x).square().mean(), list(module.parameters()))
    first, second = module(x), module(y)
    second.square().mean().backward()
    both = torch.autograd.grad(first.square().mean(), list(module.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(alone, both, strict=True))


def test_a_second_pass_backwards_does_not_lend_the_same_buffers_twice():
    module, x = module_and_batch((1, 16, 16))
    parameters, y = list(module.parameters()), torch.rand_like(x)
    wanted = torch.autograd.grad(module(x).square().mean(), parameters)
    loss = module(x).square().mean()
    torch.autograd.grad(loss, parameters, retain_graph=True)
    one, other = module(x), module(y)
    found = [torch.autograd.grad(each, parameters) for each in (one.square().mean(), loss)]
    del other
    for grads in found:
        assert all(torch.equal(a, b) for a, b in zip(wanted, grads, strict=True))


def test_passes_in_threads_do_not_disturb_each_other():
    from concurrent.futures import ThreadPoolExecutor

    module, x = module_and_batch((1, 16, 16))
    wanted = torch.autograd.grad(module(x).square().mean(), list(module.parameters()))

    def gradients(_):
        own = copy.deepcopy(module)
        return [torch.autograd.grad(own(x).square().mean(), list(own.parameters())) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        for grads in (each for found in pool.map(gradients, range(4)) for each in found):
            assert all(torch.equal(a, b) for a, b in zip(wanted, grads, strict=True))


def test_batches_of_many_sizes_leave_no_more_than_a_few_buffers_behind():
    from latentmap.models._kernels.cells import _FREE, _MOST_FREE

    module, _ = module_and_batch((1, 8, 8))
    for n in range(2, 20):
        module(torch.rand(n, 1, 8, 8)).mean().backward()
    assert len(_FREE) <= _MOST_FREE + 1


@pytest.mark.parametrize(
    ("shape", "config", "change"),
    [
        ((1, 28, 28), {}, {}),
        ((1, 8, 12), {}, {}),
        ((1, 16, 16), {"latent_dim": 5}, {}),
        ((1, 16, 16), {}, {"training": False}),
        ((1, 16, 16), {}, {"requires_grad": True}),
        ((1, 16, 16), {}, {"dtype": torch.float64}),
        ((1, 64, 64), {}, {"n": 65}),
    ],
)
def test_elsewhere_the_plain_layers_are_used(shape, config, change):
    module, x = module_and_batch(shape, change.get("n", 4), **config)
    x = x.to(change.get("dtype", torch.float32)).requires_grad_(change.get("requires_grad", False))
    module.train(change.get("training", True))
    assert not module._learns_by_cells(x)
    with torch.no_grad():
        assert not module.train()._learns_by_cells(torch.rand(2, 1, 16, 16))


def test_a_module_that_learned_can_be_copied_and_pickled(tmp_path):
    import pickle

    module, x = module_and_batch((1, 16, 16))
    module(x).mean().backward()
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):  # noqa: S301
        torch.testing.assert_close(other.eval()(x), module.eval()(x))
