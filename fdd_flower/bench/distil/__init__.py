"""The bench of distillers: each set beside its baselines at equal bytes, under one recipe."""
