"""Federated methods compared on the same split of the same records, with bytes and time."""
