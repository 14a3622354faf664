"""The federated methods: a method a file, both halves named side by side."""
