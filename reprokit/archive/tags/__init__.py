"""Tags, names and notes of bundles: later facts, kept in the ledger."""
