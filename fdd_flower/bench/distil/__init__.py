"""The bench of distillers: each set beside baselines at equal bytes, under one recipe."""
