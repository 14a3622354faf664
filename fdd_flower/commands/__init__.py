"""The commands of `fdd`, a file each; what is heavy to import is imported when one runs."""
