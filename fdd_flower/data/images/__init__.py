"""Images as people have them: which files they are, whose class, and their pixels."""
