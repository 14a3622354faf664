"""The federated methods, one per file, with both halves side by side."""
