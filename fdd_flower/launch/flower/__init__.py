"""A private Flower for one run: SuperLink, submission, processes, environment."""
