"""Attacks on what leaves a client: an attack a file, and a verdict that can be bad."""
