"""A record's commit and patch become its tree again, in the index of a repository that was made for it.

What a record says is foreign: refs, patches and attributes. Git runs isolated from this person's settings, and refuses
paths and patches that lead out of the checkout. No file is written but those of the repository itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import zstandard

from reprokit import git
from reprokit.bundle import compression
from reprokit.bundle.source import Source
from reprokit.bundle.values import OBJECT_NAME
from reprokit.errors import FixityError, InputMissingError, InvalidRecordError
from reprokit.git import GitError

_SHA256_DIGITS = 64
_SHORT = 12
_LONGEST_HEADER_LINE = 4096
_MOST_PREREQUISITES = 100
_BUNDLE_SIGNATURE = re.compile(rb"# v[23] git bundle\n")
_PREREQUISITE = re.compile(rb"-([0-9a-f]{40}|[0-9a-f]{64})( .*)?\n")
_CHUNK = 1 << 20


def short(commit: str) -> str:
    """Write a commit for people."""
    return commit[:_SHORT]


def refuse_malformed(source: Source) -> None:
    """Let no record pass that names something else than objects.

    Raises:
        InvalidRecordError: its commit or tree is none.
    """
    for what, name in (("commit", source.commit), ("tree", source.tree)):
        if name is not None and not OBJECT_NAME.fullmatch(name):
            raise InvalidRecordError(f"the source `{source.name}` names a {what} that is none: `{name}`")


def require_patch(source: Source, patch: Path | None) -> None:
    """Go on only when the patch that a record needs is there.

    Raises:
        InputMissingError: it is not.
    """
    if source.dirty and patch is None:
        hint = "`left_out` in the source record may say why it is not in the bundle"
        raise InputMissingError(f"the patch of the source `{source.name}` is missing", hint=hint)


def run(
    repository: Path,
    *arguments: str | Path,
    stdin: bytes = b"",
    transports: Sequence[str] = (),
    variables: dict[str, str] | None = None,
) -> bytes:
    """Run git in the repository, for as long as whoever asked allows.

    Raises:
        GitError: it failed.
    """
    return git.run(
        arguments,
        directory=repository,
        environment=variables,
        stdin=stdin,
        timeout=None,
        isolated=True,
        transports=transports,
    )


def initialise(repository: Path, digits: int) -> None:
    """Make an empty repository in a folder, of the kind whose objects have names of so many digits."""
    kind = "sha256" if digits == _SHA256_DIGITS else "sha1"
    run(repository, "init", "--quiet", "--template=", "--initial-branch=main", f"--object-format={kind}")


def has(repository: Path, commit: str) -> bool:
    """Tell whether the repository has a commit.

    Raises:
        GitError: git did not get to say.
    """
    asked = ["cat-file", "-e", f"{commit}^{{commit}}"]
    try:
        return git.answer(asked, directory=repository, isolated=True) is not None
    except GitError as error:
        if error.status is None:
            raise
        return False


def plain(path: Path, at: Path, *, limit: int | None = None) -> Path:
    """Copy a stored file to a path, uncompressed; a link or whatever else is no regular file is refused.

    Args:
        path: the file, plain or compressed.
        at: where to; nothing may be there.
        limit: how many bytes it may have uncompressed.

    Raises:
        InputMissingError: it cannot be read, or has more.
        InvalidRecordError: it is damaged.
        OSError: the copy cannot be written.
    """
    try:
        stored = compression.open_stored(path)
    except OSError as error:
        raise InputMissingError(f"`{path.name}` cannot be read: {error.strerror}") from error
    written = 0
    with stored, at.open("xb") as file:
        try:
            while chunk := stored.read(_CHUNK):
                written += file.write(chunk)
                if limit is not None and written > limit:
                    raise InputMissingError(f"`{path.name}` holds more than {limit >> 20} MiB")
        except zstandard.ZstdError as error:
            raise InvalidRecordError(f"`{path.name}` is damaged: {error}") from error
    return at


def prerequisites(git_bundle: Path) -> list[str]:
    """List the commits that a git bundle builds on and does not hold: its header names them with a `-`."""
    found: list[str] = []
    # A damaged one names none, and is told when it is to be used.
    with suppress(OSError, zstandard.ZstdError), compression.open_stored(git_bundle) as file:
        if not _BUNDLE_SIGNATURE.fullmatch(file.readline(_LONGEST_HEADER_LINE)):
            return []
        while (line := file.readline(_LONGEST_HEADER_LINE)).startswith((b"@", b"-")):
            match = _PREREQUISITE.fullmatch(line)
            if match is not None and len(found) < _MOST_PREREQUISITES:
                found.append(match[1].decode("ascii"))
    return found


def read_commit(repository: Path, commit: str, *, variables: dict[str, str] | None = None) -> None:
    """Read a commit into the index.

    The entries are listed rather than read as a tree, so that `write-tree` builds the tree from them. Otherwise it
    would repeat the name of the tree that was read, though a malformed one may not hold what its entries say.
    """
    entries = run(repository, "ls-tree", "-r", "-z", "--full-tree", commit)
    run(repository, "update-index", "-z", "--index-info", stdin=entries, variables=variables)
    # Without an entry that git accepts there is no index yet.
    run(repository, "update-index", "--force-write-index", variables=variables)


def apply(
    repository: Path, patch: Path, *, whose: str, backwards: bool = False, variables: dict[str, str] | None = None
) -> None:
    """Apply a source's patch to the index.

    Raises:
        InvalidRecordError: git refuses it.
    """
    words = ["apply", "--cached", "--whitespace=nowarn", *(["--reverse"] if backwards else []), "--end-of-options"]
    try:
        run(repository, *words, patch, variables=variables)
    except GitError as error:
        if error.status is None:  # it did not get to say
            raise
        hint = "do not use this bundle, or restore it from another copy"
        raise InvalidRecordError(f"the patch of {whose} is refused: {error.message}", hint=hint) from error


def require_tree(
    repository: Path, source: Source, *, patched: bool, partial: bool = False, variables: dict[str, str] | None = None
) -> None:
    """Go on only when the index is the recorded tree, which the repository has from then on.

    Args:
        repository: where the index is.
        source: the record.
        patched: whether a patch was applied.
        partial: files that nothing was done with may be missing, as in a partial clone.
        variables: for git, as the name of the index.

    Raises:
        FixityError: it is another tree.
    """
    written = run(repository, "write-tree", *(["--missing-ok"] if partial else []), variables=variables)
    tree = written.decode("ascii").strip()
    if tree != source.tree:
        what = "commit and patch give" if patched else "the commit has"
        hint = "the bundle is damaged, or its record does not tell the truth"
        raise FixityError(
            f"`{source.name}` is not the tree that was captured: {what} {tree}, not {source.tree}", hint=hint
        )
