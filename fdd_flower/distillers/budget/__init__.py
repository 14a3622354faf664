"""Filling a byte budget: how many rows, and how finely they are coded."""
