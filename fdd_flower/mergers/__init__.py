"""Merge rules, one per file: how the server joins the sets it accepted."""
