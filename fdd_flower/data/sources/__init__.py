"""Where records come from, one source per file."""
