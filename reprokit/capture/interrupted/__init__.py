"""Captures that were cut short: what is noted for that case, and finishing them."""
