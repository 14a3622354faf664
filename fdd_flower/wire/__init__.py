"""What travels: codecs for sets, and the records of a message."""
