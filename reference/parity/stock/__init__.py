"""Oracles of families that Transformers does not have, of PyTorch's stock modules."""
