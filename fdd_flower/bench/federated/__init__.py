"""Federated methods beside each other: the same cut of the same records, bytes and time counted."""
