"""What a run is about and found, as JSON files of their own."""
