"""The types of the server that are about artifacts: collections, versions, their aliases, files and lineage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from filters import of_collection, of_version, selected
from graphql_answers import Field, GraphQLError, Thing, attribute, constant, of
from run_types import connection, connection_types
from world import COMMITTED, DELETED, Collection, Run, Version, World, an_id, md5_hex

INHERITED = -2
"""The seconds to live of a version that has none of its own."""


class EntryFile:
    """An entry of a manifest, as a `File` of the server; `md5_hex` names its bytes, which a reference has not here."""

    def __init__(self, world: World, version: Version, name: str) -> None:
        entry = version.entries[name]
        self.id = an_id("ArtifactFile", version.id, name)
        self.name = name
        self.reference = entry.get("ref")
        self.md5_hex = md5_hex(entry["digest"]) if not self.reference else ""
        self.path = f"/storage/blob/{self.md5_hex}/{name}"
        self.content = world.blobs.get(self.md5_hex, b"")
        self.updated = version.updated


def files_of(world: World, version: Version, given: Mapping[str, Any]) -> Thing:
    """List a version's files, references too, but for those that a fault leaves out."""
    names = given.get("names") or []
    listed = [name for name in version.entries if not names or name in names]
    if world.omitting is not None:
        listed = [name for name in listed if not re.search(world.omitting, name)]
    return connection("FileConnection", [Thing("File", EntryFile(world, version, name)) for name in listed], given)


def files_by_entries(world: World, version: Version, given: Mapping[str, Any]) -> Thing:
    names = [entry["name"] for entry in given.get("entries") or [] if entry["name"] in version.entries]
    return files_of(world, version, {"names": names}) if names else connection("FileConnection", [], {})


def aliases_of(world: World, version: Version) -> list[Thing]:
    collection = world.collections[version.where]
    return [
        Thing("ArtifactAlias", (collection, alias))
        for alias, meant in collection.aliases.items()
        if meant == version.id
    ]


def tag_things(tags: list[str]) -> list[Thing]:
    return [Thing("Tag", tag) for tag in tags]


def artifact_by_id(world: World, artifact_id: str) -> Version | None:
    found = world.versions.get(world.clients.get(artifact_id, artifact_id))
    return None if found is None or found.state == DELETED else found


def by_id(world: World, artifact_id: str) -> Version:
    """Find a version.

    Raises:
        GraphQLError: there is none of this id, or it was deleted.
    """
    found = artifact_by_id(world, artifact_id)
    if found is None:
        raise GraphQLError(f"artifact `{artifact_id}` not found")
    return found


def artifact_thing(version: Version | None) -> Thing | None:
    return Thing("Artifact", version) if version else None


def collection_thing(collection: Collection | None) -> Thing | None:
    return Thing("ArtifactSequence", collection) if collection else None


def membership_thing(found: tuple[Collection, Version] | None) -> Thing | None:
    return Thing("ArtifactCollectionMembership", found) if found else None


def user_runs(world: World, version: Version) -> list[Run]:
    return [run for run in world.runs.values() if version.id in run.inputs and not run.deleted]


def creator(world: World, version: Version) -> Thing | None:
    run = world.runs.get(version.run) if version.run else None
    return Thing("Run", run) if run and not run.deleted else None


def manifest_of(world: World, version: Version) -> Thing | None:
    return Thing("ArtifactManifest", version.manifest) if version.manifest else None


def versions_of(_world: World, collection: Collection, given: Mapping[str, Any]) -> Thing:
    there = [version for version in collection.versions if version.state != DELETED]
    newest_first = sorted(there, key=lambda version: -1 if version.index is None else version.index, reverse=True)
    found = selected(newest_first, of_version, given)
    return connection("VersionedArtifactConnection", [Thing("Artifact", version) for version in found], given)


def member(world: World, collection: Collection, given: Mapping[str, Any]) -> Thing | None:
    version = collection.find(given["aliasName"])
    return membership_thing((collection, version) if version else None)


def collections_of(world: World, project: tuple[str, str], typename: str | None, given: Mapping[str, Any]) -> Thing:
    mine = [each for each in world.collections.values() if each.where[:2] == project and not each.deleted]
    found = selected([each for each in mine if typename in {None, each.type}], of_collection, given)
    return connection("ArtifactCollectionConnection", [Thing("ArtifactSequence", each) for each in found], given)


def typed_collection(world: World, kind: tuple[tuple[str, str], str], given: Mapping[str, Any]) -> Thing | None:
    collection = world.collection((*kind[0], given["name"]))
    return collection_thing(collection if collection and collection.type == kind[1] else None)


