"""Two bundles become a comparison."""
