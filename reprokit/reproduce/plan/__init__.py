"""What reproducing a bundle would do, before anything is done: shown to the user, who then agrees or not."""
