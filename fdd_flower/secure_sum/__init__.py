"""A sum over clients of which the server learns the total and no part; recovers dropped clients."""
