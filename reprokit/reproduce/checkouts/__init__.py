"""The captured checkouts come back in the workspace, each an isolated clone at its commit and patch."""
