"""Using the result of a run: train on it, predict with it, export it."""
