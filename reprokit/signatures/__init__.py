"""Signatures of bundles: making them, finding them, and telling whose they are, with OpenSSH's own program."""
