"""A bundle becomes a workspace, a run and a verdict."""
