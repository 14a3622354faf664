"""Before a run: what this machine has, and what can be set."""
