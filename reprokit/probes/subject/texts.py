"""The texts that prompts are made with: chat templates and system prompts, by digest and with where they stood."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from reprokit.bundle.bag import open_regular
from reprokit.bundle.record import SubjectText
from reprokit.bundle.values import Json
from reprokit.probes.subject.hub_cache import blob

_MOST_BYTES = 16 << 20
_HOLD_ONE = ("tokenizer_config.json", "chat_template.json", "processor_config.json")
_MORE = "additional_chat_templates"

Kind = Literal["chat template", "system prompt"]
LearntFrom = Literal["claim", "argv", "file", "server"]


def text(kind: Kind, content: str, learnt_from: LearntFrom, *, file: str | None = None) -> SubjectText:
    """Note a text by its digest, which is over its UTF-8 bytes."""
    return _text(kind, content, learnt_from, file, None)


def templates_in(folder: Path, files: Iterable[str]) -> list[SubjectText]:
    """Find the chat templates among the files of a model's folder or snapshot. What is damaged holds none."""
    return [found for file in files for found in _templates_of(folder, file)]


def template_file(path: Path, name: str) -> list[SubjectText]:
    """Read a chat template that was named by its file."""
    content = _content(path)
    return [] if content is None else [_text("chat template", content, "argv", name, None)]


def template_contradiction(texts: Iterable[SubjectText]) -> str | None:
    """Say when the chat template that the harness claims is none of those in the model's folder or named by a file."""
    templates = [each for each in texts if each.kind == "chat template"]
    claimed = {each.digest for each in templates if each.learnt_from == "claim"}
    others = {each.digest: each.file or each.learnt_from for each in templates if each.learnt_from != "claim"}
    if not claimed or not others or claimed & others.keys():
        return None
    found = ", ".join(f"`{file}` holds `{digest}`" for digest, file in others.items())
    return f"the harness says the chat template was `{claimed.pop()}`, and {found}"


def _templates_of(folder: Path, file: str) -> Iterator[SubjectText]:
    if file in _HOLD_ONE:
        yield from _in_json(_content(folder / file), file)
    elif file == "chat_template.jinja" or (file.startswith(f"{_MORE}/") and file.endswith(".jinja")):
        content = _content(folder / file)
        name = None if "/" not in file else Path(file).stem
        if content is not None:
            yield _text("chat template", content, "file", file, name)


def _in_json(content: str | None, file: str) -> Iterator[SubjectText]:
    """Find the template in a file of settings: one text, or several with a name each."""
    try:
        settings: Json = json.loads(content or "")
    except (ValueError, RecursionError):
        return
    template = settings.get("chat_template") if isinstance(settings, dict) else None
    if isinstance(template, str):
        yield _text("chat template", template, "file", file, None)
    for each in template if isinstance(template, list) else ():
        match each:
            case {"name": str() as name, "template": str() as content}:
                yield _text("chat template", content, "file", file, name)
            case _:
                continue


def _content(path: Path) -> str | None:
    try:
        target = blob(path) if os.path.islink(path) else path  # noqa: PTH114 - a `Path` method raises for odd names
        if target is None:
            return None
        with open_regular(target) as stream:
            data = stream.read(_MOST_BYTES + 1)
    except (OSError, ValueError):
        return None
    return data.decode("utf-8", errors="replace") if len(data) <= _MOST_BYTES else None


def _text(kind: Kind, content: str, learnt_from: LearntFrom, file: str | None, name: str | None) -> SubjectText:
    data = content.encode("utf-8", errors="replace")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return SubjectText(kind=kind, name=name, digest=digest, size=len(data), learnt_from=learnt_from, file=file)
