"""The commands of `fdd`, one per file; heavy imports wait until a command runs."""
