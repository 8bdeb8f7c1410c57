"""Copies of bundles elsewhere: on DVC remotes and on mirrors, asked about bundle after bundle."""
