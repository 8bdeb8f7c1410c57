"""Finding the bundle of a reference and reading every byte of it, before anything is said or signed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive.references import resolve
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.validation import check_named
from reprokit.cli.bundles import Found, find_bundle, meant_for_a_mirror
from reprokit.cli.options import find_archive
from reprokit.errors import FixityError, NotFoundError
from reprokit.sync.foreign import elsewhere, references


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A bundle that is not what was captured, by what its folder is called, and what is wrong with it."""

    name: str
    path: Path
    findings: Sequence[Finding]

    def error(self) -> FixityError:
        """Say so as a failure."""
        first = self.findings[0]
        return FixityError(
            f"`{self.name}` is not what was captured: {first.where}: {first.message}",
            hint="`reprokit validate` lists all that is wrong",
        )


def prove(reference: str, named: Path | None) -> Found | Damaged:
    """Find a bundle as `find_bundle` does, and read every byte of it; raises what that raises."""
    if elsewhere.is_elsewhere(reference) or references.is_foreign(reference):
        found = find_bundle(reference, named)
        return _damage(found.bundle.path) or found
    with meant_for_a_mirror(reference):
        path = _folder(reference, named)
    # Before it is opened: what is damaged so that it cannot be, is damaged all the same.
    return _damage(path) or Found(bundle=open_bundle(path))


def _folder(reference: str, named: Path | None) -> Path:
    try:
        archive = find_archive(named)
    except NotFoundError:
        if not Path(reference).exists():
            raise
        archive = None
    return resolve(reference, archive)


def _damage(path: Path) -> Damaged | None:
    findings = sorted(set(bag.verify(path))) or list(check_named(open_bundle(path)))
    return Damaged(name=path.name, path=path, findings=findings) if findings else None
