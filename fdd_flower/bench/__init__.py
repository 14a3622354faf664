"""Benches that cannot flatter: what they share, and a folder for each."""
