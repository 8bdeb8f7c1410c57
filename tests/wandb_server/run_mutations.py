"""What changes runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graphql_answers import Field, GraphQLError, Thing, of
from world import Run, Where, World, an_id, now

SAID = ("groupName", "description", "notes", "commit", "host", "jobProgram", "jobRepo", "jobType", "sweep")
RUN_ID_LIMIT = 128


def open_project(world: World, entity: str | None, name: str | None) -> tuple[str, str]:
    """Give the project that is meant, making it if the entity is one of ours.

    Raises:
        GraphQLError: there is no such entity, or it is not ours.
    """
    where = (entity or world.viewer, name or "uncategorized")
    if where[0] not in world.entities:
        raise GraphQLError(f"entity {where[0]} not found during upsertBucket", 404)
    if any(sign in where[1] for sign in "/\\#?%:") or len(where[1]) > RUN_ID_LIMIT:
        raise GraphQLError(f"invalid project name `{where[1]}`", 400)
    world.projects.setdefault(where, str(world.number()))
    return where


def upsert_bucket(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Make a run, or take what is said about one that is there."""
    run, inserted = _meant(world, given)
    for name in SAID:
        if given.get(name) is not None:
            run.facts[name] = given[name]
    if given.get("displayName"):
        run.display_name = given["displayName"]
    if given.get("tags") is not None:
        run.tags = list(given["tags"])
    if given.get("config") is not None:
        run.config = json.loads(given["config"])
    if given.get("summaryMetrics") is not None:
        run.summary = json.loads(given["summaryMetrics"])
    if given.get("state"):
        run.state = given["state"]
    run.heartbeat = now()
    return Thing("UpsertBucketPayload", (run, inserted))


def _meant(world: World, given: Mapping[str, Any]) -> tuple[Run, bool]:
    if given.get("id"):
        found = world.run_by_id(given["id"])
        if found is None or found.deleted:
            raise GraphQLError("run not found", 404)
        return found, False
    name = given.get("name") or f"run{world.number():05d}"
    if any(sign in name for sign in ":;,#?/'") or len(name) > RUN_ID_LIMIT:
        raise GraphQLError(f"invalid run id `{name}`", 400)
    where: Where = (*open_project(world, given.get("entityName"), given.get("modelName")), name)
    run = world.runs.get(where)
    if run is not None and run.deleted:
        raise GraphQLError(f"run {'/'.join(where)} was previously created and deleted; try a new run name", 409)
    if run is not None:
        run.state = "running"
        return run, False
    run = Run(where=where, display_name=given.get("displayName") or f"brave-run-{world.number()}")
    world.runs[where] = run
    return run, True


def create_run_files(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Give an address for each file of a run, to which it can be uploaded."""
    where = (given["entityName"], given["projectName"], given["runName"])
    run = world.run(where)
    if run is None:
        raise GraphQLError(f"run {'/'.join(where)} not found", 404)
    return Thing("CreateRunFilesPayload", (run, given["files"]))


def delete_run(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Delete a run for ever: its name can never be used again."""
    run = world.run_by_id(given["id"])
    if run is None or run.deleted:
        raise GraphQLError("run not found", 404)
    run.deleted = True
    if given.get("deleteArtifacts"):
        for artifact_id in run.outputs:
            world.versions[artifact_id].state = "DELETED"
    return Thing("DeleteRunPayload")


def delete_files(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Delete files of runs, by their ids."""
    for run in world.runs.values():
        doomed = [name for name in run.files if an_id("File", run.id, name) in given["files"]]
        for name in doomed:
            del run.files[name]
    return Thing("DeleteFilesPayload", True)


def upsert_model(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Make a project, or find it."""
    there = world.project(given.get("entityName"), given.get("name"))
    project = there or open_project(world, given.get("entityName"), given.get("name"))
    return Thing("UpsertModelPayload", (project, there is None))


TYPES: dict[str, dict[str, Field]] = {
    "UpsertBucketPayload": {
        "bucket": of(lambda _w, made, _g: Thing("Run", made[0])),
        "inserted": of(lambda _w, made, _g: made[1]),
    },
    "CreateRunFilesPayload": {
        "runID": of(lambda _w, made, _g: made[0].id),
        "uploadHeaders": of(lambda _w, _made, _g: []),
        "files": of(lambda _w, made, _g: [Thing("RunUpload", (made[0], name)) for name in made[1]]),
    },
    "RunUpload": {
        "name": of(lambda _w, upload, _g: upload[1]),
        "uploadUrl": of(
            lambda world, upload, _g: world.signed("PUT", "/storage/run/" + "/".join([*upload[0].where, upload[1]]))
        ),
    },
    "DeleteRunPayload": {"clientMutationId": of(lambda _w, _v, _g: None), "success": of(lambda _w, _v, _g: True)},
    "DeleteFilesPayload": {"success": of(lambda _w, done, _g: done)},
    "UpsertModelPayload": {
        "project": of(lambda _w, made, _g: Thing("Project", made[0])),
        "model": of(lambda _w, made, _g: Thing("Project", made[0])),
        "inserted": of(lambda _w, made, _g: made[1]),
    },
}

MUTATIONS: dict[str, Field] = {
    "upsertBucket": of(
        upsert_bucket,
        "id name modelName entityName displayName config state tags debug summaryMetrics " + " ".join(SAID),
    ),
    "createRunFiles": of(create_run_files, "entityName projectName runName files"),
    "deleteRun": of(delete_run, "id deleteArtifacts"),
    "deleteFiles": of(delete_files, "files projectId"),
    "upsertModel": of(upsert_model, "id name entityName description access views"),
}
