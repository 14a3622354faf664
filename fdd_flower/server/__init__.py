"""A run's half of every method: the rounds, judging replies, sampling, pools, forgetting."""
