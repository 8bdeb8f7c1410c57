"""Capturing what has finished long ago, one run or hundreds."""
