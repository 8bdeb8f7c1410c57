"""A source record becomes a checkout again: an isolated clone at the commit, patched to exactly the recorded tree.

What a record says is foreign: addresses, refs, patches and attributes. Git runs isolated from this person's settings,
no hook, filter or submodule is run, and nothing reaches the working directory before the tree is the recorded one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from reprokit import git
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.errors import InputMissingError, UsageError
from reprokit.git import GitError, GitMissingError
from reprokit.sources import rebuilding
from reprokit.sources.rebuilding import has, initialise, run, short
from reprokit.sources.trees import refuse_endless

_INDEX_OF_COMMIT = "index-of-commit"
# The files of the patch hold the bytes that lay on disk: no conversion may touch them again.
_AS_IT_LIES = "* -text -ident !eol !filter !working-tree-encoding\n"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Somewhere that the commit may be fetched from: `name` is that of the recorded remote, if it is one."""

    address: str
    transport: str
    name: str | None = None

    def __str__(self) -> str:
        """Name it for people."""
        return f"the remote `{self.name}` ({self.address})" if self.name else f"`{self.address}`"


def restore(
    source: Source, *, patch: Path | None, git_bundle: Path | None, origin: str | Path | None, destination: Path
) -> None:
    """Make a checkout whose tree is exactly the recorded one.

    The commit is taken from the carried git bundle, else from `origin`, else from the recorded remotes in their order,
    those of them that are reached over https or ssh. A git bundle that builds on a remote's history gets that first.

    Args:
        source: the record.
        patch: the patch that the record names, plain or compressed.
        git_bundle: the git bundle that the record names, plain or compressed.
        origin: a clone that the caller trusts to hold the commit: a folder, or an https or ssh address.
        destination: a folder that is empty or does not exist yet; it stays as it was when anything fails.

    Raises:
        UsageError: the destination is not empty, or `origin` is nothing to fetch from.
        InputMissingError: the commit, or the patch, is not to be had.
        InvalidRecordError: the record names no commit or tree, or its patch does not apply within the checkout.
        FixityError: what came out is not the recorded tree.
        GitError: git failed otherwise.
    """
    rebuilding.refuse_malformed(source)
    places = list(_places(source, origin))
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError(f"`{destination}` is not a folder", hint="name a folder that does not exist yet")
    if destination.exists() and any(destination.iterdir()):
        raise UsageError(f"`{destination}` is not empty", hint="name a folder that does not exist yet")
    rebuilding.require_patch(source, patch)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{destination.name}-", dir=destination.parent) as folder:
        clone = Path(folder).resolve() / "clone"
        clone.mkdir()
        initialise(clone, source)
        if source.commit is not None:
            _bring(clone, source, git_bundle and rebuilding.plain(git_bundle, Path(folder) / "git-bundle"), places)
        _build_index(clone, source, patch and rebuilding.plain(patch, Path(folder) / "patch"))
        _write_files(clone, source)
        if destination.exists():
            destination.rmdir()
        clone.replace(destination)


def whence(source: Source, *, git_bundle: Path | None, origin: str | Path | None) -> str | Unknown:
    """Tell where `restore` would take the commit from, without reaching for the network.

    Raises:
        UsageError: `origin` is nothing to fetch from.
    """
    if source.commit is None:
        return "its patch alone: the repository had no commit"
    places = list(_places(source, origin))
    likely = [place for place in places if _may_have(place, source)]
    if git_bundle is not None:
        return "the git bundle that was captured" + (
            f", on top of {places[0]}" if places and rebuilding.prerequisites(git_bundle) else ""
        )
    if likely:
        return str(likely[0])
    hint = "name a clone that has it" if origin is None else f"`{origin}` does not have it"
    return Unknown(unknown=f"the commit {short(source.commit)} is on no remote that is recorded; {hint}")


def _may_have(place: _Place, source: Source) -> bool:
    if place.transport == "file":
        return _is_in(Path(place.address), source.commit or "")
    return place.name is None or source.on_remote


def _places(source: Source, origin: str | Path | None) -> Iterator[_Place]:
    """Yield where to look, the caller's place first; a recorded remote that must not be fetched from is passed over."""
    if origin is not None:
        path, transport = _local(origin), git.transport(str(origin))
        if path.exists():
            yield _Place(address=str(path.resolve()), transport="file")
        elif transport is not None:
            yield _Place(address=str(origin), transport=transport)
        else:
            hint = "name a folder that holds a git clone, or an https or ssh address"
            raise UsageError(f"the origin `{origin}` cannot be fetched from", hint=hint)
    for name, address in source.remotes.items():
        if (transport := git.transport(address)) is not None:
            yield _Place(address=address, transport=transport, name=name)


