"""Distillers, one per file: how a client turns its records into a few synthetic ones."""
