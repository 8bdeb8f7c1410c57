"""What is known of a run's media, task by task, for work that is done side by side."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter

from reprokit.probes.interpreter.media import SeenMedia


def of_task(seen: SeenMedia, task: str) -> SeenMedia:
    """Begin a part that knows what was seen of one task. How much it may read is looked at when it is joined."""
    return dataclasses.replace(
        seen,
        lines={task: seen.lines[task]} if task in seen.lines else {},
        samples=Counter(),
        untold=Counter(),
        digests={},
        may_read=sys.maxsize if seen.may_read else 0,
    )


def join(seen: SeenMedia, part: SeenMedia) -> bool:
    """Take over what a part saw; not so, and false, when it read more than may still be read."""
    new = {file: digest for file, digest in part.digests.items() if file not in seen.digests}
    octets = sum(size for _, _, size, _ in new)
    if octets > seen.may_read:
        return False
    seen.may_read -= octets
    seen.digests |= new
    seen.samples.update(part.samples)
    seen.untold.update(part.untold)
    return True
