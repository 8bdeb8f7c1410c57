"""What those have left in staging folders who were killed, and from which there is nothing to go on."""

from __future__ import annotations

from reprokit.archive import publication
from reprokit.archive.layout import Archive

COPYING = "a copying to a mirror of"
ARRIVAL = "an arrival from"


def is_of_a_transfer(description: str) -> bool:
    """Tell whether a staging folder is of a bundle on its way: what it holds exists elsewhere, too."""
    return description.startswith((COPYING, ARRIVAL))


def clear_away(archive: Archive, beginning: str) -> None:
    """Remove the staging folders whose descriptions begin so, and whose owners are known to have ended.

    Raises:
        CaptureError: the archive cannot be written.
        UsageError: a link stands where they belong, or they came with the archive's commits.
    """
    left = {each.path for each in publication.abandoned(archive) if each.owner.description.startswith(beginning)}
    if left:
        publication.clear(archive, but=lambda path: path not in left)
