"""What was set up: every fact of two runs but their results, weighed against each other."""
