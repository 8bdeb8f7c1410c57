"""Audit: whether the bundles of an archive are whole, and whether their runs could still be run."""
