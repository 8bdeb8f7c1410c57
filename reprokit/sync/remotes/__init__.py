"""Bundles on DVC remotes: sent, got back, and proven."""