def types_in(world: World, project: tuple[str, str]) -> list[str]:
    return sorted({each.type for each in world.collections.values() if each.where[:2] == project and not each.deleted})


def artifacts_of_run(which: str) -> Field:
    """Make a field that lists the artifacts that a run used or logged."""

    def listed(world: World, run: Run, given: Mapping[str, Any]) -> Thing:
        found = [world.versions[each] for each in getattr(run, which)]
        return connection(
            "ArtifactConnection", [Thing("Artifact", each) for each in found if each.state == COMMITTED], given
        )

    return of(listed, "after first")


ARTIFACT: dict[str, Field] = {
    "id": attribute("id"),
    "artifactSequence": of(lambda world, version, _g: collection_thing(world.collections[version.where])),
    "versionIndex": attribute("index"),
    "artifactType": of(
        lambda world, version, _g: Thing("ArtifactType", (version.where[:2], world.collections[version.where].type))
    ),
    "description": attribute("description"),
    "metadata": attribute("metadata"),
    "ttlDurationSeconds": of(lambda _w, version, _g: version.seconds_to_live or INHERITED),
    "ttlIsInherited": of(lambda _w, version, _g: version.seconds_to_live is None),
    "tags": of(lambda _w, version, _g: tag_things(version.tags)),
    "historyStep": attribute("history_step"),
    "state": attribute("state"),
    "size": attribute("size"),
    "digest": attribute("digest"),
    "digestAlgorithm": attribute("algorithm"),
    "commitHash": of(lambda _w, version, _g: version.digest[:20]),
    "fileCount": of(lambda _w, version, _g: len(version.entries)),
    "createdAt": attribute("created"),
    "updatedAt": attribute("updated"),
    "aliases": of(lambda world, version, _g: aliases_of(world, version)),
    "currentManifest": of(lambda world, version, _g: manifest_of(world, version)),
    "files": of(files_of, "names after first"),
    "filesByManifestEntries": of(files_by_entries, "entries storageLayout manifestVersion storageRegion"),
    "usedBy": of(
        lambda world, version, given: connection(
            "RunConnection", [Thing("Run", run) for run in user_runs(world, version)], given
        ),
        "after first",
    ),
    "createdBy": of(lambda world, version, _g: creator(world, version)),
    "artifactMemberships": of(
        lambda world, version, given: connection(
            "ArtifactCollectionMembershipConnection",
            [Thing("ArtifactCollectionMembership", (world.collections[version.where], version))],
            given,
        ),
        "after first",
    ),
}

SEQUENCE: dict[str, Field] = {
    "id": attribute("id"),
    "name": of(lambda _w, collection, _g: collection.where[2]),
    "description": attribute("description"),
    "state": of(lambda _w, collection, _g: DELETED if collection.deleted else "READY"),
    "createdAt": attribute("created"),
    "updatedAt": attribute("created"),
    "digestAlgorithm": constant("MANIFEST_MD5"),
    "project": of(lambda _w, collection, _g: Thing("Project", collection.where[:2])),
    "defaultArtifactType": of(
        lambda _w, collection, _g: Thing("ArtifactType", (collection.where[:2], collection.type))
    ),
    "tags": of(lambda _w, collection, given: connection("TagConnection", tag_things(collection.tags), given)),
    "latestArtifact": of(lambda _w, collection, _g: artifact_thing(collection.find("latest"))),
    "aliases": of(
        lambda _w, collection, given: connection(
            "ArtifactAliasConnection",
            [Thing("ArtifactAlias", (collection, alias)) for alias in collection.aliases],
            given,
        ),
        "after first",
    ),
    "artifacts": of(versions_of, "after first order filters"),
    "artifactMembership": of(member, "aliasName"),
}

MEMBERSHIP: dict[str, Field] = {
    "id": of(lambda _w, found, _g: an_id("Membership", found[0].id, found[1].id)),
    "versionIndex": of(lambda _w, found, _g: found[1].index),
    "createdAt": of(lambda _w, found, _g: found[1].created),
    "aliases": of(lambda world, found, _g: aliases_of(world, found[1])),
    "artifactCollection": of(lambda _w, found, _g: collection_thing(found[0])),
    "artifact": of(lambda _w, found, _g: artifact_thing(found[1])),
    "files": of(lambda world, found, given: files_of(world, found[1], given), "names after first"),
}

