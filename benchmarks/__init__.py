"""How fast, how flat: ratios against named peers, measured in the same run. See `README.md`."""
