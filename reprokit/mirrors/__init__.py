"""Copies of bundles elsewhere, for people and for safety: what a mirror owes, and the mirrors there are."""
