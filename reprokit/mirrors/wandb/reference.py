"""References to what W&B keeps: `wandb:entity/project/name:alias`, where an alias may be a version, `vN`.

Shorter ones are filled up: `wandb:project/name:alias` from the settings' entity, `wandb:name:alias` from their project
too. Without an alias the `latest` one is meant, as W&B's own programs have it.
"""

from __future__ import annotations

from dataclasses import dataclass

from reprokit.errors import UsageError
from reprokit.mirrors.wandb import names

SCHEME = "wandb:"
_FORM = "`wandb:entity/project/name:alias`, as in `wandb:lab/evals/lm_eval-tiny-gpt2:v3`"
_LATEST = "latest"
_LONGEST = 1024
_PARTS = 3


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One version of an artifact. `entity` is `None` where the key's own one is meant."""

    entity: str | None
    project: str
    name: str
    alias: str

    @property
    def collection(self) -> str:
        """The artifact without its version, as W&B's client takes it."""
        return "/".join(each for each in (self.entity, self.project, self.name) if each)

    @property
    def qualified(self) -> str:
        """The version, as W&B's client takes it."""
        return f"{self.collection}:{self.alias}"

    def __str__(self) -> str:
        return SCHEME + self.qualified


def parse(text: str, *, entity: str | None, project: str) -> Reference:
    """Read a reference, with what it leaves out filled up.

    Raises:
        UsageError: it is none, or a name in it is none that W&B takes.
    """
    shown = text if len(text) <= _LONGEST else f"{text[:60]}…"
    if not text.startswith(SCHEME) or len(text) > _LONGEST:
        raise UsageError(f"`{shown}` is no reference to W&B", hint=f"it has the form {_FORM}")
    path, colon, alias = text.removeprefix(SCHEME).partition(":")
    parts = path.split("/")
    if len(parts) > _PARTS or not all(parts) or (colon and not alias):
        raise UsageError(f"`{shown}` is no reference to W&B", hint=f"it has the form {_FORM}")
    return Reference(
        entity=names.require_entity(parts[-3]) if len(parts) > 2 else entity,  # noqa: PLR2004 - of three parts
        project=names.require_project(parts[-2]) if len(parts) > 1 else project,
        name=names.require_artifact(parts[-1]),
        alias=names.require_alias(alias) if colon else _LATEST,
    )
