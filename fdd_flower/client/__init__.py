"""A client's half of a round: its records, its own settings, what it remembers, its reply."""
