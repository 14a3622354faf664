"""Tables: files as people have them, and the way from their cells to what a model sees."""
