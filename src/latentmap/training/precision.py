"""The arithmetic of training: float32, or bfloat16 where the machine has it in hardware and it pays."""

from __future__ import annotations

import torch

PRECISIONS = ("auto", "float32", "bfloat16")


def choose_precision(name: str, device: torch.device, *, pays: bool) -> str:
    """The precision of that name, or the quickest for the device.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16"}
        What was asked for.
    device : torch.device
        Where training runs.
    pays : bool
        Whether the architecture spends its time in matrix products, which bfloat16 makes quicker.

    Returns
    -------
    {"float32", "bfloat16"}
    """
    if name != "auto":
        return name
    return "bfloat16" if pays and _has_bfloat16(device) else "float32"


def _has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    features = getattr(torch.backends.cpu, "get_cpu_capability", str)()
    supports = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return "AVX512" in features and any(support() for support in supports if support is not None)
