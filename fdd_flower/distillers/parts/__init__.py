"""What distillers share: starts, views, objectives, labels, and the loop that runs them."""
