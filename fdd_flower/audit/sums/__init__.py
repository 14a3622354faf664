"""Attacks on a sum of one vector a record: traced, solved, and by the regression that it gives."""
