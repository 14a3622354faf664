"""Training models on synthetic sets and on records: the loop, teachers, optimisers, metrics."""
