"""Federated dataset distillation on Flower.

Clients turn private data into a few kilobytes of synthetic data; the server merges
what it can trust and trains any model on it.
"""

__version__ = "0.2.0"
