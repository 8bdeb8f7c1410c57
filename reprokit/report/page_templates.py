"""How the templates of pages are read: everything is escaped, and a name that is not there is an error."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """Make what renders the templates of this package; a page adds filters of its own."""
    return Environment(
        loader=PackageLoader("reprokit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
