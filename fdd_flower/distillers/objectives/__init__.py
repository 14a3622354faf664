"""What is minimised: distances of rows from records, a term a file."""