def _local(origin: str | Path) -> Path:
    address = str(origin)
    is_url = address.startswith("file:///")
    return Path(unquote(address.removeprefix("file://"), errors="surrogateescape") if is_url else address)


def _is_in(path: Path, commit: str) -> bool:
    try:
        return git.answer(["cat-file", "-e", f"{commit}^{{commit}}"], directory=path) is not None
    except GitMissingError:
        raise
    except GitError:
        return False


def _bring(clone: Path, source: Source, git_bundle: Path | None, places: Sequence[_Place]) -> None:
    """Bring the commit into the clone, from the first place that has it."""
    commit = source.commit or ""
    tried: list[str] = []
    if git_bundle is not None and _unbundle(clone, git_bundle, commit, tried):
        return
    for place in places:
        try:
            _fetch(clone, place, commit)
        except GitError as error:
            tried.append(f"{place}: {error.message}")
            continue
        if has(clone, commit) or (git_bundle is not None and _unbundle(clone, git_bundle, commit, tried)):
            _remember(clone, place, commit)
            return
        tried.append(f"{place} does not have it")
    told = "; ".join(tried) or "it was on no remote, and no git bundle was captured"
    hint = "name a clone that has it: `--source DIR` or `--source ADDRESS`"
    raise InputMissingError(f"the commit {short(commit)} of `{source.name}` is not to be had: {told}", hint=hint)


def _unbundle(clone: Path, git_bundle: Path, commit: str, tried: list[str]) -> bool:
    try:
        run(clone, "bundle", "unbundle", git_bundle)
    except GitError as error:
        tried.append(f"the git bundle that was captured: {error.message}")
        return False
    if not has(clone, commit):
        tried.append("the git bundle that was captured does not have it")
        return False
    return True


def _fetch(clone: Path, place: _Place, commit: str) -> None:
    """Fetch the commit, or, from a place that only hands out branches, all of these; tags come along for `describe`."""
    fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--update-shallow"]
    tags, branches = "+refs/tags/*:refs/tags/*", "+refs/heads/*:refs/fetched/*"
    transports = [place.transport]
    try:
        run(clone, *fetch, "--end-of-options", place.address, commit, tags, transports=transports)
    except GitMissingError:
        raise
    except GitError:
        run(clone, *fetch, "--end-of-options", place.address, branches, tags, transports=transports)


def _remember(clone: Path, place: _Place, commit: str) -> None:
    """Keep which recorded remote had the commit, so that a capture in this checkout knows it as well."""
    reference = f"refs/remotes/{place.name}/captured"
    if place.name is None or git.answer(["check-ref-format", reference], directory=clone, isolated=True) is None:
        return
    run(clone, "update-ref", reference, commit)
    run(clone, "config", "--local", f"remote.{place.name}.url", place.address)


def _build_index(clone: Path, source: Source, patch: Path | None) -> None:
    """Make the recorded tree in the index, and put the commit's own beside it."""
    if source.commit is not None:
        refuse_endless(clone, source.commit)
        rebuilding.read_commit(clone, source.commit)
        run(clone, "update-ref", "--no-deref", "HEAD", source.commit)
        shutil.copyfile(clone / ".git" / "index", clone / ".git" / _INDEX_OF_COMMIT)
    if patch is not None:
        rebuilding.apply(clone, patch, whose=f"`{source.name}`")
    rebuilding.require_tree(clone, source, patched=patch is not None)


def _write_files(clone: Path, source: Source) -> None:
    """Write the files: those of the patch as they lay, the others as a clone of the commit would hold them."""
    base = source.commit or run(clone, "hash-object", "-t", "tree", "--stdin").decode("ascii").strip()
    listing = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=d", "--ignore-submodules=none"]
    patched = set(run(clone, *listing, f"{base}^{{tree}}", source.tree).split(b"\0"))
    committed = set(run(clone, "ls-files", "-z").split(b"\0")) - patched
    if source.commit is not None:
        # With the index of the commit, its own attributes hold and not those that the patch brings.
        of_commit = clone / ".git" / _INDEX_OF_COMMIT
        _check_out(clone, committed, GIT_INDEX_FILE=str(of_commit))
        of_commit.unlink()
    attributes = clone / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(_AS_IT_LIES)
    _check_out(clone, patched)
    attributes.unlink()
    git.answer(["update-index", "-q", "--refresh"], directory=clone, timeout=None, isolated=True)


def _check_out(clone: Path, paths: Iterable[bytes], **variables: str) -> None:
    listed = b"".join(path + b"\0" for path in sorted(paths) if path)
    write = ["checkout-index", "--force", "--index", "--quiet", "-z", "--stdin"]
    git.run(write, directory=clone, environment=variables, stdin=listed, timeout=None, isolated=True)
