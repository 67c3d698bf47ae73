import pytest
import torch
from torch import nn

from latentmap.models.doubling import DoublingConvTranspose2d

SIZES = [(1, 1), (4, 4), (1, 5), (7, 3), (8, 8), (9, 16), (13, 11), (2, 17)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [(4, 16), (16, 8), (8, 1), (5, 3), (1, 4)])
@pytest.mark.parametrize("output_padding", [(1, 1), (0, 1), (0, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_output_and_gradients_are_those_of_pytorchs_layer(size, channels, output_padding, bias):
    torch.manual_seed(0)
    ours = DoublingConvTranspose2d(*channels, output_padding=output_padding, bias=bias).double().train()
    plain = nn.ConvTranspose2d(*channels, 3, 2, 1, output_padding, bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(3, channels[0], *size, dtype=torch.float64)
    x_ours, x_plain = x.clone().requires_grad_(), x.clone().requires_grad_()
    found, wanted = ours(x_ours), plain(x_plain)
    torch.testing.assert_close(found, wanted)
    pull = torch.randn_like(wanted)
    found.backward(pull)
    wanted.backward(pull)
    torch.testing.assert_close(x_ours.grad, x_plain.grad)
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)
    if bias:
        torch.testing.assert_close(ours.bias.grad, plain.bias.grad)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("train", [True, False])
def test_layout_and_mode_make_no_difference(memory_format, train):
    torch.manual_seed(0)
    ours = DoublingConvTranspose2d(8, 1, output_padding=(1, 1), bias=True).train(train)
    plain = nn.ConvTranspose2d(8, 1, 3, 2, 1, 1)
    plain.load_state_dict(ours.state_dict())
    ours.to(memory_format=memory_format)
    x = torch.randn(5, 8, 6, 10).to(memory_format=memory_format)
    torch.testing.assert_close(ours(x), plain(x))


def test_weights_alone_get_gradients_where_the_input_needs_none():
    ours = DoublingConvTranspose2d(2, 4, output_padding=(1, 1), bias=False).train()
    ours(torch.randn(3, 2, 4, 4)).sum().backward()
    assert ours.weight.grad.abs().sum() > 0
