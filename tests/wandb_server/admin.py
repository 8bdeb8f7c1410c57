"""What the tests ask and do, under `/admin`: no client knows of it, and no fault happens to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from exchange import Answer, Exchange, as_json, parsed, refused
from faults import Faults
from world import COMMITTED, PENDING, Collection, Run, Version, World, md5_hex


def answer(world: World, faults: Faults, exchange: Exchange) -> Answer:
    """Do what a test asks; `world` is locked."""
    _, _, what, *rest = exchange.path.split("/")
    doing: dict[tuple[str, str], Callable[[], Answer]] = {
        ("GET", "state"): lambda: as_json(state(world)),
        ("GET", "faults"): lambda: as_json(faults.told()),
        ("POST", "faults"): lambda: _add(faults, exchange.body),
        ("DELETE", "faults"): lambda: _do(faults.heal),
        ("POST", "reset"): lambda: _do(faults.heal, world.reset),
        ("GET", "blobs"): lambda: _blob(world, rest[0]),
        ("POST", "blobs"): lambda: _spoil(world, rest[0], exchange.body),
        ("DELETE", "blobs"): lambda: _do(lambda: world.blobs.pop(rest[0], None)),
    }
    found = doing.get((exchange.method, what))
    return found() if found else refused(404, f"no such request: {exchange.method} {exchange.path}")


def _do(*deeds: Callable[[], object]) -> Answer:
    for deed in deeds:
        deed()
    return as_json({})


def _add(faults: Faults, body: bytes) -> Answer:
    try:
        faults.add(parsed(body))
    except ValueError as error:
        return refused(400, str(error))
    return as_json({})


def _blob(world: World, md5: str) -> Answer:
    content = world.blobs.get(md5)
    return refused(404, f"no bytes with MD5 {md5}") if content is None else Answer(200, content)


def _spoil(world: World, md5: str, body: bytes) -> Answer:
    """Let other bytes lie under an MD5: those given, else the same with the first one changed."""
    content = world.blobs.get(md5)
    if content is None:
        return refused(404, f"no bytes with MD5 {md5}")
    world.blobs[md5] = body or wrong(content)
    return as_json({})


def wrong(content: bytes) -> bytes:
    """Give as many bytes, of which the first is another."""
    return bytes([content[0] ^ 0xFF]) + content[1:] if content else content


def state(world: World) -> dict[str, Any]:
    """Tell all that is here, as JSON."""
    pending = [version for version in world.versions.values() if version.state == PENDING]
    return {
        "runs": {"/".join(run.where): _run(world, run) for run in world.runs.values()},
        "collections": {"/".join(each.where): _collection(world, each) for each in world.collections.values()},
        "pending": len(pending),
        "blobs": {md5: len(content) for md5, content in world.blobs.items()},
        "unknown": world.unknown,
        "crashes": world.crashes,
        "refusals": world.refusals,
        "requests": world.requests,
    }


def _run(world: World, run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "display_name": run.display_name,
        "state": run.state,
        "exit_code": run.exit_code,
        "deleted": run.deleted,
        "config": {key: each.get("value") if isinstance(each, dict) else each for key, each in run.config.items()},
        "summary": run.summary,
        "tags": run.tags,
        "notes": run.facts.get("notes"),
        "group": run.facts.get("groupName"),
        "job_type": run.facts.get("jobType"),
        "facts": run.facts,
        "history": [None if line is None else json.loads(line) for line in run.history],
        "events": len(run.events),
        "output": run.output,
        "files": run.files,
        "inputs": [_qualified(world, each) for each in run.inputs],
        "outputs": [_qualified(world, each) for each in run.outputs],
    }


def _qualified(world: World, artifact_id: str) -> str:
    version = world.versions[artifact_id]
    return f"{'/'.join(version.where)}:v{version.index}"


def _collection(world: World, collection: Collection) -> dict[str, Any]:
    committed = {version.id: f"v{version.index}" for version in collection.versions if version.index is not None}
    return {
        "type": collection.type,
        "description": collection.description,
        "tags": collection.tags,
        "deleted": collection.deleted,
        "aliases": {alias: committed[meant] for alias, meant in collection.aliases.items()},
        "versions": {
            f"v{version.index}": _version(collection, version, world)
            for version in collection.versions
            if version.index is not None
        },
        "committed": sum(version.state == COMMITTED for version in collection.versions),
        "pending": sum(version.state == PENDING for version in collection.versions),
    }


def _version(collection: Collection, version: Version, world: World) -> dict[str, Any]:
    return {
        "id": version.id,
        "state": version.state,
        "digest": version.digest,
        "aliases": sorted(alias for alias, meant in collection.aliases.items() if meant == version.id),
        "tags": version.tags,
        "metadata": json.loads(version.metadata or "{}"),
        "description": version.description,
        "size": version.size,
        "files": {path: _entry(entry) for path, entry in version.entries.items()},
        "logged_by": "/".join(version.run) if version.run else None,
        "used_by": ["/".join(run.where) for run in world.runs.values() if version.id in run.inputs],
        "seconds_to_live": version.seconds_to_live,
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    if entry.get("ref"):
        return {"reference": entry["ref"], "size": entry.get("size")}
    return {"md5": md5_hex(entry["digest"]), "size": entry.get("size")}
