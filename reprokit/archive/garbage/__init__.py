"""What no bundle needs any more, and removing it."""
