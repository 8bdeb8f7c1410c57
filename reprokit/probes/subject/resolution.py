"""From what a run claims of its models and datasets to what was observed of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Subject
from reprokit.bundle.values import Unknown
from reprokit.probes.subject import datasets, models, servers
from reprokit.probes.subject.asked import Asked, Named, from_claims, from_command
from reprokit.probes.subject.asking import Endpoint, endpoint
from reprokit.probes.subject.clues import USUAL, Clues, Limits
from reprokit.probes.subject.files import Digester
from reprokit.probes.subject.models import AskedModel
from reprokit.probes.subject.parts import WHERE, Learnt
from reprokit.probes.subject.servers import NamedBy, Told
from reprokit.probes.subject.world import World, world

_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_KINDS_SERVED = re.compile(r"completions|openai|anthropic|claude|gemini|(^|[-_])api", re.IGNORECASE)
_NO_MODEL = frozenset({"dummy"})


def resolve(
    claimed: Subject, clues: Clues, *, limits: Limits = USUAL, digester: Digester | None = None
) -> tuple[Subject, tuple[Finding, ...]]:
    """Find out what a run that has just ended on this machine really evaluated, and on what.

    Args:
        claimed: what the harness's results say, or nothing.
        clues: what else is known of the run.
        limits: how much may be read, and how long a server may be asked.
        digester: what the runs of one command share, so that the same file is read once.

    Returns:
        Every model and dataset with its revision and how that was learnt, and what a reader should know about them. It
        never raises for what it finds: what cannot be read is an unknown with a reason.
    """
    around = world(clues, limits, digester)
    asked = (from_command(clues.argv), from_claims(clues.claims))
    found_models = list(_models(around, claimed, asked))
    found_datasets = list(_datasets(around, claimed, asked[0]))
    findings = [each for part in (*found_models, *found_datasets) for each in part.findings]
    return (
        Subject(models=[each.part for each in found_models], datasets=[each.part for each in found_datasets]),
        tuple(findings),
    )


def _models(around: World, claimed: Subject, asked: Sequence[Asked]) -> Iterator[Learnt]:
    kinds = {each.kind for each in asked if each.kind}
    told = _told(around, asked, kinds)
    by_server = told is not None or any(_KINDS_SERVED.search(kind) for kind in kinds)
    wanted = _with_texts(around, models.models_asked(claimed.models, asked, around.clues.model), asked)
    loaded_here: list[str] = []
    main = True
    for model in wanted:
        if (model.part.name in kinds and not model.named) or kinds & _NO_MODEL:
            yield Learnt(part=model.part)
        elif main and by_server:
            learnt = models.served(around, model, told)
            yield Learnt(part=learnt.part, findings=(*learnt.findings, *_unasked(told)))
        else:
            loaded_here.append(model.part.name)
            yield models.local_or_cached(around, model)
        main = False
    yield from models.opened_here(around, loaded_here)


def _with_texts(around: World, wanted: list[AskedModel], asked: Sequence[Asked]) -> list[AskedModel]:
    """Give the texts that were asked for and claimed to the model whose prompts they make: the tokenizer's, if any."""
    if not wanted:
        return wanted
    at = next((at for at, each in enumerate(wanted) if each.part.extra.get("role") == "tokenizer"), 0)
    texts = models.prompt_texts(around, asked, around.clues.claims.get("chat_template"))
    part = msgspec.structs.replace(wanted[at].part, texts=list(dict.fromkeys(texts)))
    return [*wanted[:at], AskedModel(part=part, named=wanted[at].named), *wanted[at + 1 :]]


def _datasets(around: World, claimed: Subject, command: Asked) -> Iterator[Learnt]:
    parts = datasets.datasets_asked(claimed.datasets, around.clues.results)
    names = {part.name for part in parts}
    yield from (datasets.dataset(around, part, _named(command, part.name)) for part in parts)
    for part, named in datasets.from_command(around, command, names):
        names.add(part.name)
        yield datasets.dataset(around, part, named)
    yield from datasets.opened_here(around, names)


def _named(command: Asked, name: str) -> Named | None:
    return next((each for each in command.datasets if each.name == name), None)


def _told(around: World, asked: Sequence[Asked], kinds: set[str]) -> Told | None:
    """Ask the server that answered for the model, if something names one."""
    found = _endpoint(around, asked, kinds)
    if found is None:
        return None
    place, named_by = found
    used = servers.seen_to_use(place, around.clues.environment)
    return servers.ask(place, named_by, used=used, limits=around.limits)


def _endpoint(around: World, asked: Sequence[Asked], kinds: set[str]) -> tuple[Endpoint, NamedBy] | None:
    """Find the endpoint that was named.

    An environment variable may be there for other programs: it counts when the run was seen to use it, or when nobody
    could see and the harness was told to evaluate a served model.
    """
    for source in asked:
        place = endpoint(source.endpoint) if source.endpoint else None
        if place is not None:
            return place, source.source
    address = next((around.clues.environ[name] for name in _VARIABLES if around.clues.environ.get(name)), None)
    place = endpoint(address) if address else None
    if place is None:
        return None
    used = servers.seen_to_use(place, around.clues.environment)
    if used or (used is None and any(_KINDS_SERVED.search(kind) for kind in kinds)):
        return place, "environment"
    return None


def _unasked(told: Told | None) -> Iterator[Finding]:
    if told is None or servers.answered(told.record):
        return
    record = told.record
    reasons = [each.unknown for each in (record.asked, record.models) if isinstance(each, Unknown)]
    yield finding("W334", WHERE, f"`{record.endpoint}`: {reasons[0]}" if reasons else f"`{record.endpoint}`")
