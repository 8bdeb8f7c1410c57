"""How far a reproduction agrees with its original: what `diff` found, read off as a rung of one ladder."""
