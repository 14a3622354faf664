"""Codecs, one per file: a set as plain arrays, and back."""
