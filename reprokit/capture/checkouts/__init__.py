"""The checkouts that the code of a run came from, and code that came from elsewhere."""
