"""Stands in for lm-eval where only what starts it is tested: the same command line and files, in no time."""
