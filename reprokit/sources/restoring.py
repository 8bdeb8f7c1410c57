"""A source record becomes a checkout again: an isolated clone at the commit, patched to exactly the recorded tree.

What a record says is foreign: addresses, refs, patches and attributes. Git runs isolated from this person's settings,
no hook, filter or submodule is run, and nothing reaches the working directory before the tree is the recorded one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from reprokit import git
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.errors import UsageError
from reprokit.sources import rebuilding
from reprokit.sources.fetch_places import FetchPlace, Origin, fetch_places, is_in
from reprokit.sources.fetching import bring
from reprokit.sources.rebuilding import run, short
from reprokit.sources.trees import refuse_endless

_INDEX_OF_COMMIT = "index-of-commit"
_LARGEST = 4 << 30
"""Bytes that a patch or a git bundle may have: many times what a capture carries, and no whole disk."""
# The files of the patch hold the bytes that lay on disk: no conversion may touch them again.
_AS_IT_LIES = "* -text -ident !eol !filter !working-tree-encoding\n"


def restore(
    source: Source,
    *,
    patch: Path | None,
    git_bundle: Path | None,
    origin: Origin | Sequence[Origin] | None,
    destination: Path,
) -> None:
    """Make a checkout whose tree is exactly the recorded one.

    The commit is taken from the carried git bundle, else from `origin`, else from the recorded remotes in their order,
    those of them that are reached over https or ssh. A git bundle that builds on a remote's history gets that first.

    Args:
        source: the record.
        patch: the patch that the record names, plain or compressed.
        git_bundle: the git bundle that the record names, plain or compressed.
        origin: a clone that may hold the commit, or several: a folder, or an https or ssh address.
        destination: a folder that is empty or does not exist yet; it stays as it was when anything fails.

    Raises:
        UsageError: the destination is not empty, or an `origin` is nothing to fetch from.
        InputMissingError: the commit, or the patch, is not to be had.
        InvalidRecordError: the record names no commit or tree, or its patch does not apply within the checkout.
        FixityError: what came out is not the recorded tree.
        GitError: git failed otherwise.
    """
    rebuilding.refuse_malformed(source)
    places = fetch_places(source, _listed(origin))
    rebuilding.require_patch(source, patch)
    with _new_clone(destination, len(source.tree)) as clone:
        if source.commit is not None:
            carried = git_bundle and rebuilding.plain(git_bundle, clone.parent / "git-bundle", limit=_LARGEST)
            bring(clone, source.commit, source.name, carried, places)
        _build_index(clone, source, patch and rebuilding.plain(patch, clone.parent / "patch", limit=_LARGEST))
        _write_files(clone, source)


def restore_commit(
    name: str, commit: str, *, origins: Sequence[Origin], remotes: Mapping[str, str], destination: Path
) -> None:
    """Make a checkout of a commit of which there is no record, as of a submodule that nobody had changed.

    Args:
        name: what it is called, for people.
        commit: which one.
        origins: clones that may hold it, as for `restore`.
        remotes: addresses to fetch it from, by name.
        destination: as for `restore`.

    Raises:
        ReprokitError: as for `restore`.
    """
    source = Source(name=name, root="", commit=commit, remotes=dict(remotes), tree=commit, swhid="", dirty=False)
    rebuilding.refuse_malformed(source)
    with _new_clone(destination, len(commit)) as clone:
        bring(clone, commit, name, None, fetch_places(source, origins))
        tree = run(clone, "rev-parse", "--verify", f"{commit}^{{tree}}").decode("ascii").strip()
        source = msgspec.structs.replace(source, tree=tree)
        _build_index(clone, source, None)
        _write_files(clone, source)


def _listed(origin: Origin | Sequence[Origin] | None) -> Sequence[Origin]:
    if origin is None:
        return ()
    return (origin,) if isinstance(origin, str | Path) else origin


@contextmanager
def _new_clone(destination: Path, digits: int) -> Iterator[Path]:
    """Give an empty repository beside a destination, and put it there when nothing has failed."""
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError(f"`{destination}` is not a folder", hint="name a folder that does not exist yet")
    if destination.exists() and any(destination.iterdir()):
        raise UsageError(f"`{destination}` is not empty", hint="name a folder that does not exist yet")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{destination.name}-", dir=destination.parent) as folder:
        clone = Path(folder).resolve() / "clone"
        clone.mkdir()
        rebuilding.initialise(clone, digits)
        yield clone
        if destination.exists():
            destination.rmdir()
        clone.replace(destination)


def whence(source: Source, *, git_bundle: Path | None, origin: Origin | Sequence[Origin] | None) -> str | Unknown:
    """Tell where `restore` would take the commit from, without reaching for the network.

    Raises:
        UsageError: an `origin` is nothing to fetch from.
    """
    if source.commit is None:
        return "its patch alone: the repository had no commit"
    origins = _listed(origin)
    places = fetch_places(source, origins)
    if git_bundle is not None and not (built_on := rebuilding.prerequisites(git_bundle)):
        return "the git bundle that was captured"
    if git_bundle is not None:
        under = next((place for place in places if _may_have(place, built_on, on_remote=True)), None)
        if under is not None:
            return f"the git bundle that was captured, on top of {under}"
    likely = next((place for place in places if _may_have(place, [source.commit], on_remote=source.on_remote)), None)
    if likely is not None:
        return str(likely)
    named = ", ".join(f"`{each}`" for each in origins)
    hint = f"{named} {'do' if len(origins) > 1 else 'does'} not have it" if origins else "name a clone that has it"
    return Unknown(unknown=f"the commit {short(source.commit)} is on no remote that is recorded; {hint}")


def _may_have(place: FetchPlace, commits: Iterable[str], *, on_remote: bool) -> bool:
    if place.transport == "file":
        return any(is_in(Path(place.address), commit) for commit in commits)
    return place.name is None or on_remote


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
