"""The exact state of the checkouts that code came from."""
