"""Where bundles live and how they are found: git, DVC, catalog, ledger."""
