"""Bundles packed into one file, `.tar` or `.zip`: read with suspicion, unpacked for a command, and proven."""
