"""Which models answered through a server or a provider: nothing of them can be put in place for a re-run."""

from __future__ import annotations

import re

from reprokit.bundle.record import Record, SubjectPart
from reprokit.bundle.values import Unknown
from reprokit.probes.subject.asked import from_claims, from_command

_KINDS = re.compile(r"completions|openai|anthropic|claude|gemini|(^|[-_])api", re.IGNORECASE)


def is_served(record: Record, part: SubjectPart, *, main: bool) -> bool:
    """Tell whether a server answered for a model: one was recorded, or the harness's kind of model asks one."""
    if part.server is not None:
        return True
    return main and not part.extra.get("role") and _KINDS.search(kind_of_model(record, part)) is not None


def kind_of_model(record: Record, part: SubjectPart) -> str:
    """Tell what the harness calls this kind of model: `hf`, `vllm`, `local-completions`; empty when it does not."""
    kind = part.extra.get("model")
    if isinstance(kind, str):
        return kind
    argv = record.invocation.argv
    words = [] if isinstance(argv, Unknown) else [word for word in argv if isinstance(word, str)]
    return from_command(words).kind or from_claims(record.harness.claims).kind or ""
