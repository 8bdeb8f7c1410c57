"""The filters and orders that runs and artifacts are asked for with: the dialect of MongoDB that the service speaks."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from graphql_answers import UnmodelledError
from world import Collection, Run, Version

Item = TypeVar("Item")
Lookup = Callable[[Any, str], Any]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": lambda value, than: value is not None and value > than,
    "$gte": lambda value, than: value is not None and value >= than,
    "$lt": lambda value, than: value is not None and value < than,
    "$lte": lambda value, than: value is not None and value <= than,
    "$in": lambda value, among: any(each in among for each in (value if isinstance(value, list) else [value])),
    "$regex": lambda value, pattern: re.search(pattern, str(value)) is not None,
    "$exists": lambda value, wanted: (value is not None) == bool(wanted),
}
RUN = {
    "name": lambda run: run.name,
    "displayName": lambda run: run.display_name,
    "display_name": lambda run: run.display_name,
    "state": lambda run: run.state,
    "tags": lambda run: run.tags,
    "group": lambda run: run.facts.get("groupName"),
    "jobType": lambda run: run.facts.get("jobType"),
    "createdAt": lambda run: run.created,
    "created_at": lambda run: run.created,
    "heartbeat_at": lambda run: run.heartbeat,
}
VERSION = {
    "state": lambda version: version.state,
    "digest": lambda version: version.digest,
    "createdAt": lambda version: version.created,
    "created_at": lambda version: version.created,
    "versionIndex": lambda version: version.index,
    "tags": lambda version: version.tags,
}
COLLECTION = {
    "name": lambda collection: collection.where[2],
    "createdAt": lambda collection: collection.created,
    "created_at": lambda collection: collection.created,
    "tags": lambda collection: collection.tags,
}


def of_run(run: Run, key: str) -> Any:
    """Give what a run has under a filter's key.

    Raises:
        UnmodelledError: no run has that key.
    """
    if key in RUN:
        return RUN[key](run)
    root, _, rest = key.partition(".")
    if root == "config":
        found = run.config.get(rest.removesuffix(".value"))
        return found.get("value") if isinstance(found, dict) else found
    if root == "summary_metrics":
        return run.summary.get(rest)
    raise UnmodelledError(f"filter: unknown key `{key}`", 400)


def of_version(version: Version, key: str) -> Any:
    """Give what a version has under a filter's key."""
    if key in VERSION:
        return VERSION[key](version)
    root, _, rest = key.partition(".")
    if root == "metadata":
        return json.loads(version.metadata or "{}").get(rest)
    raise UnmodelledError(f"filter: unknown key `{key}`", 400)


def of_collection(collection: Collection, key: str) -> Any:
    """Give what a collection has under a filter's key."""
    if key not in COLLECTION:
        raise UnmodelledError(f"filter: unknown key `{key}`", 400)
    return COLLECTION[key](collection)


def _holds(item: Item, lookup: Lookup, key: str, wanted: Any) -> bool:
    if key in {"$and", "$or"}:
        each_holds = (all(_holds(item, lookup, *pair) for pair in each.items()) for each in wanted)
        return (all if key == "$and" else any)(each_holds)
    value = lookup(item, key)
    if not isinstance(wanted, dict):
        return value == wanted or (isinstance(value, list) and wanted in value)
    for word, than in wanted.items():
        if word not in COMPARISONS:
            raise UnmodelledError(f"filter: unknown operator `{word}`", 400)
        if not COMPARISONS[word](value, than):
            return False
    return True


def selected(items: list[Item], lookup: Lookup, given: Mapping[str, Any]) -> list[Item]:
    """Keep the items that `filters`, in JSON, holds for, sorted by `order`: a key with `+` or `-` before it."""
    condition = json.loads(given.get("filters") or "{}")
    kept = [item for item in items if all(_holds(item, lookup, *pair) for pair in condition.items())]
    order = given.get("order")
    if not order:
        return kept
    key = order.lstrip("+-")
    found = [(lookup(item, key), number, item) for number, item in enumerate(kept)]
    return [
        item for *_, item in sorted(found, key=lambda each: (each[0] is not None, each[:2]), reverse=order[0] == "-")
    ]
