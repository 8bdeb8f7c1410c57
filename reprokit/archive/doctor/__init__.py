"""Whether this machine and an archive are fit."""
