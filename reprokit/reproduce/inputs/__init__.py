"""What a run read beside its source: models and datasets at the revisions that were loaded, and local files."""
