"""A bench that cannot flatter: a distilled set beside its baselines at equal bytes, one recipe."""
