"""What a last round is for, where it is not for sets: the mathematics of both sides."""
