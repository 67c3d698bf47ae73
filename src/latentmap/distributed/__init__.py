"""Work shared by several machines, on PyTorch's and Ray's engines: see docs/scale.md."""
