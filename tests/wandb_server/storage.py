"""Where bytes come and go: the file stream of runs, and the signed addresses of files."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from typing import Any

from exchange import Answer, Exchange, as_json, parsed, refused
from world import Run, World, md5_base64, now

LINES = {"wandb-history.jsonl": "history", "wandb-events.jsonl": "events", "output.log": "output"}


def file_stream(world: World, exchange: Exchange) -> Answer:
    """Take what a client says of a run as it goes: lines at an offset, the summary, and that it is over."""
    _, _, entity, project, name, *_ = exchange.path.split("/")
    run = world.run((entity, project, name))
    if run is None:
        return refused(404, f"run {entity}/{project}/{name} not found")
    body = gzip.decompress(exchange.body) if exchange.headers.get("Content-Encoding") == "gzip" else exchange.body
    said = parsed(body) or {}
    for file, part in (said.pop("files", None) or {}).items():
        _take_lines(world, run, file, part)
    if said.pop("complete", None):
        run.exit_code = said.get("exitcode")
        run.state = "finished" if run.exit_code == 0 else "failed"
    for known in ("exitcode", "uploaded", "dropped", "preempting"):
        said.pop(known, None)
    world.unknown.extend(f"file stream: `{each}`" for each in said)
    run.heartbeat = now()
    return as_json({"exitcode": None, "limits": {}})


def _take_lines(world: World, run: Run, file: str, part: dict[str, Any]) -> None:
    """Put lines where the client says: over those that are there, or after a gap."""
    content, offset = part.get("content") or [], part.get("offset", 0)
    if file == "wandb-summary.json":
        run.summary = json.loads(content[-1]) if content else run.summary
        return
    if file not in LINES:
        world.unknown.append(f"file stream: `{file}`")
        return
    lines: list[str | None] = getattr(run, LINES[file])
    lines.extend([None] * (offset - len(lines)))
    lines[offset : offset + len(content)] = content


def put(world: World, exchange: Exchange, *, keep: bool = True) -> Answer:
    """Take a file: only at an address that was given for it, and only the bytes that were announced."""
    if not _signed(world, exchange):
        return refused(403, "SignatureDoesNotMatch")
    _, _, kind, *rest = exchange.path.split("/")
    if not _is_known(world, kind, rest):
        return refused(404, "NoSuchKey: what it belongs to is not here")
    announced = _announced(world, kind, rest)
    actual = hashlib.md5(exchange.body, usedforsecurity=False)
    header = exchange.headers.get("Content-MD5")
    if announced is not None and header != announced:
        world.refusals.append(f"upload to {exchange.path}: Content-MD5 is {header}, not {announced}")
        return refused(403, "SignatureDoesNotMatch: the Content-MD5 is not that which was announced")
    if header is not None and md5_base64(actual.hexdigest()) != header:
        world.refusals.append(f"upload to {exchange.path}: BadDigest")
        return refused(400, "BadDigest: the Content-MD5 you specified did not match what we received.")
    if keep:
        _keep(world, kind, rest, exchange.body)
    return Answer(200, b"", {"ETag": f'"{actual.hexdigest()}"'})


def _is_known(world: World, kind: str, rest: list[str]) -> bool:
    """Tell whether there is what a file belongs to: it may be gone since its address was given."""
    if kind == "artifact":
        return rest[0] in world.versions
    return rest[0] in world.manifests if kind == "manifest" else tuple(rest[:3]) in world.runs


def _announced(world: World, kind: str, rest: list[str]) -> str | None:
    if kind == "artifact":
        return md5_base64(rest[1])
    return world.manifests[rest[0]].digest if kind == "manifest" else None


def _keep(world: World, kind: str, rest: list[str], content: bytes) -> None:
    md5 = world.keep(content)
    if kind == "artifact":
        version = world.versions[rest[0]]
        world.births.setdefault((world.collections[version.where].id, md5), version.id)
    elif kind == "manifest":
        world.manifests[rest[0]].file = md5
    else:
        world.runs[rest[0], rest[1], rest[2]].files["/".join(rest[3:])] = md5


def get(world: World, exchange: Exchange) -> Answer:
    """Give a file, at an address that was given for it."""
    if not _signed(world, exchange):
        return refused(403, "SignatureDoesNotMatch")
    _, _, kind, word, *_ = exchange.path.split("/")
    return _blob(world, world.manifests[word].file if kind == "manifest" else word)


def get_by_key(world: World, exchange: Exchange) -> Answer:
    """Give a file of an artifact to who has the key; this is what clients fall back to."""
    _, _, _, entity, project, collection, *rest = exchange.path.split("/")
    found = world.collection((entity, project, collection))
    if found is None or len(rest) not in {3, 4}:
        return refused(404, "no such file")
    return _blob(world, rest[-2])


def _blob(world: World, md5: str | None) -> Answer:
    content = world.blobs.get(md5 or "")
    if content is None:
        return refused(404, "NoSuchKey")
    return Answer(200, content, {"Content-Type": "application/octet-stream", "ETag": f'"{md5}"'})


def _signed(world: World, exchange: Exchange) -> bool:
    expected = world.signature(exchange.method, exchange.path)
    return hmac.compare_digest(exchange.query.get("signature", ""), expected)
