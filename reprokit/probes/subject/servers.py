"""What a server that answered for a model says of itself: what it serves, what it is, and which version.

A server is asked when the run was seen to use it, or when it is on this machine or in a private network; never without
something having named it, and never at addresses where a cloud keeps its credentials. Of what it says only a few known
fields are kept: some servers tell their own key when asked for their settings.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from reprokit import clock
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import ServedModel, SubjectText
from reprokit.bundle.record import Server as ServerRecord
from reprokit.bundle.values import Json, Unknown, as_json
from reprokit.probes.subject import asking
from reprokit.probes.subject.asking import Address, Endpoint, Server
from reprokit.probes.subject.clues import Limits
from reprokit.probes.subject.texts import text

NamedBy = Literal["argv", "claim", "environment"]

_MOST_MODELS = 100
_LONGEST = 1000
_QUESTION = re.compile(r"/(chat/completions|completions|responses|embeddings|generate|generate_stream|rerank)$")
_KEPT = (
    "attention_backend",
    "context_length",
    "docker_label",
    "dtype",
    "kv_cache_dtype",
    "max_input_tokens",
    "max_total_tokens",
    "model_dtype",
    "model_id",
    "model_path",
    "model_sha",
    "quantization",
    "random_seed",
    "revision",
    "sha",
    "tokenizer_path",
    "total_slots",
    "tp_size",
)
_REVISIONS = ("model_sha", "revision")


@dataclass(frozen=True, kw_only=True)
class Told:
    """The record of a server, and what else it told: the commit of its model, its chat template."""

    record: ServerRecord
    revision: str | None = None
    texts: tuple[SubjectText, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Itself:
    """What a server is, as far as it says."""

    software: str | None = None
    version: str | None = None
    facts: dict[str, Json] = field(default_factory=dict)
    texts: tuple[SubjectText, ...] = ()


def seen_to_use(place: Endpoint, environment: Environment) -> bool | None:
    """Tell whether the run was seen to look up or to connect to a place; `None` when no one could see."""
    if environment.learnt_from != "probe":
        return None
    seen = {each.lower() for each in (*environment.hosts, *environment.lookups)}
    names = {place.host}
    if place.host in {"localhost", "0.0.0.0", "::"}:  # noqa: S104 - compared with, not listened at
        names |= {"localhost", "127.0.0.1", "::1"}
    return any(Endpoint(scheme="", host=name, port=place.port, path="").place in seen for name in names)


def ask(place: Endpoint, named_by: NamedBy, *, used: bool | None, limits: Limits) -> Told:
    """Ask a server what it serves and what it is, if it may be asked; never raises for what it answers."""
    deadline = time.monotonic() + limits.seconds_asking
    found = asking.addresses(place, min(limits.seconds_each, limits.seconds_asking))
    refusal = _refusal(found, used=used)
    if isinstance(found, Unknown) or refusal:
        return Told(record=_unasked(place, named_by, refusal or "it was not found", used=used))
    moment = clock.text(clock.now())
    server = Server(endpoint=place, addresses=tuple(found), patience=limits.seconds_each, deadline=deadline)
    root = _root(place.path)
    listed = asking.get(server, f"{root}/v1/models")
    itself = _itself(server, root, _owners(listed.document)) if listed.heard else _Itself()
    record = ServerRecord(
        endpoint=place.address,
        learnt_from=named_by,
        used=used,
        asked=moment,
        software=itself.software,
        version=itself.version or Unknown(unknown="it does not say" if listed.heard else listed.reason or ""),
        models=Unknown(unknown=listed.reason) if listed.reason else _models(listed.document),
        facts=itself.facts,
    )
    commit = next((str(itself.facts[key]) for key in _REVISIONS if itself.facts.get(key)), None)
    return Told(record=record, revision=commit, texts=itself.texts)


def answered(record: ServerRecord) -> bool:
    """Tell whether a server said anything about itself."""
    return not isinstance(record.models, Unknown) or not isinstance(record.version, Unknown) or bool(record.facts)


def _refusal(found: list[Address] | Unknown, *, used: bool | None) -> str | None:
    """Say why a server is not asked; `None` when it is."""
    if isinstance(found, Unknown):
        return found.unknown
    if any(asking.forbidden(address) for address in found):
        return "its address is one at which nobody is asked"
    if used or all(asking.is_near(address) for address in found):
        return None
    seen = "the run was not seen to use it" if used is False else "nobody could see whether the run used it"
    return f"it is neither on this machine nor in a private network, and {seen}"


def _unasked(place: Endpoint, named_by: NamedBy, reason: str, *, used: bool | None) -> ServerRecord:
    unknown = Unknown(unknown=reason)
    return ServerRecord(
        endpoint=place.address, learnt_from=named_by, used=used, asked=unknown, version=unknown, models=unknown
    )


def _root(path: str) -> str:
    """Cut off what an API adds to the path of its server: `/v1/chat/completions` and the like."""
    return _QUESTION.sub("", path).removesuffix("/v1")


def _owners(listed: Json) -> set[str]:
    """Collect whom the models are owned by, which for servers of one's own is their software."""
    data = listed.get("data") if isinstance(listed, dict) else None
    entries = data if isinstance(data, list) else []
    return {str(entry.get("owned_by")).lower() for entry in entries[:_MOST_MODELS] if isinstance(entry, dict)}


