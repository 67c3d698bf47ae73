"""Arithmetic by hand, where PyTorch's own layers are slow on a processor; `docs/decisions` has what it earns.

Nothing here need be read to understand or change an architecture: each computes what the plain layers compute, which
tests hold it to.
"""
