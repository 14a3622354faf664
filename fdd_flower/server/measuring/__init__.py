"""What is measured on the server's test records, and what chooses thresholds without them."""
