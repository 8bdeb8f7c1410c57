"""A comparison as text: for the terminal, and for a pull request."""