def _models(listed: Json) -> list[ServedModel] | Unknown:
    data = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(data, list):
        return Unknown(unknown="its answer is no list of models")
    return [
        ServedModel(name=name, root=_short(entry.get("root")), longest=_count(entry.get("max_model_len")))
        for entry in data[:_MOST_MODELS]
        if isinstance(entry, dict) and (name := _short(entry.get("id")))
    ]


def _itself(server: Server, root: str, owners: set[str]) -> _Itself:
    """Ask what a server is, in the words of one software after the other until one is understood."""
    for path, read in _QUESTIONS:
        answer = asking.get(server, root + path)
        found = read(answer.document) if isinstance(answer.document, dict) else None
        if found is not None and not found.software:
            return replace(found, software="vllm" if "vllm" in owners else None)
        if found is not None:
            return found
    return _Itself()


def _vllm(answer: Mapping[str, Json]) -> _Itself | None:
    # Other servers answer so too: that it is vLLM, its models tell.
    version = _short(answer.get("version"))
    return _Itself(version=version) if version else None


def _tgi(answer: Mapping[str, Json]) -> _Itself | None:
    if "model_id" not in answer:
        return None
    return _Itself(software="tgi", version=_short(answer.get("version")), facts=dict(_kept(answer)))


def _sglang(answer: Mapping[str, Json]) -> _Itself | None:
    if "model_path" not in answer:
        return None
    return _Itself(software="sglang", version=_short(answer.get("version")), facts=dict(_kept(answer)))


def _llama_cpp(answer: Mapping[str, Json]) -> _Itself | None:
    if "build_info" not in answer and "default_generation_settings" not in answer:
        return None
    template = answer.get("chat_template")
    texts = (text("chat template", template, "server"),) if isinstance(template, str) and template else ()
    version = _short(answer.get("build_info"))
    return _Itself(software="llama.cpp", version=version, facts=dict(_kept(answer)), texts=texts)


_QUESTIONS: tuple[tuple[str, Callable[[Mapping[str, Json]], _Itself | None]], ...] = (
    ("/version", _vllm),
    ("/info", _tgi),
    ("/get_server_info", _sglang),
    ("/props", _llama_cpp),
)


def _kept(answer: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for key in _KEPT:
        value = answer.get(key)
        if isinstance(value, bool | int | float) or _short(value):
            yield key, as_json(value)


def _short(value: Json) -> str | None:
    return as_json(value) if isinstance(value, str) and 0 < len(value) <= _LONGEST else None


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else None
