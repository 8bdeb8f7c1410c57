"""The types of the server that are about runs, projects and who asks."""

from __future__ import annotations

import fnmatch
import json
import mimetypes
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from filters import of_run, selected
from graphql_answers import Field, Thing, attribute, constant, of
from world import Run, World, an_id, md5_base64

FEATURES = (
    "ARTIFACT_DIGEST_ALGORITHM",
    "ARTIFACT_TAGS",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID",
    "CLIENT_IDS",
    "LARGE_FILENAMES",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
)


def connection(typename: str, things: Sequence[Thing], given: Mapping[str, Any], first: str = "first") -> Thing:
    """Give one page of things: `after` is the number of those before it."""
    start = int(given.get("after") or 0)
    limit = given.get(first)
    stop = len(things) if limit is None else min(len(things), start + int(limit))
    edges = [(thing, str(number + 1)) for number, thing in enumerate(things[start:stop], start)]
    return Thing(typename, {"edges": edges, "end": str(stop), "more": stop < len(things), "total": len(things)})


def connection_types(name: str, edge: dict[str, Field] | None = None) -> dict[str, dict[str, Field]]:
    """Give the types of a connection named `name`."""
    return {
        f"{name}Connection": {
            "edges": of(lambda _w, page, _g: [Thing(f"{name}Edge", each) for each in page["edges"]]),
            "pageInfo": of(lambda _w, page, _g: Thing("PageInfo", page)),
            "totalCount": of(lambda _w, page, _g: page["total"]),
        },
        f"{name}Edge": {
            "node": of(lambda _w, each, _g: each[0]),
            "cursor": of(lambda _w, each, _g: each[1]),
            **(edge or {}),
        },
    }


def project_thing(world: World, entity: str | None, name: str | None) -> Thing | None:
    found = world.project(entity, name)
    return Thing("Project", found) if found else None


def history_keys(world: World, run: Run) -> dict[str, Any] | None:
    """Summarise the history as the service does: each key's last value and how often it came; nested keys with dots."""
    keys: dict[str, Any] = {}
    last = -1
    for row in rows(world.shown(run)):
        last = max(last, int(row.get("_step", -1)))
        for key, value in _flat(row):
            kind = "number" if isinstance(value, int | float) else type(value).__name__
            entry = keys.setdefault(key, {"typeCounts": [{"type": kind, "count": 0}], "monotonic": False})
            entry["typeCounts"][0]["count"] += 1
            entry["previousValue"] = value
    return {"keys": keys, "sets": [], "lastStep": last} if keys else None


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and "_type" not in value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def rows(lines: Iterable[str | None]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line is not None]


def history_page(world: World, run: Run, given: Mapping[str, Any]) -> list[str]:
    """Give the lines with a step in [`minStep`, `maxStep`), at most `samples`."""
    least, most = int(given.get("minStep") or 0), given.get("maxStep")
    kept = [line for line in world.shown(run) if line is not None and _step(line) >= least]
    kept = [line for line in kept if most is None or _step(line) < int(most)]
    return kept[: int(given.get("samples") or len(kept))]


def _step(line: str) -> int:
    return int(json.loads(line).get("_step", 0))


