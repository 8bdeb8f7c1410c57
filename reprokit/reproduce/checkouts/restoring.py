"""Every captured checkout comes back in the workspace, with its submodules, and what cannot be had is told.

Submodules are met in the restored tree itself: only what that has is put in place. One that has a record comes back
as that says; of any other the tree names the commit, and the user's clones or `.gitmodules` where it may be had. A
repository that lay within another, which knows nothing of it, is put at its place there when that one is restored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reprokit.bundle.reading import Bundle
from reprokit.bundle.source import Source
from reprokit.errors import InputMissingError, InvalidRecordError, UsageError
from reprokit.probes.source.untracked import MARKS, OUTPUT
from reprokit.reproduce.checkouts import nesting
from reprokit.reproduce.checkouts import origins as said
from reprokit.reproduce.checkouts.origins import Origins, Wanted
from reprokit.reproduce.delta import Delta
from reprokit.sources import layout
from reprokit.sources.restoring import restore, restore_commit
from reprokit.sources.submodules import addresses, room, submodules

MOST_SUBMODULES = 1000
"""How many submodules all checkouts together may have: some that hold each other twice, level upon level, have any."""

_REMADE = {OUTPUT, *MARKS.values()}


@dataclass(frozen=True, kw_only=True)
class Restored:
    """The checkouts of a workspace. `places` are relative to it; submodules without a record are among them.

    `deltas` say what is not as the run had it.
    """

    workspace: Path
    sources: tuple[Source, ...] = ()
    places: Mapping[str, PurePosixPath] = field(default_factory=dict)
    deltas: tuple[Delta, ...] = ()

    def directory_of(self, recorded: str) -> Path | None:
        """Tell where a path of the original machine lies now; `None` when it lay in no restored checkout.

        It is also `None` when a link in a checkout leads out of the workspace.
        """
        place = layout.directory_of(recorded, self.sources, self.places)
        if place is None:
            return None
        found = self.workspace / place
        return found if found.resolve().is_relative_to(self.workspace.resolve()) else None


def restore_all(
    bundle: Bundle, workspace: Path, origins: Origins, *, without: Collection[str] = frozenset()
) -> Restored:
    """Restore all checkouts of a bundle into a workspace, below `source` and `sources`.

    Args:
        bundle: the bundle, its fixity verified.
        workspace: a folder that has neither of the two yet, or empty ones.
        origins: where the user says that checkouts can be had.
        without: names of checkouts and submodules (`evals/vendored/library`) that the user can do without.

    Raises:
        UsageError: `origins` or `without` name what the bundle does not have, or the checkout of the command itself.
        InputMissingError: checkouts are not to be had: all are named, with what was tried.
        InvalidRecordError: a record, a patch or a tree leads out of its checkout, or they contradict each other.
        FixityError: what came out is not the recorded tree.
        GitError: git failed otherwise.
    """
    main = main_of(bundle)
    placed = layout.places(bundle.sources, main)
    said.refuse_unknown(origins, placed)
    said.refuse_unknown(Origins(named=dict.fromkeys(without, ())), placed)
    if main in without:
        raise UsageError(f"the command was run in `{main}`: nothing can be run without it")
    work = _Restoration(bundle=bundle, workspace=workspace, origins=origins, without=without, placed=placed)
    work.run()
    if main is None:
        (workspace / layout.MAIN).mkdir(parents=True, exist_ok=True)
    return Restored(workspace=workspace, sources=tuple(bundle.sources), places=work.there, deltas=tuple(work.deltas))


def main_of(bundle: Bundle) -> str | None:
    """Name the checkout that the command was run in; `None` when it was run in none."""
    wanted = bundle.record.invocation.source
    return wanted if any(each.name == wanted for each in bundle.sources) else None


def carried(bundle: Bundle, path: str | None) -> Path | None:
    """Tell where the bundle stores a file that a source record names; `None` when it has none."""
    return bundle.stored(path) if path and bundle.has(path) else None


def is_needed(source: Source) -> bool:
    """Tell whether anything is known to have come from a checkout.

    Where a process that did not tell what it imported only looked for modules, perhaps nothing did.
    """
    return not source.used_as or any(use.kind != "module path" for use in source.used_as)


def wanted_record(source: Source, sources: Sequence[Source]) -> Wanted:
    """Say what is looked for, of a checkout that has a record."""
    outer = [(each.name, path) for each, path in layout.around(source, sources)]
    names = [f"{each.name}/{path}" for each, path in layout.around(source, sources) if str(path) in each.submodules]
    return Wanted(names=(source.name, *names), around=tuple(outer), commit=source.commit)


@dataclass(frozen=True, kw_only=True)
class _Checkout:
    """One that is in place.

    `root` is where it was, `remote` the address that relative ones start from, `empty` are the paths of submodules that
    were not checked out in it.
    """

    wanted: Wanted
    place: PurePosixPath
    root: str
    remote: str | None
    empty: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.wanted.names[0]

    def inner(self, path: str, commit: str, record: str | None) -> Wanted:
        """Say what is looked for in place of a submodule."""
        names = ((record,) if record else ()) + (f"{self.name}/{path}",)
        around = [(name, PurePosixPath(path)) for name in self.wanted.names]
        around += [(name, above / path) for name, above in self.wanted.around]
        return Wanted(names=names, around=tuple(around), commit=commit)


@dataclass(kw_only=True)
class _Restoration:
    bundle: Bundle
    workspace: Path
    origins: Origins
    without: Collection[str]
    placed: Mapping[str, PurePosixPath]
    there: dict[str, PurePosixPath] = field(default_factory=dict)
    deltas: list[Delta] = field(default_factory=list)
    missing: list[InputMissingError] = field(default_factory=list)
    skipped: list[PurePosixPath] = field(default_factory=list)
    count: int = 0

    def run(self) -> None:
        records = sorted(self.bundle.sources, key=self._depth)
        for source in records:
            if self._is_due(source):
                self._with_submodules(self._record(source, wanted_record(source, records)))
        for source in records:
            self._require_met(source)
            self._tell_where_the_command_runs(source)
        self._raise_missing()

    def _depth(self, source: Source) -> tuple[bool, int]:
        """Order the checkout of the command before the others, and each before what lies within it."""
        place = self.placed[source.name]
        return place != layout.MAIN, len(place.parts)

    def _is_due(self, source: Source) -> bool:
        """Tell whether a checkout is put in place by its record: as a submodule it is, or is not, met in another."""
        place = self.placed[source.name]
        if place == layout.MAIN or place.parent == layout.OTHERS:
            return True
        if source.name in self.there or layout.is_submodule(source, self.bundle.sources):
            return False
        outer, path = layout.around(source, self.bundle.sources)[0]
        inside = any(path.is_relative_to(each) for each in outer.submodules)
        return not inside or not self._is_skipped(place)

    def _is_skipped(self, place: PurePosixPath) -> bool:
        return not {place, *place.parents}.isdisjoint(self.skipped)

    def _record(self, source: Source, wanted: Wanted) -> _Checkout | None:
        """Put a checkout in place as its record says."""
        place = self.placed[source.name]
        if self._is_unwanted(wanted, place):
            return None
        try:
            with nesting.room(self.workspace, place) as destination:
                restore(
                    source,
                    patch=carried(self.bundle, source.patch),
                    git_bundle=carried(self.bundle, source.git_bundle),
                    origin=said.places_for(wanted, self.origins),
                    destination=destination,
                )
        except InputMissingError as error:
            self._not_had(wanted, place, error, needed=is_needed(source))
            return None
        self.there[source.name] = place
        self.deltas += _left_out(source, {layout.root_of(each) for each in self.bundle.sources})
        return _Checkout(
            wanted=wanted,
            place=place,
            root=layout.root_of(source),
            remote=_default_remote(source),
            empty=tuple(source.submodules_empty),
        )

    def _commit(self, wanted: Wanted, place: PurePosixPath, root: str, remotes: list[str]) -> _Checkout | None:
        """Put a submodule in place of which only the commit is known."""
        name = wanted.names[0]
        if self._is_unwanted(wanted, place):
            return None
        try:
            restore_commit(
                name,
                wanted.commit or "",
                origins=said.places_for(wanted, self.origins),
                # One address may be there for each of several sections with this path.
                remotes={"origin" if not number else f"origin-{number}": each for number, each in enumerate(remotes)},
                destination=self.workspace / place,
            )
        except InputMissingError as error:
            hint = f"{error.hint}; or leave it out, if it was not checked out: the record does not tell"
            self._not_had(wanted, place, InputMissingError(error.message, hint=hint), needed=True)
            return None
        self.there[name] = place
        return _Checkout(wanted=wanted, place=place, root=root, remote=next(iter(remotes), None))

    def _with_submodules(self, checkout: _Checkout | None) -> None:
        waiting = [checkout]
        while waiting:
            around = waiting.pop()
            if around is not None:
                waiting += self._submodules(around)

    def _submodules(self, around: _Checkout) -> Iterator[_Checkout | None]:
        directory = self.workspace / around.place
        found = submodules(directory)
        told = addresses(directory, around.remote) if found else {}
        for path, commit in found.items():
            layout.refuse_odd_path(around.name, path)
            self.count += 1
            if self.count > MOST_SUBMODULES:
                raise InvalidRecordError(f"the checkouts have more than {MOST_SUBMODULES} submodules")
            if path in around.empty:
                continue
            place, root = around.place / path, f"{around.root}/{path}"
            record = next((each for each in self.bundle.sources if layout.root_of(each) == root), None)
            wanted = around.inner(path, commit, record.name if record else None)
            if record is not None and self.placed[record.name] != place:
                self._skip(wanted, place, f"it is in `{self.placed[record.name]}`")
                continue
            room(directory, path)
            if record is not None:
                yield self._record(record, replace(wanted, commit=record.commit))
            else:
                yield self._commit(wanted, place, root, told.get(path, []))

    def _is_unwanted(self, wanted: Wanted, place: PurePosixPath) -> bool:
        if not any(name in self.without for name in wanted.names):
            return False
        self._skip(wanted, place, "left out as asked")
        return True

    def _skip(self, wanted: Wanted, place: PurePosixPath, reason: str) -> None:
        recorded = (wanted.commit or "no commit")[:12]
        self.skipped.append(place)
        self.deltas.append(Delta(what=f"checkout `{wanted.names[0]}`", recorded=recorded, here="none", reason=reason))

    def _not_had(self, wanted: Wanted, place: PurePosixPath, error: InputMissingError, *, needed: bool) -> None:
        if needed:
            self.skipped.append(place)
            self.missing.append(error)
        else:
            self._skip(wanted, place, f"nothing is known to have come from it, and {error.message}")

    def _require_met(self, source: Source) -> None:
        """Go on only when a record's checkout was met, or one around it was left out."""
        place = self.placed[source.name]
        if source.name not in self.there and not self._is_skipped(place):
            where = f"`{source.root}`, where a submodule of another source should be"
            raise InvalidRecordError(f"the source `{source.name}` lies at {where}, and that one has none there")

    def _tell_where_the_command_runs(self, source: Source) -> None:
        """Tell that the command's own checkout, which is moved, is missing from the one that it lay within."""
        outer = layout.around(source, self.bundle.sources)[:1]
        if self.placed[source.name] != layout.MAIN or layout.is_submodule(source, self.bundle.sources):
            return
        for each, path in outer:
            if each.name in self.there:
                wanted = wanted_record(source, self.bundle.sources)
                self._skip(wanted, self.there[each.name] / path, f"it is in `{layout.MAIN}`")

    def _raise_missing(self) -> None:
        if len(self.missing) > 1:
            hint = "name clones that have them: `--source DIR`, or for one of them `--source NAME=DIR`"
            raise InputMissingError("; and ".join(each.message for each in self.missing), hint=hint)
        if self.missing:
            raise self.missing[0]


def _default_remote(source: Source) -> str | None:
    """Give the remote that git would take for a checkout's own: `origin`, else the only one."""
    first = next(iter(source.remotes.values()), None) if len(source.remotes) == 1 else None
    return source.remotes.get("origin", first)


def _left_out(source: Source, recorded: Collection[str]) -> Iterator[Delta]:
    """Tell what a checkout had that no bundle carries, as far as a re-run does not make it anew.

    `recorded` are the roots of all checkouts with a record: one that lay within is told of by that.
    """
    for each in source.left_out:
        if f"{layout.root_of(source)}/{each.path.rstrip('/')}" in recorded:
            continue
        if each.path != ".git" and each.reason not in _REMADE:
            what = f"`{each.path}` in `{source.name}`"
            here = "as committed" if each.path in source.submodules else "none, or as committed"
            yield Delta(what=what, recorded="there", here=here, reason=each.reason)
