import pytest
import torch

from latentmap.models import MODELS
from latentmap.training import runtime
from latentmap.training.runtime import choose_precision

CPU = torch.device("cpu")


def pretend(monkeypatch, capability, **features):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: features.get(name, False))


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_what_is_asked_for_is_given(name):
    assert choose_precision(name, CPU, pays=False) == name


@pytest.mark.parametrize(
    ("capability", "features", "wanted"),
    [
        ("AVX2", {}, "float32"),
        ("AVX512", {}, "float32"),
        ("AVX512", {"_is_avx512_bf16_supported": True}, "bfloat16"),
        ("AVX512", {"_is_amx_tile_supported": True}, "bfloat16"),
        ("AVX2", {"_is_avx512_bf16_supported": True}, "float32"),  # PyTorch was told to do without
    ],
)
def test_auto_asks_the_machine(capability, features, wanted, monkeypatch):
    pretend(monkeypatch, capability, **features)
    assert choose_precision("auto", CPU, pays=True) == wanted
    assert choose_precision("auto", CPU, pays=False) == "float32"


def test_auto_is_float32_where_nothing_is_known(monkeypatch):
    pretend(monkeypatch, "AVX512")
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name)
    assert choose_precision("auto", CPU, pays=True) == "float32"
    assert choose_precision("auto", torch.device("mps"), pays=True) == "float32"


def test_every_precision_is_named():
    assert set(runtime.PRECISIONS) == {"auto", "float32", "bfloat16"}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_objectives_are_given_float32_whatever_the_network_computes_in(name):
    module = MODELS[name]((1, 8, 8), 2).train()
    with torch.autocast("cpu", torch.bfloat16):
        z = module.encode(torch.rand(4, 1, 8, 8))
        assert z.dtype == module.decode(z).dtype == torch.float32
        torch.pdist(z)  # which PyTorch has in no other type
