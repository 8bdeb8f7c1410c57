"""Inputs that the checkout of the command does not bring back: they lay outside of it, or git ignored them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from reprokit.bundle.record import Invocation
from reprokit.bundle.source import Source
from reprokit.bundle.values import Argument


def left_behind(invocation: Invocation, sources: Sequence[Source]) -> dict[str, str]:
    """Map inputs that the command line names by a relative path, and that no checkout holds, to where they lay."""
    others = [source.root.rstrip("/") + "/" for source in sources if source.name != invocation.source]
    return {given: path for _, given, path in _relative(invocation) if not f"{path}/".startswith(tuple(others))}


def absolute(argument: Argument, at: int, invocation: Invocation) -> Argument:
    """Write the inputs of one argument that its own checkout does not bring back with the path to where they lay."""
    if not isinstance(argument, str):
        return argument
    for index, given, path in _relative(invocation):
        if index == at:
            argument = re.sub(rf"(^|[=,]){re.escape(given)}(?=,|\Z)", lambda match: match[1] + path, argument)  # noqa: B023
    return argument


def _relative(invocation: Invocation) -> Iterator[tuple[int, str, str]]:
    directory = invocation.working_directory
    if not isinstance(directory, str):
        return
    for each in invocation.inputs:
        if not each.inside and each.path and not each.path.startswith("/"):
            yield each.argument, each.path, posixpath.normpath(posixpath.join(directory, each.path))
