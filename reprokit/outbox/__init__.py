"""Bundles that wait to be copied to a mirror: where each is to go, and why it still waits."""
