"""Finding and reading each harness's own files."""
