"""Repair: what is damaged or missing of a bundle is brought back from any copy that proves itself."""
