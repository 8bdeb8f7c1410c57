"""The Python of a re-run: what it is to hold, how uv makes it, and what of it is not as recorded."""
