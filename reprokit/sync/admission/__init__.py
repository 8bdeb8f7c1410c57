"""Taking a bundle from elsewhere into the archive: nothing of it is believed."""
