"""What is done with the result of a run: train on it, predict with it, pass it on."""
