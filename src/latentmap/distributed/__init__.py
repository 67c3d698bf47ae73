"""Work shared by several machines, on PyTorch's and Ray's engines: see docs/scale.md."""

from latentmap.distributed.training import fit

__all__ = ["fit"]
