"""What Hugging Face's `datasets` reads, as records."""
