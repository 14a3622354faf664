"""What leaves a client, as an attacker takes it: rows, updates, sums."""
