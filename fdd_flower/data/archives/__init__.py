"""NumPy archives as people write them: which arrays, in which layout, labelled how."""
