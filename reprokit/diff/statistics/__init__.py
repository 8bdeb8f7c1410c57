"""Statistics of paired differences: numbers in, numbers out."""
