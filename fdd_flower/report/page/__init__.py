"""The sections of a run's report, an idea a file."""
