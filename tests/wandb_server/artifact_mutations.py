"""What changes artifacts; a commit is refused unless every byte that it names is here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from artifact_types import artifact_thing, by_id
from graphql_answers import Field, GraphQLError, Thing, UnmodelledError, constant, of
from run_mutations import open_project
from world import (
    COMMITTED,
    DELETED,
    PENDING,
    Collection,
    Manifest,
    Version,
    Where,
    World,
    an_id,
    manifest_digest,
    md5_base64,
    md5_hex,
    now,
)


def create_artifact(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Open a version, or find the committed one that has the same digest already."""
    aliases = _aliases(given)
    collection = _collection(world, given)
    run_name = given.get("runName")
    run: Where | None = (*collection.where[:2], run_name) if run_name else None
    if run and world.run(run) is None:
        raise GraphQLError(f"run {'/'.join(run)} not found", 404)
    version = _same(collection, given)
    if version is None:
        version = _opened(world, collection, given, aliases, run)
    else:
        point(collection, version, aliases)
        version.tags.extend(tag for tag in _tags(given.get("tags")) if tag not in version.tags)
        _output(world, version, run)
    if given.get("clientID"):
        world.clients[given["clientID"]] = version.id
    if given.get("sequenceClientID"):
        world.clients.setdefault(given["sequenceClientID"], collection.id)
    return Thing("CreateArtifactPayload", version)


def _same(collection: Collection, given: Mapping[str, Any]) -> Version | None:
    if not given.get("enableDigestDeduplication"):
        return None
    return next((each for each in collection.committed() if each.digest == given["digest"]), None)


def _collection(world: World, given: Mapping[str, Any]) -> Collection:
    name = given.get("artifactCollectionName") or given["artifactCollectionNames"][0]
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", name):
        raise GraphQLError(f"invalid artifact name `{name}`", 400)
    where: Where = (*open_project(world, given.get("entityName"), given.get("projectName")), name)
    collection = world.collection(where)
    if collection is None:
        collection = world.collections[where] = Collection(where=where, type=given["artifactTypeName"])
    if collection.type != given["artifactTypeName"]:
        raise GraphQLError(
            f"artifact collection {name} already exists with type {collection.type}, not {given['artifactTypeName']}",
            409,
        )
    return collection


def _opened(
    world: World, collection: Collection, given: Mapping[str, Any], aliases: list[str], run: Where | None
) -> Version:
    version = Version(
        id=an_id("Artifact", world.number()),
        where=collection.where,
        digest=given["digest"],
        algorithm=given.get("digestAlgorithm") or "MANIFEST_MD5",
        run=run,
        description=given.get("description"),
        metadata=given.get("metadata"),
        tags=_tags(given.get("tags")),
        wanted_aliases=aliases,
        history_step=given.get("historyStep"),
        seconds_to_live=given.get("ttlDurationSeconds"),
    )
    collection.versions.append(version)
    world.versions[version.id] = version
    return version


def _tags(given: list[Mapping[str, Any]] | None) -> list[str]:
    return [each["tagName"] for each in given or []]


def _output(world: World, version: Version, run: Where | None) -> None:
    found = world.runs.get(run) if run else None
    if found is not None and version.id not in found.outputs:
        found.outputs.append(version.id)


def _aliases(given: Mapping[str, Any]) -> list[str]:
    """Give the aliases that are asked for.

    Raises:
        GraphQLError: one of them is the service's own, cannot be one, or is asked for in another collection.
    """
    aliases = []
    for each in given.get("aliases") or []:
        alias = each["alias"]
        if not re.fullmatch(r"[^/:]{1,128}", alias) or re.fullmatch(r"v\d+", alias):
            raise GraphQLError(f"invalid alias `{alias}`", 400)
        if given.get("artifactCollectionName") not in {None, each["artifactCollectionName"]}:
            raise GraphQLError(f"alias `{alias}` is for another collection: {each['artifactCollectionName']}", 400)
        aliases.append(alias)
    return aliases


