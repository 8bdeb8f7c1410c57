"""A command, or its finished outputs, becomes a sealed bundle."""
