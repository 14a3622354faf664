"""What the benches share; each has its own folder."""
