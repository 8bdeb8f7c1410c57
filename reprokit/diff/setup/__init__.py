"""What was set up: the facts of two runs, what a change of one can do, and which changes tell of one cause."""
