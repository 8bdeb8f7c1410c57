"""Everything in an archive's repository that names objects of DVC's cache: on any branch, tag, stash or work tree.

A `.dvc` file of a bundle has one spelling and is read as such. Of other DVC files, which an adopted repository holds,
every MD5 in them counts: to keep too much is safe.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reprokit import git
from reprokit.archive import catalog, dvc, months, small_file
from reprokit.archive.dvc import Pointer
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.bundle.finding import Finding, finding

_POINTER = ".dvc"
_LOCK = "dvc.lock"
_SPECIFIED = ("*.dvc", _LOCK, f"**/{_LOCK}")
OBJECT = re.compile(rb"\b([0-9a-f]{32}(?:\.dir)?)\b")
_PLAIN = {"100644", "100755"}


@dataclass(kw_only=True)
class Named:
    """What was found. `pointers` maps the ids of bundles to what is said of them, `objects` are those of other files.

    `entered` holds the ids that a catalog names, `findings` what could not be read.
    """

    pointers: dict[str, list[Pointer]] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    entered: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """A work tree of the repository, and the commit that it stands on."""

    path: Path
    commit: str | None


def named(archive: Archive, since: str) -> Named:
    """Find what names objects now, and what was dropped from the history since a moment (`2026-11-23T03:15:47Z`).

    Raises:
        GitError: git cannot tell.
    """
    found = Named()
    trees = _work_trees(archive.root)
    blobs: dict[str, str] = {}
    for commit in _commits(archive.root, trees):
        _enter(_in_commit(archive.root, commit), blobs, found)
    _enter(_dropped(archive.root, since), blobs, found)
    for tree in trees:
        if tree.path.is_dir():
            _enter(_in_index(tree.path), blobs, found)
            _read_files(tree.path, found)
    found.entered |= set(catalog.ids(archive))
    _read_blobs(archive.root, blobs, found)
    return found


def _lines(arguments: Sequence[str], root: Path) -> list[str]:
    return os.fsdecode(git.run(arguments, directory=root)).splitlines()


def _work_trees(root: Path) -> list[_Tree]:
    found: list[_Tree] = []
    for block in os.fsdecode(git.run(["worktree", "list", "--porcelain"], directory=root)).split("\n\n"):
        told = dict(line.partition(" ")[::2] for line in block.splitlines())
        if "worktree" in told and "bare" not in told:
            # A branch without a commit stands on zeros.
            commit = told.get("HEAD", "0")
            found.append(_Tree(path=Path(told["worktree"]), commit=commit if commit.strip("0") else None))
    return found


def _commits(root: Path, trees: Sequence[_Tree]) -> list[str]:
    """List the commits that something stands on: every ref, the head of every work tree, every stash with its parts."""
    tips = _lines(["for-each-ref", "--format=%(objectname)"], root)
    tips += [tree.commit for tree in trees if tree.commit]
    if git.answer(["rev-parse", "--verify", "--quiet", "refs/stash"], directory=root) is not None:
        tips += " ".join(_lines(["log", "--walk-reflogs", "--format=%H %P", "refs/stash"], root)).split()
    asked = "".join(f"{tip}^{{}}\n" for tip in sorted(set(tips)))
    told = git.run(["cat-file", "--batch-check=%(objectname) %(objecttype)"], directory=root, stdin=asked.encode())
    rows = (line.split() for line in told.decode().splitlines())
    return sorted({row[0] for row in rows if row[-1] in {"commit", "tree", "missing"}})


def _in_commit(root: Path, commit: str) -> Iterator[tuple[str, str, str]]:
    """Yield (mode, object, path) of everything that a commit holds."""
    for row in git.run(["ls-tree", "-r", "-z", "--full-tree", commit], directory=root).split(b"\0"):
        if row:
            told, _, path = os.fsdecode(row).partition("\t")
            mode, _, name = told.split(" ")
            yield mode, name, path


def _dropped(root: Path, since: str) -> Iterator[tuple[str, str, str]]:
    """Yield (mode, object, path) of DVC files as they were before a commit of late removed or changed them."""
    log = ["log", "--all", "--reflog", f"--since={since}", "-m", "--raw", "--no-abbrev", "--no-renames", "--format="]
    rows = git.run([*log, "-z", "--diff-filter=DM", "--", *_SPECIFIED], directory=root).split(b"\0")
    described = [row.lstrip(b"\n") for row in rows if row.strip(b"\n")]
    for told, path in zip(described[::2], described[1::2], strict=False):
        mode, _, name, *_ = told.decode().removeprefix(":").split(" ")
        yield mode, name, os.fsdecode(path)


def _in_index(tree: Path) -> Iterator[tuple[str, str, str]]:
    for row in git.run(["ls-files", "--stage", "-z"], directory=tree).split(b"\0"):
        if row:
            told, _, path = os.fsdecode(row).partition("\t")
            mode, name, _ = told.split(" ")
            yield mode, name, path


def _enter(files: Iterator[tuple[str, str, str]], blobs: dict[str, str], found: Named) -> None:
    """Note the DVC files to read among some files, and the ids that their catalogs name."""
    for mode, name, path in files:
        if path.startswith("catalog/") and path.endswith(".json"):
            found.entered |= {each for each in (PurePosixPath(path).stem,) if is_bundle_id(each)}
        elif path.endswith(_POINTER) or PurePosixPath(path).name == _LOCK:
            if mode in _PLAIN:
                # The same bytes say the same wherever they stand, but a bundle's pointer is read most strictly.
                blobs[name] = path if _bundle_id(path) or name not in blobs else blobs[name]
            else:
                found.findings.append(finding("E117", path, "git holds it as something else than a file"))


def _bundle_id(path: str) -> str | None:
    parts = PurePosixPath(path)
    bundle_id = parts.name.removesuffix(_POINTER)
    inside = parts.parts[:1] == ("bundles",) and bundle_id != parts.name
    return bundle_id if inside and is_bundle_id(bundle_id) else None


def _read_blobs(root: Path, blobs: dict[str, str], found: Named) -> None:
    asked = "".join(f"{name}\n" for name in blobs).encode()
    sizes = git.run(["cat-file", "--batch-check"], directory=root, stdin=asked).decode().splitlines()
    readable: list[str] = []
    for told in sizes:
        name, kind, *size = told.split(" ")
        if kind == "blob" and int(size[0]) <= small_file.LARGEST:
            readable.append(name)
        else:
            found.findings.append(finding("E117", blobs[name], "git cannot read it"))
    data = git.run(["cat-file", "--batch"], directory=root, stdin="".join(f"{each}\n" for each in readable).encode())
    place = 0
    for name in readable:
        head, _, _ = data[place : place + 200].partition(b"\n")
        start = place + len(head) + 1
        end = start + int(head.rpartition(b" ")[2])
        _understand(blobs[name], data[start:end], found)
        place = end + 1


def _read_files(tree: Path, found: Named) -> None:
    """Read the DVC files of a work tree that differ from its index, and all pointers, though git ignore them."""
    listing = ["ls-files", "-z", "--modified", "--others", "--exclude-standard", "--", *_SPECIFIED]
    told = git.run(listing, directory=tree, environment=git.without_filters(tree))
    paths = {os.fsdecode(path) for path in told.split(b"\0") if path}
    paths |= {
        str(Path(entry.path).relative_to(tree))
        for entry in months.inside(tree / "bundles")
        if entry.name.endswith(_POINTER)
    }
    for path in sorted(paths):
        try:
            data = small_file.read(tree / path)
        except FileNotFoundError:
            continue  # deleted, and not yet committed: the index has it
        except OSError as error:
            found.findings.append(finding("E117", path, error.strerror or str(error)))
            continue
        _understand(path, data, found)


def _understand(path: str, data: bytes, found: Named) -> None:
    if (bundle_id := _bundle_id(path)) is not None:
        pointer = dvc.parse_pointer(data)
        if pointer is None:
            found.findings.append(finding("E117", path, "it is no pointer that reprokit wrote"))
        elif pointer not in found.pointers.setdefault(bundle_id, []):
            found.pointers[bundle_id].append(pointer)
        return
    objects = {match.decode() for match in OBJECT.findall(data)}
    if not objects and path.endswith(_POINTER):
        found.findings.append(finding("E117", path, "it names no object"))
    found.objects |= objects
