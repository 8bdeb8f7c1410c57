"""An audit as people and their programs read it."""
