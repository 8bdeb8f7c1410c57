"""A recorded run becomes a command again: every place by its role, nothing sent elsewhere, revisions as they were."""
