"""Running the evaluation as if nobody watched: its streams, its signals, its exit status."""
