"""Models, adapters and tokenizers: where each lies, at which revision, with which chat template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from reprokit.bundle.record import SubjectPart, SubjectText
from reprokit.bundle.values import Unknown, full_commit
from reprokit.probes.subject.asked import Asked, Named
from reprokit.probes.subject.files import all_files, listing, model_files, role_of
from reprokit.probes.subject.hub_cache import Opened, of_snapshot, repositories, snapshot
from reprokit.probes.subject.parts import Facts, Learnt, learnt, of_local, references, statements, unknown_because
from reprokit.probes.subject.revision import Statement, weigh
from reprokit.probes.subject.servers import Told
from reprokit.probes.subject.texts import template_file, templates_in, text
from reprokit.probes.subject.world import World, cache_place, local_place, opened_of, read_statements

OPENED_HERE = "opened here"
"""The role of what the run opened files of though nobody named it, or though a server answered for it."""

NOT_SAID = Unknown(unknown="nobody says")

_UNPINNED: Literal["W330"] = "W330"


@dataclass(frozen=True, kw_only=True)
class AskedModel:
    """A part and what the command and the claims say was asked of it."""

    part: SubjectPart
    named: tuple[tuple[str, Named], ...] = ()

    @property
    def revision(self) -> str | None:
        """The revision that was asked for, first of all by the command."""
        return next((named.revision for _, named in self.named if named.revision), None)


def models_asked(claimed: Iterable[SubjectPart], asked: Sequence[Asked], short_name: str) -> list[AskedModel]:
    """Bring together the models that the results claim and those that the command or the claims ask for.

    A source that names another model than the results do is not heard: one command may run several evaluations.
    """
    parts = [_under_full_name(part, asked, short_name) for part in claimed]
    names = {part.name for part in parts}
    heard = [each for each in asked if not names or each.model is None or each.model.name in names]
    for named in (named for source in heard for named in source.models):
        if named.name not in names:
            names.add(named.name)
            extra = {"role": named.role} if named.role else {}
            parts.append(SubjectPart(name=named.name, revision=NOT_SAID, learnt_from="nothing", extra=extra))
    return [
        AskedModel(
            part=part,
            named=tuple((each.source, named) for each in heard for named in each.models if named.name == part.name),
        )
        for part in parts
    ]


def local_or_cached(around: World, model: AskedModel) -> Learnt:
    """Learn what there is to know of a model that the run itself loaded."""
    place = local_place(around, model.part.name)
    named = of_snapshot(place) if place is not None else None
    facts = _cached(around, model, named) if place is None or named is not None else _local(around, model.part, place)
    return learnt(around, model.part, facts, _UNPINNED)


def served(around: World, model: AskedModel, told: Told | None) -> Learnt:
    """Learn what there is to know of a model that a server answered for: only what the server and the claims say.

    What lies in the caches of this machine need not be what the server loaded.
    """
    part = msgspec.structs.replace(model.part, server=told.record if told else None)
    said = [*_server_statements(told), *_claimed(part)]
    weighed = weigh(said, "a server answered for it, and says no revision")
    return learnt(around, part, Facts(weighed=weighed, texts=told.texts if told else ()), _UNPINNED)


def opened_here(around: World, known: Iterable[str]) -> list[Learnt]:
    """Learn of the models that the run opened files of, though none of the `known` names stands for them."""
    named = {each.name for name in known for each in opened_of(around, "models", name)}
    others = dict.fromkeys(each.name for each in around.opened if each.kind == "models" and each.name not in named)
    role = {"role": OPENED_HERE}
    parts = [SubjectPart(name=name, revision=NOT_SAID, learnt_from="nothing", extra=role) for name in others]
    return [local_or_cached(around, AskedModel(part=part)) for part in parts]


def prompt_texts(around: World, asked: Iterable[Asked], template_claimed: object) -> list[SubjectText]:
    """Note the system prompt and the chat template that were asked for, and the template the harness says it used."""
    found: list[SubjectText] = []
    if isinstance(template_claimed, str) and template_claimed:
        found.append(text("chat template", template_claimed, "claim"))
    for source in asked:
        if source.system_prompt:
            found.append(text("system prompt", source.system_prompt, source.source))
        place = local_place(around, source.template_file) if source.template_file else None
        if source.template_file and place is not None:
            found.extend(template_file(place, source.template_file))
    return found


def _under_full_name(part: SubjectPart, asked: Iterable[Asked], short_name: str) -> SubjectPart:
    """Give a model the name it was asked by, where all that is known is the harness's short name for it."""
    if part.extra or part.name != short_name:
        return part
    names = [each.model.name for each in asked if each.model is not None]
    full = next((name for name in names if name.rstrip("/").rpartition("/")[2] == short_name), part.name)
    return msgspec.structs.replace(part, name=full)


def _local(around: World, part: SubjectPart, place: Path) -> Facts:
    if not place.is_dir():
        return of_local(part, listing({part.name: place}, role_of, around.digester, named=True))
    found = model_files(place, around.digester, around.limits)
    return of_local(part, found, templates_in(place, [file.path for file in found.files]))


def _cached(around: World, model: AskedModel, named: Opened | None) -> Facts:
    """Look for a model in the caches, by its name or by the folder of a snapshot that was `named` for it."""
    name = named.name if named else model.part.name
    asked = model.revision
    weighed = weigh(
        [
            *read_statements(opened_of(around, "models", name)),
            *_named_snapshot(model, named),
            *(each for source, wanted in model.named for each in statements(source, wanted.revision)),
            *(() if named else references(around, "models", name, asked)),
            *_claimed(model.part),
        ],
        unknown_because(around, "models", name, asked),
    )
    facts = Facts(weighed=weighed, pinned=named is not None or full_commit(asked) is not None)
    folders = [*repositories(around.caches, "models", name), *([named.repository] if named else [])]
    folder = snapshot(folders, weighed.revision) if isinstance(weighed.revision, str) else None
    if folder is None:
        return facts
    files = all_files(folder, role_of, around.digester, around.limits)
    texts = templates_in(folder, [file.path for file in files.files])
    return replace(facts, place=cache_place(around, folder), listing=files, texts=tuple(texts))


def _named_snapshot(model: AskedModel, named: Opened | None) -> list[Statement]:
    """State the commit of a snapshot whose very folder was given for the model."""
    if named is None:
        return []
    sources = [source for source, _ in model.named] or ["claim"]
    return [Statement(source=source, says=named.commit) for source in sources]


def _claimed(part: SubjectPart) -> list[Statement]:
    return [Statement(source="claim", says=part.revision)] if isinstance(part.revision, str) else []


def _server_statements(told: Told | None) -> list[Statement]:
    return list(statements("server", told.revision if told else None))
