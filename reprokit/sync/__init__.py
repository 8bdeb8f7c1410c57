"""Bundles between places: to a remote and back, verified on arrival."""
