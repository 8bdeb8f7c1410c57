"""One git checkout that the run's code was read from: `source/<name>.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

SCHEMA = "https://w3id.org/reprokit/v1/source.schema.json"


class LeftOut(Struct, frozen=True, kw_only=True):
    """A file of the working tree that the patch does not hold."""

    path: str
    reason: Annotated[str, Meta(examples=["untracked and 12.0 GiB large", "an output of the evaluation"])]


class Use(Struct, frozen=True, kw_only=True):
    """One way in which a run used a checkout."""

    kind: Annotated[
        Literal["working directory", "editable install", "module", "script", "input", "module path", "submodule"],
        Meta(
            description="`module`: imported from it; `script`: a file of it was run; `input`: the command line names "
            "something in it; `module path`: it was where a process that did not tell what it imported looked for "
            "modules; `submodule`: it is one of another checkout whose commit alone does not tell its state"
        ),
    ]
    name: Annotated[
        str | None,
        Meta(
            description="the package, the top-level module, the file in the checkout, the input as given, the "
            "submodule's path",
            examples=["lm_eval"],
        ),
    ] = None


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
    submodules_empty: Annotated[
        list[str], Meta(description="paths of those that were not checked out, so that nothing came from them")
    ] = []
    left_out: list[LeftOut] = []
    tree_after: Annotated[str | None, Meta(description="the tree when the run ended, when it was looked at")] = None
    used_as: Annotated[list[Use], Meta(description="what the run used the checkout for")] = []
    observed_at: Annotated[
        Literal["start", "exit"],
        Meta(
            description="when this state was looked at: before the run, or as soon as a process that uses the checkout "
            "had begun (`start`); or only when the run had ended (`exit`), so that changes during the run are not known"
        ),
    ] = "start"