TYPE: dict[str, Field] = {
    "id": of(lambda _w, kind, _g: an_id("ArtifactType", *kind[0], kind[1])),
    "name": of(lambda _w, kind, _g: kind[1]),
    "description": constant(None),
    "createdAt": constant("2026-11-23T00:00:00Z"),
    "artifactCollection": of(typed_collection, "name"),
    "artifactCollections": of(
        lambda world, kind, given: collections_of(world, kind[0], kind[1], given), "after first filters order"
    ),
}


def project_membership(
    world: World, project: tuple[str, str], given: Mapping[str, Any]
) -> tuple[Collection, Version] | None:
    return world.membership(*project, given["name"])


def project_artifact(world: World, project: tuple[str, str], given: Mapping[str, Any]) -> Thing | None:
    found = project_membership(world, project, given)
    return artifact_thing(found[1] if found else None)


PROJECT: dict[str, Field] = {
    "artifact": of(project_artifact, "name"),
    "artifactCollectionMembership": of(
        lambda world, project, given: membership_thing(project_membership(world, project, given)), "name"
    ),
    "artifactCollection": of(
        lambda world, project, given: collection_thing(world.collection((*project, given["name"]))), "name"
    ),
    "artifactCollections": of(
        lambda world, project, given: collections_of(world, project, None, given), "after first filters order"
    ),
    "artifactType": of(
        lambda world, project, given: (
            Thing("ArtifactType", (project, given["name"])) if given["name"] in types_in(world, project) else None
        ),
        "name",
    ),
    "artifactTypes": of(
        lambda world, project, given: connection(
            "ArtifactTypeConnection",
            [Thing("ArtifactType", (project, each)) for each in types_in(world, project)],
            given,
        ),
        "after first",
    ),
}

RUN: dict[str, Field] = {"inputArtifacts": artifacts_of_run("inputs"), "outputArtifacts": artifacts_of_run("outputs")}

TYPES: dict[str, dict[str, Field]] = {
    "Artifact": ARTIFACT,
    "ArtifactSequence": SEQUENCE,
    "ArtifactCollectionMembership": MEMBERSHIP,
    "ArtifactType": TYPE,
    "ArtifactAlias": {
        "id": of(lambda _w, found, _g: an_id("Alias", found[0].id, found[1])),
        "alias": of(lambda _w, found, _g: found[1]),
        "artifactCollection": of(lambda _w, found, _g: collection_thing(found[0])),
    },
    "Tag": {"id": of(lambda _w, tag, _g: an_id("Tag", tag)), "name": of(lambda _w, tag, _g: tag)},
    "ArtifactManifest": {
        "id": of(lambda _w, manifest_id, _g: manifest_id),
        "file": of(lambda _w, manifest_id, _g: Thing("ManifestFile", manifest_id)),
    },
    "ManifestFile": {
        "id": of(lambda _w, manifest_id, _g: an_id("File", manifest_id)),
        "directUrl": of(lambda world, manifest_id, _g: world.signed("GET", f"/storage/manifest/{manifest_id}")),
        "uploadUrl": of(lambda world, manifest_id, _g: world.signed("PUT", f"/storage/manifest/{manifest_id}")),
        "uploadHeaders": of(lambda world, manifest_id, _g: [f"Content-MD5:{world.manifests[manifest_id].digest}"]),
    },
    "ClientIDMapping": {"serverID": of(lambda _w, server_id, _g: server_id)},
    **connection_types("Artifact"),
    **connection_types("VersionedArtifact", {"version": of(lambda _w, each, _g: f"v{each[0].value.index}")}),
    **connection_types("ArtifactCollection"),
    **connection_types("ArtifactCollectionMembership"),
    **connection_types("ArtifactType"),
    **connection_types("ArtifactAlias"),
    **connection_types("Tag"),
}

BELONGS = {"ArtifactSequence": frozenset({"ArtifactCollection"}), "Run": frozenset({"ArtifactCreator"})}

QUERIES: dict[str, Field] = {
    "artifact": of(lambda world, _v, given: artifact_thing(artifact_by_id(world, given["id"])), "id"),
    "artifactCollection": of(
        lambda world, _v, given: next(
            (collection_thing(each) for each in world.collections.values() if each.id == given["id"]), None
        ),
        "id",
    ),
    "clientIDMapping": of(
        lambda world, _v, given: (
            Thing("ClientIDMapping", world.clients[given["clientID"]]) if given["clientID"] in world.clients else None
        ),
        "clientID",
    ),
}
