"""What is observed around a run."""
