"""The Python API; `fdd_flower` itself shows the names that are for users."""
