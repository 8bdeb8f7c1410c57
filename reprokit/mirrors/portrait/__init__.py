"""What a tracking service shows of a bundle, as plain values: no service's own client is needed to make or read them.

`portrait.portray` gives all of it; `artifact.description` adds what is said of the stored copy, whose reference is
known only to whoever stores it.
"""
