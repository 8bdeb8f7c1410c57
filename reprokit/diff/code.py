"""What changed in the code: the patch between the two trees of every checkout that is not the same on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reprokit import git
from reprokit.bundle.reading import Bundle
from reprokit.bundle.source import Source
from reprokit.diff.difference import CodeChange, CodeFile
from reprokit.diff.setup.places import pair_sources
from reprokit.diff.side import Side
from reprokit.errors import InvalidRecordError
from reprokit.sources.between import Between, Carried, between

_SECONDS = 120.0
"""How long all checkouts together are looked at: how many there are says the bundle."""


def code_changes(a: Side, b: Side, *, clones: Sequence[Path] = ()) -> list[CodeChange]:
    """Tell what lies between the trees of each checkout, sorted by the checkouts' names.

    Equal trees are left out. This never fails, and never reaches for the network: what cannot be known here is an
    entry with a reason.

    Args:
        a: the one side. Only a bundle on disk has the files that trees are rebuilt from.
        b: the other one.
        clones: folders that lie in repositories which may have the commits, in the order in which to look.
    """
    with git.within(_SECONDS):
        return sorted(_changes(a, b, clones), key=lambda change: change.name)


def _changes(a: Side, b: Side, clones: Sequence[Path]) -> Iterator[CodeChange]:
    for name, (before, after) in pair_sources(a.sources, b.sources).items():
        trees = tuple(None if source is None else source.tree for source in (before, after))
        if trees[0] == trees[1]:
            continue
        found = _between(_carried(a, before), _carried(b, after), clones)
        yield CodeChange(
            name=name,
            before=trees[0],
            after=trees[1],
            learnt_from=found.learnt_from,
            reason=found.reason,
            files=[
                CodeFile(path=file.path, kind=file.kind, added=file.added, removed=file.removed) for file in found.files
            ],
            patch=found.patch,
        )


def _between(before: Carried | str, after: Carried | str, clones: Sequence[Path]) -> Between:
    if isinstance(before, Carried) and isinstance(after, Carried):
        return between(before, after, clones=clones)
    told = [f"in {name}, {side}" for name, side in (("a", before), ("b", after)) if isinstance(side, str)]
    return Between(learnt_from="nothing", reason="; ".join(told))


def _carried(side: Side, source: Source | None) -> Carried | str:
    """Give a record with its files, or say why there is none."""
    if source is None:
        return "no code was read from this checkout"
    if not isinstance(side, Bundle):
        return "the files that belong to the record are not at hand"
    return Carried(source=source, patch=_file(side, source.patch), git_bundle=_file(side, source.git_bundle))


def _file(bundle: Bundle, path: str | None) -> Path | None:
    try:
        return bundle.stored(path) if path is not None and bundle.has(path) else None
    except (InvalidRecordError, OSError):  # it names what cannot be in a bundle
        return None
