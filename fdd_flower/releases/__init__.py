"""Releases: what a client's records add up to under a private mode, and the rows drawn from it."""
