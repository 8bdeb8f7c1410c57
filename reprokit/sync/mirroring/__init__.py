"""Copying what waits in the outbox to mirrors, and saying so only when it is true."""
