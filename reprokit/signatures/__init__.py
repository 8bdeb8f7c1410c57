"""Consent by signature: a bundle may run when a key that its user has named has signed it."""
