"""Filling a byte budget: how many rows, and at which quality."""
