"""A command, its finished outputs or a block of a program becomes a sealed bundle.

`reprokit.capture(...)` is this package, called: see `reprokit.capture.in_python.api.capture`.
"""

from reprokit.callable_package import let_be_called

let_be_called(__name__, "in_python.api.capture")
