"""What restoring the checkouts of a bundle would do, told without reaching for the network."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from reprokit.bundle.reading import Bundle
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.reproduce.checkouts import origins as said
from reprokit.reproduce.checkouts.origins import Origins, Wanted
from reprokit.reproduce.checkouts.restoring import carried, is_needed, main_of, wanted_record
from reprokit.sources import layout
from reprokit.sources.fetch_places import is_in, named_place
from reprokit.sources.restoring import whence


class PlannedCheckout(Struct, frozen=True, kw_only=True):
    """A checkout that will be restored, and where its commit comes from."""

    name: Annotated[str, Meta(description="of a submodule without a record: its checkout's, and its path")]
    place: Annotated[str, Meta(description="in the workspace", examples=["source", "sources/harness"])]
    commit: str | None
    tree: Annotated[str | None, Meta(description="null where only the commit was recorded")]
    patched: bool = False
    used_as: Annotated[list[str], Meta(examples=[["editable install `lm_eval`", "module `lm_eval`"]])] = []
    needed: Annotated[bool, Meta(description="the run is not reproduced without it")] = True
    comes_from: Annotated[
        str | Unknown, Meta(description="its commit; an address in `.gitmodules` is known once its checkout is there")
    ]


def planned_checkouts(
    bundle: Bundle, origins: Origins, *, without: Collection[str] = frozenset()
) -> list[PlannedCheckout]:
    """List the checkouts that `restore_all` would restore, the working directory's first, each before its submodules.

    Submodules of submodules that have no record are met only when those are there.

    Raises:
        UsageError: `origins` or `without` names a checkout that the bundle does not have.
        InvalidRecordError: the records contradict each other, or lead out of the workspace.
    """
    main = main_of(bundle)
    placed = layout.places(bundle.sources, main)
    said.refuse_unknown(origins, placed)
    said.refuse_unknown(Origins(named=dict.fromkeys(without, ())), placed)
    ordered = sorted(bundle.sources, key=lambda each: (placed[each.name].parts[0] != "source", placed[each.name]))
    every = (planned for source in ordered for planned in _planned(bundle, source, placed[source.name], origins))
    return [_left_out(each) if each.name in without else each for each in every]


def _left_out(planned: PlannedCheckout) -> PlannedCheckout:
    return replace(planned, needed=False, comes_from=Unknown(unknown="left out, as you asked"))


def _planned(bundle: Bundle, source: Source, place: PurePosixPath, origins: Origins) -> Iterator[PlannedCheckout]:
    wanted = wanted_record(source, bundle.sources)
    git_bundle = carried(bundle, source.git_bundle)
    comes_from = whence(source, git_bundle=git_bundle, origin=said.places_for(wanted, origins))
    yield PlannedCheckout(
        name=source.name,
        place=str(place),
        commit=source.commit,
        tree=source.tree,
        patched=source.patch is not None,
        used_as=[f"{use.kind} `{use.name}`" if use.name else use.kind for use in source.used_as],
        needed=is_needed(source),
        comes_from=comes_from,
    )
    recorded = {layout.root_of(each) for each in bundle.sources}
    for path, commit in sorted(source.submodules.items()):
        if f"{layout.root_of(source)}/{path}" in recorded or path in source.submodules_empty:
            continue
        inner = Wanted(
            names=(f"{source.name}/{path}",),
            around=tuple((name, PurePosixPath(path)) for name in wanted.names),
            commit=commit,
        )
        yield PlannedCheckout(
            name=inner.names[0],
            place=str(place / path),
            commit=commit,
            tree=None,
            used_as=["submodule"],
            comes_from=_submodule_from(inner, source.name, origins),
        )


def _submodule_from(wanted: Wanted, parent: str, origins: Origins) -> str:
    for origin in said.places_for(wanted, origins):
        place = named_place(origin)
        if place.transport != "file" or is_in(Path(place.address), wanted.commit or ""):
            return f"`{origin}`"
    return f"the address that `.gitmodules` of `{parent}` names, which is known once that is there"
