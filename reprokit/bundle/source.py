"""One git checkout that the run's code was read from: `source/<name>.json`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

SCHEMA = "https://w3id.org/reprokit/v1/source.schema.json"


class LeftOut(Struct, frozen=True, kw_only=True):
    """A file of the working tree that the patch does not hold."""

    path: str
    reason: Annotated[str, Meta(examples=["untracked and 12.0 GiB large", "an output of the evaluation"])]


class Source(Struct, frozen=True, kw_only=True):
    """A checkout's exact state: commit, then patch, gives tree."""

    schema: str = SCHEMA
    name: Annotated[str, Meta(description="folder name of the checkout", examples=["my-evals"])]
    root: Annotated[str, Meta(description="where the checkout was", examples=["/home/ada/my-evals"])]
    commit: Annotated[str | None, Meta(description="HEAD; null in a repository without a commit")]
    branch: str | None = None
    remotes: Annotated[dict[str, str], Meta(description="addresses by name, without credentials")] = {}
    on_remote: Annotated[bool, Meta(description="a remote-tracking branch holds the commit")] = False
    tree: Annotated[str, Meta(description="git tree of the working directory as it was, untracked files included")]
    swhid: Annotated[str, Meta(description="the same tree as an SWHID", examples=["swh:1:dir:4b825dc6…"])]
    dirty: Annotated[bool, Meta(description="the tree is not the commit's own")]
    patch: Annotated[str | None, Meta(description="payload path of the patch from commit to tree")] = None
    git_bundle: Annotated[str | None, Meta(description="payload path of a git bundle that holds the commit")] = None
    operation: Annotated[str | None, Meta(description="what git was in the middle of", examples=["merge"])] = None
    submodules: Annotated[dict[str, str], Meta(description="path and commit of each submodule")] = {}
    left_out: list[LeftOut] = []
    tree_after: Annotated[str | None, Meta(description="the tree when the run ended, when it was looked at")] = None