def point(collection: Collection, version: Version, aliases: list[str]) -> None:
    """Let aliases mean a version, and no other one any more."""
    collection.aliases.update(dict.fromkeys(aliases, version.id))


def create_manifest(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Announce a manifest of a version; the digest says what its file will be."""
    version = by_id(world, given["artifactID"])
    if given.get("type", "FULL") != "FULL":
        raise UnmodelledError(f"manifests of type {given['type']} are not modelled", 501)
    manifest = Manifest(id=an_id("ArtifactManifest", world.number()), version=version.id, digest=given["digest"])
    world.manifests[manifest.id] = manifest
    version.manifest = manifest.id
    return Thing("ManifestPayload", manifest.id)


def update_manifest(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Change the digest that a manifest's file will have."""
    manifest = world.manifests[given["artifactManifestID"]]
    manifest.digest = given.get("digest") or manifest.digest
    return Thing("ManifestPayload", manifest.id)


def create_files(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Give an address for each file whose bytes are not here yet, in the order asked."""
    if given.get("storageLayout", "V2") != "V2":
        raise UnmodelledError(f"storage layout {given['storageLayout']} is not modelled", 501)
    if given.get("digestAlgorithm") not in {None, "MANIFEST_MD5"}:
        raise UnmodelledError(f"digests of {given['digestAlgorithm']} are not modelled", 501)
    uploads = []
    for file in given["artifactFiles"]:
        if file.get("uploadPartsInput"):
            raise UnmodelledError("uploads in parts are not modelled", 501)
        version, md5 = by_id(world, file["artifactID"]), md5_hex(file["md5"])
        birth = world.births.get((world.collections[version.where].id, md5)) if md5 in world.blobs else None
        uploads.append(Thing("ArtifactUpload", (birth or version.id, md5, file["name"], birth is None)))
    return Thing("CreateArtifactFilesPayload", uploads)


def commit_artifact(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Commit a version: give it a number and its aliases, once all that it consists of is here."""
    version = by_id(world, given["artifactID"])
    if version.state == PENDING:
        entries = _entries(world, version)
        problem = _problem(world, version, entries)
        if problem:
            world.refusals.append(f"commit of {'/'.join(version.where)}: {problem}")
            raise GraphQLError(f"cannot commit: {problem}")
        if not world.losing:
            _settle(world, version, entries or {})
    return Thing("ArtifactPayload", version)


def _settle(world: World, version: Version, entries: dict[str, dict[str, Any]]) -> None:
    collection = world.collections[version.where]
    version.entries, version.state, version.updated = entries, COMMITTED, now()
    version.index = collection.next_index
    collection.next_index += 1
    point(collection, version, ["latest", *version.wanted_aliases])
    _output(world, version, version.run)


def _entries(world: World, version: Version) -> dict[str, dict[str, Any]] | None:
    """Read the manifest of a version, if its file is here."""
    manifest = world.manifests.get(version.manifest or "")
    if manifest is None or manifest.file not in world.blobs:
        return None
    entries: dict[str, dict[str, Any]] = json.loads(world.blobs[manifest.file])["contents"]
    return entries


def _problem(world: World, version: Version, entries: dict[str, dict[str, Any]] | None) -> str | None:
    """Tell why a version cannot be committed, if it cannot."""
    if entries is None:
        return "the manifest has not been uploaded"
    if manifest_digest(entries) != version.digest:
        return f"the manifest has digest {manifest_digest(entries)}, not {version.digest}"
    for path, entry in entries.items():
        if entry.get("ref"):
            continue
        content = world.blobs.get(md5_hex(entry["digest"]))
        if content is None:
            return f"`{path}` has not been uploaded"
        if len(content) != entry.get("size"):
            return f"`{path}` has {len(content)} bytes, not {entry.get('size')}"
    return None


def update_artifact(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Change what is said of a version: its description, metadata and tags; never what it holds."""
    version = by_id(world, given["artifactID"])
    if given.get("description") is not None:
        version.description = given["description"]
    if given.get("metadata") is not None:
        version.metadata = given["metadata"]
    version.seconds_to_live = given.get("ttlDurationSeconds", version.seconds_to_live)
    gone = _tags(given.get("tagsToDelete"))
    version.tags = [tag for tag in version.tags if tag not in gone]
    version.tags.extend(tag for tag in _tags(given.get("tagsToAdd")) if tag not in version.tags)
    version.updated = now()
    return Thing("ArtifactPayload", version)


def add_aliases(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Let aliases mean a version."""
    version = by_id(world, given["artifactID"])
    if version.state != COMMITTED:
        raise GraphQLError("cannot add aliases to a version that is not committed")
    point(_aliased(world, version, given), version, _aliases(given))
    return Thing("SuccessPayload")


def delete_aliases(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Let aliases mean nothing any more."""
    version = by_id(world, given["artifactID"])
    collection = _aliased(world, version, given)
    for each in given["aliases"]:
        if collection.aliases.get(each["alias"]) != version.id:
            raise GraphQLError(f"alias `{each['alias']}` does not mean this version")
        del collection.aliases[each["alias"]]
    return Thing("SuccessPayload")


def _aliased(world: World, version: Version, given: Mapping[str, Any]) -> Collection:
    for each in given["aliases"]:
        where = (each["entityName"], each["projectName"], each["artifactCollectionName"])
        if where != version.where:
            raise GraphQLError(f"the version is not in `{'/'.join(where)}`", 404)
    return world.collections[version.where]


def delete_artifact(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Delete a version; one that aliases mean only if that is asked for too."""
    version = by_id(world, given["artifactID"])
    collection = world.collections[version.where]
    aliased = [alias for alias, meant in collection.aliases.items() if meant == version.id]
    if aliased and not given.get("deleteAliases"):
        raise GraphQLError(f"cannot delete a version with aliases: {', '.join(aliased)}", 409)
    version.state = DELETED
    for alias in aliased:
        del collection.aliases[alias]
    if "latest" in aliased and collection.committed():
        collection.aliases["latest"] = max(collection.committed(), key=lambda each: each.index or 0).id
    return Thing("ArtifactPayload", version)


def use_artifact(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Say that a run used a version."""
    version = by_id(world, given["artifactID"])
    where = (given["entityName"], given["projectName"], given["runName"])
    run = world.run(where)
    if run is None:
        raise GraphQLError(f"run {'/'.join(where)} not found", 404)
    if version.id not in run.inputs:
        run.inputs.append(version.id)
    return Thing("ArtifactPayload", version)


def _sequence(world: World, sequence_id: str) -> Collection:
    found = next((each for each in world.collections.values() if each.id == sequence_id and not each.deleted), None)
    if found is None:
        raise GraphQLError("artifact collection not found", 404)
    return found


def delete_sequence(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Delete a collection with all of its versions."""
    collection = _sequence(world, given["artifactSequenceID"])
    collection.deleted = True
    for version in collection.versions:
        version.state = DELETED
    return Thing("CollectionPayload", collection)


def update_sequence(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Change a collection's description; its name stays."""
    collection = _sequence(world, given["artifactSequenceID"])
    if given.get("name") not in {None, collection.where[2]}:
        raise UnmodelledError("renaming collections is not modelled", 501)
    collection.description = given.get("description")
    return Thing("CollectionPayload", collection)


def add_collection_tags(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Add tags to a collection."""
    collection = world.collections[given["entityName"], given["projectName"], given["artifactCollectionName"]]
    collection.tags.extend(tag for tag in _tags(given["tags"]) if tag not in collection.tags)
    return Thing("TagsPayload", collection.tags)


def delete_collection_tags(world: World, _root: object, given: Mapping[str, Any]) -> Thing:
    """Take tags from a collection."""
    collection = world.collections[given["entityName"], given["projectName"], given["artifactCollectionName"]]
    collection.tags = [tag for tag in collection.tags if tag not in _tags(given["tags"])]
    return Thing("SuccessPayload")


TYPES: dict[str, dict[str, Field]] = {
    "CreateArtifactPayload": {"artifact": of(lambda _w, version, _g: artifact_thing(version))},
    "ArtifactPayload": {"artifact": of(lambda _w, version, _g: artifact_thing(version))},
    "CollectionPayload": {"artifactCollection": of(lambda _w, each, _g: Thing("ArtifactSequence", each))},
    "TagsPayload": {"tags": of(lambda _w, tags, _g: [Thing("Tag", tag) for tag in tags])},
    "SuccessPayload": {"success": constant(True)},
    "ManifestPayload": {"artifactManifest": of(lambda _w, manifest_id, _g: Thing("ArtifactManifest", manifest_id))},
    "CreateArtifactFilesPayload": {"files": of(lambda _w, uploads, _g: Thing("UploadConnection", uploads))},
    "UploadConnection": {"edges": of(lambda _w, uploads, _g: [Thing("UploadEdge", each) for each in uploads])},
    "UploadEdge": {"node": of(lambda _w, upload, _g: upload)},
    "ArtifactUpload": {
        "storagePath": of(lambda _w, upload, _g: f"wandb_artifacts/{upload[0]}/{upload[1]}"),
        "uploadUrl": of(
            lambda world, upload, _g: (
                world.signed("PUT", "/storage/artifact/" + "/".join(upload[:3])) if upload[3] else None
            )
        ),
        "uploadHeaders": of(lambda _w, upload, _g: [f"Content-MD5:{md5_base64(upload[1])}"]),
        "uploadMultipartUrls": constant(None),
        "artifact": of(lambda world, upload, _g: artifact_thing(world.versions[upload[0]])),
    },
}

_ANNOUNCED = "artifactID baseArtifactID name digest entityName projectName runName type"
MUTATIONS: dict[str, Field] = {
    "createArtifact": of(
        create_artifact,
        "artifactTypeName artifactCollectionName artifactCollectionNames storageRegion entityName projectName runName description digest digestAlgorithm "
        "labels aliases metadata historyStep enableDigestDeduplication ttlDurationSeconds clientID sequenceClientID "
        "distributedID tags",
    ),
    "createArtifactManifest": of(create_manifest, _ANNOUNCED),
    "updateArtifactManifest": of(update_manifest, "artifactManifestID digest baseArtifactID"),
    "createArtifactFiles": of(create_files, "artifactFiles storageLayout cloudRegionID digestAlgorithm"),
    "commitArtifact": of(commit_artifact, "artifactID"),
    "updateArtifact": of(
        update_artifact, "artifactID description metadata ttlDurationSeconds tagsToAdd tagsToDelete labels aliases"
    ),
    "addAliases": of(add_aliases, "artifactID aliases"),
    "deleteAliases": of(delete_aliases, "artifactID aliases"),
    "deleteArtifact": of(delete_artifact, "artifactID deleteAliases"),
    "useArtifact": of(
        use_artifact, "entityName projectName runName artifactID usedAs artifactEntityName artifactProjectName"
    ),
    "deleteArtifactSequence": of(delete_sequence, "artifactSequenceID"),
    "updateArtifactSequence": of(update_sequence, "artifactSequenceID name description"),
    "createArtifactCollectionTagAssignments": of(
        add_collection_tags, "entityName projectName artifactCollectionName tags clientMutationID"
    ),
    "deleteArtifactCollectionTagAssignments": of(
        delete_collection_tags, "entityName projectName artifactCollectionName tags clientMutationID"
    ),
}
