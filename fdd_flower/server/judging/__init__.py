"""From raw replies to sets that may be merged: checks, verdicts, duplicates, scores."""
