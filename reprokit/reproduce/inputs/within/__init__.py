"""Programs that the rebuilt environment's own Python runs, with its own libraries. Nothing of reprokit is there.

Each reads one JSON value from stdin, and writes one line of JSON: `{}`, or what went wrong.
"""
