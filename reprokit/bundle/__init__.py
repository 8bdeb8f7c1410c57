"""The format: records, manifest, reading and writing a bundle, checking it."""
