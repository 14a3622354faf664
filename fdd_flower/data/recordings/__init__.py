"""Recordings of sensors: from a table, in time, and cut into windows."""
