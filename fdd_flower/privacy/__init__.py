"""Mechanisms, accounting and budgets of formal privacy: none yet, see `privacy.mode`."""
