"""How much a server can take in: many clients' replies at once, in seconds and in memory."""
