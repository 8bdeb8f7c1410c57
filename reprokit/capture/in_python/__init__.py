"""A program that captures itself: `with reprokit.capture() as run:`."""
