"""Starting a run: settings, checks before anything starts, a private Flower, the outcome."""
