"""The metrics of two runs side by side, and what can be said of their differences."""
