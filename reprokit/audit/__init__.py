"""Audit: whether the bundles of an archive are whole, and whether their runs could still be run.

`reprokit.audit(...)` is this package, called: see `reprokit.audit.in_python.audit`.
"""

from reprokit.callable_package import let_be_called

let_be_called(__name__, "in_python.audit")
