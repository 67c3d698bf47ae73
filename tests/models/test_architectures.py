"""What is true of every architecture, and the networks layer for layer."""

import pytest
import torch
from torch import nn

from latentmap.models import MODELS, ConvAutoencoder, DenseAutoencoder, LinearAutoencoder
from latentmap.models.base import Components
from latentmap.models.fitted import for_inference

ALL = pytest.mark.parametrize("name", sorted(MODELS))


def output_shapes(sequential, x):
    """The shape (without the batch) after each layer that has weights or makes an image of a code."""
    shapes = []
    for layer in sequential:
        x = layer(x)
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            shapes.append(tuple(x.shape[1:]))
    return shapes


def kinds(sequential):
    return [next(k for k in (nn.ConvTranspose2d, *map(type, [layer])) if isinstance(layer, k)) for layer in sequential]


# ---- layer for layer -----------------------------------------------------------------------------------------------


def test_dense_is_the_network_of_the_issue():
    module = DenseAutoencoder(sample_shape=(1, 32, 32), latent_dim=2)
    assert module.n_parameters == 284_226
    assert output_shapes(module.encoder, torch.rand(3, 1, 32, 32)) == [(128,), (64,), (32,), (2,)]
    assert output_shapes(module.decoder, torch.rand(3, 2)) == [(32,), (64,), (128,), (1024,)]
    between = [nn.Linear, nn.ReLU] * 3 + [nn.Linear]
    assert kinds(module.encoder) == [nn.Flatten, *between]
    assert kinds(module.decoder) == [*between, nn.Sigmoid, nn.Unflatten]


def test_conv_is_the_network_of_the_issue():
    module = ConvAutoencoder(sample_shape=(1, 32, 32), bottleneck_channels=4)
    assert module.latent_dim == 64
    assert output_shapes(module.encoder, torch.rand(3, 1, 32, 32)) == [(8, 16, 16), (16, 8, 8), (4, 4, 4)]
    assert output_shapes(module.decoder, torch.rand(3, 64)) == [(16, 8, 8), (8, 16, 16), (1, 32, 32)]
    plain, up = [nn.BatchNorm2d, nn.ReLU], nn.ConvTranspose2d
    assert kinds(module.encoder) == [nn.Conv2d, *plain, nn.Conv2d, *plain, nn.Conv2d, nn.Flatten]
    assert kinds(module.decoder) == [nn.Unflatten, up, *plain, up, *plain, up, nn.Sigmoid]
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    assert [layer.bias is not None for layer in layers] == [False, False, True, False, False, True]
    assert all(layer.kernel_size == (3, 3) and layer.stride == (2, 2) and layer.padding == (1, 1) for layer in layers)
    assert all(layer.output_padding == (1, 1) for layer in layers[3:])
    # 3x3 kernels, biases of the two plain layers, and two numbers per normalized channel
    assert module.n_parameters == 9 * (8 + 128 + 64 + 64 + 128 + 8) + (4 + 1) + 2 * (8 + 16 + 16 + 8)


def test_conv_with_a_latent_dim_goes_through_one_linear_layer_each_way():
    module = ConvAutoencoder(latent_dim=10)
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(64, 10), (10, 64)]
    assert isinstance(module.encoder[-1], nn.Linear)
    assert isinstance(module.decoder[0], nn.Linear)


def test_linear_is_one_matrix_in_and_one_out():
    module = LinearAutoencoder((1, 32, 32), latent_dim=2)
    assert module.n_parameters == 1024 * 2 + 2 + 2 * 1024 + 1024
    x, y = torch.rand(2, 4, 1, 32, 32)
    middle = module((x + y) / 2)
    torch.testing.assert_close(middle, (module(x) + module(y)) / 2)


# ---- every architecture --------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
@pytest.mark.parametrize("size", [(8, 8), (7, 7), (1, 1), (2, 3), (5, 16), (31, 1), (33, 10)])
def test_any_sample_shape_goes_in_and_comes_out(name, channels, size):
    shape = (channels, *size)
    module = MODELS[name](sample_shape=shape, latent_dim=3)
    x = torch.rand(5, *shape)
    z = module.encode(x)
    assert z.shape == (5, 3)
    assert module.decode(z).shape == x.shape
    torch.testing.assert_close(module.eval()(x), module.decode(module.encode(x)))


@ALL
def test_images_come_out_in_the_unit_interval_but_from_the_linear_network(name):
    module = MODELS[name](sample_shape=(1, 9, 9), latent_dim=2).eval()
    x_hat = module.decode(100 * torch.randn(200, 2))
    assert torch.isfinite(x_hat).all()
    if name != "linear":
        assert 0 <= x_hat.min() < 0.5 < x_hat.max() <= 1


@pytest.mark.parametrize("name", sorted(name for name, kind in MODELS.items() if not kind.images_only))
def test_vectors_go_in_and_come_out_without_bounds(name):
    module = MODELS[name](sample_shape=(11,), latent_dim=2)
    x = 5 * torch.randn(50, 11)
    assert module(x).shape == (50, 11)
    assert module.decode(100 * torch.randn(50, 2)).abs().max() > 1.5


def test_conv_refuses_vectors_and_says_what_takes_them():
    with pytest.raises(
        ValueError, match=r"sample_shape must be \(channels, height, width\) .*Use model='dense' for vec"
    ):
        ConvAutoencoder(sample_shape=(11,))


@ALL
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 10)])
@pytest.mark.parametrize("latent_dim", [1, 5, 16])
def test_config_builds_the_same_network_again(name, shape, latent_dim):
    module = MODELS[name](sample_shape=shape, latent_dim=latent_dim).eval()
    again = type(module)(**module.config).eval()
    again.load_state_dict(module.state_dict())
    x = torch.rand(4, *shape)
    assert torch.equal(again(x), module(x))
    assert again.config == module.config


@ALL
@pytest.mark.parametrize(
    "arguments",
    [
        {"latent_dim": -1},
        {"latent_dim": 1.5},
        {"latent_dim": True},
        {"sample_shape": (8, 8)},
        {"sample_shape": (1, 0, 8)},
        {"sample_shape": (1, 8, 2.5)},
    ],
)
def test_impossible_sizes_are_refused_by_name(name, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments)) + " must be"):
        MODELS[name](**arguments)


@ALL
def test_start_from_makes_the_untrained_network_draw_the_mean(name):
    torch.manual_seed(0)
    x = 0.3 + 0.05 * torch.rand(200, 1, 12, 12)
    module = MODELS[name](sample_shape=(1, 12, 12), latent_dim=4)
    before = (module.eval()(x) - x).square().mean()
    module.start_from(Components(x.mean(dim=0), torch.empty(0, 144), torch.empty(0)))
    after = (module.eval()(x) - x).square().mean()
    assert after < before


@ALL
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 7, 9)])
def test_the_network_for_inference_computes_the_same_and_leaves_the_original(name, shape):
    torch.manual_seed(0)
    module = MODELS[name](sample_shape=shape, latent_dim=4)
    for _ in range(3):
        module.train()(torch.rand(16, *shape))  # so that batch norm has statistics to fold
    module.eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    quick = for_inference(module)
    x = torch.rand(20, *shape)
    with torch.inference_mode():
        torch.testing.assert_close(quick.encode(x), module.encode(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(quick.decode(module.encode(x)), module(x), rtol=1e-5, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    assert quick is module or not any(parameter.requires_grad for parameter in quick.parameters())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())
