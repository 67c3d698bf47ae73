"""The network as it is quickest to run computes what the network computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latentmap.models import MODELS
from latentmap.models.fitted import for_inference


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sample_shape", [(1, 32, 32), (3, 17, 9)])
def test_equals_the_module(name, sample_shape):
    torch.manual_seed(0)
    module = MODELS[name](sample_shape=sample_shape)
    for norm in (layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)):
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    module.eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    quick = for_inference(module)
    x = torch.rand(4, *sample_shape)
    with torch.inference_mode():
        z = module.encode(x)
        torch.testing.assert_close(quick.encode(x), z, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(quick.decode(z), module.decode(z), atol=1e-5, rtol=1e-4)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
