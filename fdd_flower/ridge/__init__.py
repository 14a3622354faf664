"""Ridge regression on random features of records: a kernel model, and a teacher of networks."""