def sampled_history(world: World, run: Run, given: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """For each spec, give the rows in [`minStep`, `maxStep`] that have all of its keys, with those keys only."""
    answers = []
    for text in given.get("specs") or []:
        spec = json.loads(text) if isinstance(text, str) else text
        least, most = spec.get("minStep") or 0, spec.get("maxStep", float("inf"))
        found = [row for row in rows(world.shown(run)) if least <= row.get("_step", 0) <= most]
        keys = spec.get("keys") or []
        flat = [dict(_flat(row)) for row in found]
        kept = [{key: row[key] for key in keys} for row in flat if all(key in row for key in keys)] if keys else found
        answers.append(kept[: int(spec.get("samples") or len(kept))])
    return answers


def parquet_history(world: World, run: Run, given: Mapping[str, Any]) -> Thing:
    """No history is in Parquet files: all of it is live."""
    keys = given.get("liveKeys") or []
    live = [row for row in rows(world.shown(run)) if not keys or any(key in row for key in keys)]
    return Thing("ParquetHistory", live)


def run_files(world: World, run: Run, given: Mapping[str, Any]) -> Thing:
    names, pattern = [posixpath.normpath(name) for name in given.get("names") or []], given.get("pattern")
    kept = sorted(name for name in run.files if not names or name in names)
    if pattern:
        kept = [name for name in kept if fnmatch.fnmatchcase(name, pattern.replace("%", "*").replace("_", "?"))]
    return connection("FileConnection", [Thing("File", RunFile(world, run, name)) for name in kept], given)


class RunFile:
    """A file of a run, as a `File` of the server."""

    def __init__(self, world: World, run: Run, name: str) -> None:
        self.id = an_id("File", run.id, name)
        self.name = name
        self.md5_hex = run.files[name]
        self.path = f"/storage/blob/{self.md5_hex}/{name}"
        self.content = world.blobs[self.md5_hex]
        self.updated = run.heartbeat


def file_type() -> dict[str, Field]:
    """Give the fields of `File`, of runs and of artifacts alike."""
    return {
        "id": attribute("id"),
        "name": attribute("name"),
        "displayName": attribute("name"),
        "url": of(lambda world, file, _g: world.signed("GET", file.path), "upload"),
        "directUrl": of(lambda world, file, _g: world.signed("GET", file.path)),
        "sizeBytes": of(lambda _w, file, _g: len(file.content)),
        "storagePath": attribute("path"),
        "mimetype": of(lambda _w, file, _g: mimetypes.guess_type(file.name)[0] or ""),
        "updatedAt": attribute("updated"),
        "digest": of(lambda _w, file, _g: md5_base64(file.md5_hex)),
        "md5": of(lambda _w, file, _g: md5_base64(file.md5_hex)),
    }


def runs_of(world: World, project: tuple[str, str], given: Mapping[str, Any]) -> list[Run]:
    mine = [run for run in world.runs.values() if run.where[:2] == project and not run.deleted]
    return selected(mine, of_run, given)


def fact(name: str) -> Field:
    """Make a field of something that the client said of the run."""
    return of(lambda _w, run, _g: run.facts.get(name))


def run_in(world: World, project: tuple[str, str], given: Mapping[str, Any]) -> Thing | None:
    run = world.run((*project, given.get("name") or ""))
    return Thing("Run", run) if run else None


RUN: dict[str, Field] = {
    "id": attribute("id"),
    "name": attribute("name"),
    "displayName": attribute("display_name"),
    "description": fact("description"),
    "notes": fact("notes"),
    "tags": attribute("tags"),
    "group": fact("groupName"),
    "jobType": fact("jobType"),
    "commit": fact("commit"),
    "host": fact("host"),
    "sweepName": constant(None),
    "state": attribute("state"),
    "readOnly": constant(False),
    "createdAt": attribute("created"),
    "heartbeatAt": attribute("heartbeat"),
    "config": of(lambda _w, run, _g: json.dumps(run.config)),
    "wandbConfig": of(
        lambda _w, run, given: json.dumps(
            {k: v for k, v in (run.config.get("_wandb") or {}).get("value", {}).items() if k in given["keys"]}
        ),
        "keys",
    ),
    "summaryMetrics": of(lambda _w, run, _g: json.dumps(run.summary)),
    "systemMetrics": constant("{}"),
    "project": of(lambda _w, run, _g: Thing("Project", run.where[:2])),
    "projectId": of(lambda world, run, _g: world.projects[run.where[:2]]),
    "user": of(lambda world, _run, _g: Thing("User", world.viewer)),
    "history": of(history_page, "minStep maxStep samples"),
    "events": of(lambda _w, run, _g: [line for line in run.events if line is not None], "samples"),
    "sampledHistory": of(sampled_history, "specs"),
    "parquetHistory": of(parquet_history, "liveKeys"),
    "historyKeys": of(lambda world, run, _g: history_keys(world, run)),
    "historyLineCount": of(lambda _w, run, _g: len(run.history)),
    "eventsLineCount": of(lambda _w, run, _g: len(run.events)),
    "logLineCount": of(lambda _w, run, _g: len(run.output)),
    "historyTail": of(lambda _w, run, _g: json.dumps(run.history[-1:])),
    "eventsTail": of(lambda _w, run, _g: json.dumps(run.events[-1:])),
    "fileCount": of(lambda _w, run, _g: len(run.files)),
    "files": of(run_files, "names after first pattern"),
}

PROJECT: dict[str, Field] = {
    "id": of(lambda _w, project, _g: an_id("Project", "v1", project[1], project[0])),
    "internalId": of(lambda world, project, _g: world.projects[project]),
    "name": of(lambda _w, project, _g: project[1]),
    "entityName": of(lambda _w, project, _g: project[0]),
    "entity": of(lambda _w, project, _g: Thing("Entity", project[0])),
    "description": constant(None),
    "createdAt": constant("2026-11-23T00:00:00Z"),
    "isBenchmark": constant(False),
    "readOnly": constant(False),
    "access": constant("PRIVATE"),
    "views": constant("{}"),
    "user": of(lambda world, _p, _g: Thing("User", world.viewer)),
    "run": of(run_in, "name desc"),
    "bucket": of(run_in, "name missingOk"),
    "runs": of(
        lambda world, project, given: connection(
            "RunConnection", [Thing("Run", run) for run in runs_of(world, project, given)], given
        ),
        "filters after first order",
    ),
    "runCount": of(lambda world, project, given: len(runs_of(world, project, given)), "filters"),
}

USER: dict[str, Field] = {
    "id": of(lambda _w, user, _g: an_id("User", user)),
    "name": of(lambda _w, user, _g: user),
    "username": of(lambda _w, user, _g: user),
    "entity": of(lambda _w, user, _g: user),
    "email": of(lambda _w, user, _g: f"{user}@example.invalid"),
    "admin": constant(False),
    "flags": constant("{}"),
    "deletedAt": constant(None),
    "apiKeys": of(lambda _w, _user, given: connection("ApiKeyConnection", [], given)),
    "teams": of(
        lambda world, _user, given: connection(
            "EntityConnection", [Thing("Entity", each) for each in world.entities], given
        )
    ),
}

ENTITY: dict[str, Field] = {
    "id": of(lambda _w, entity, _g: an_id("Entity", entity)),
    "name": of(lambda _w, entity, _g: entity),
    "organization": constant(None),
    "user": constant(None),
    "isTeam": of(lambda world, entity, _g: entity in world.teams),
    "xxhashDigestsEnabled": constant(False),
    "project": of(lambda world, entity, given: project_thing(world, entity, given.get("name")), "name"),
}

TYPES: dict[str, dict[str, Field]] = {
    "Run": RUN,
    "Project": PROJECT,
    "User": USER,
    "Entity": ENTITY,
    "File": file_type(),
    "ApiKey": {"id": attribute("id"), "name": attribute("name"), "description": attribute("description")},
    "PageInfo": {
        "endCursor": of(lambda _w, page, _g: page["end"]),
        "hasNextPage": of(lambda _w, page, _g: page["more"]),
    },
    "ParquetHistory": {"parquetUrls": constant([]), "liveData": of(lambda _w, live, _g: live)},
    "ServerInfo": {
        "features": of(lambda _w, _v, _g: [Thing("ServerFeature", name) for name in FEATURES]),
        "cliVersionInfo": constant({"min_cli_version": "0.30.0", "max_cli_version": "0.999.0"}),
    },
    "ServerFeature": {"name": of(lambda _w, name, _g: name), "isEnabled": constant(True)},
    **connection_types("Run"),
    **connection_types("File"),
    **connection_types("Entity"),
    **connection_types("ApiKey"),
    **connection_types("Project"),
}

QUERIES: dict[str, Field] = {
    "viewer": of(lambda world, _v, _g: Thing("User", world.viewer)),
    "serverInfo": constant(Thing("ServerInfo")),
    "entity": of(
        lambda world, _v, given: Thing("Entity", given["name"]) if given["name"] in world.entities else None, "name"
    ),
    "project": of(
        lambda world, _v, given: project_thing(world, given.get("entityName"), given.get("name")), "name entityName"
    ),
    "model": of(
        lambda world, _v, given: project_thing(world, given.get("entityName"), given.get("name")), "name entityName"
    ),
    "models": of(
        lambda world, _v, given: connection(
            "ProjectConnection",
            [Thing("Project", each) for each in world.projects if each[0] == (given.get("entityName") or world.viewer)],
            given,
        ),
        "entityName after first",
    ),
}
