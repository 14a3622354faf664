"""Sketches: what clients send of their records as sums, and what the server makes of the total."""
