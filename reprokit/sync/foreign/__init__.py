"""Bundles by a mirror's reference: found, fetched, and read only when they have proven whole."""
