"""The command lines of the harnesses: reading them as the harness does, changing them for a re-run, rebuilding them."""
