"""Pages for people, from what the layers below return."""
