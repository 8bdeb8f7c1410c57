"""Completing locks with the digests that package indexes tell."""
