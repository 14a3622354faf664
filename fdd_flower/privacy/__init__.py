"""Formal privacy: the mechanism, its accounting, a client's own budget, the privacy card."""
