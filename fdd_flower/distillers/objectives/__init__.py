"""What is minimised: distances of rows from records, one term per file."""
