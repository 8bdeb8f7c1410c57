"""Which names W&B takes, told before anything is sent: its client finds some too late, and its server others."""

from __future__ import annotations

import re

from reprokit.errors import UsageError

ARTIFACT_TYPE = "eval-bundle"
LONGEST = 128
LONGEST_TAG = 64
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_NOT_IN_PROJECT = "/\\#?%:"
_NOT_IN_ALIAS = "/:"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = 60


def _refuse(what: str, name: str, why: str) -> UsageError:
    shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
    return UsageError(f"`{shown}` is no {what} that W&B takes: {why}")


def _require_text(what: str, name: str, longest: int = LONGEST) -> None:
    if not name or name != name.strip():
        raise _refuse(what, name, "it is empty, or begins or ends with a blank")
    if len(name) > longest:
        raise _refuse(what, name, f"it has {len(name)} characters, and may have {longest}")
    if _CONTROL.search(name):
        raise _refuse(what, name, "it holds a line break or another control character")


def fitted(text: str, longest: int = LONGEST) -> str | None:
    """Make a text one that a label or a tag may be: without control characters, cut; `None` when nothing is left."""
    whole = text.encode("utf-8", errors="replace").decode("utf-8")
    return _CONTROL.sub(" ", whole).strip()[:longest].strip() or None


def _require_word(what: str, name: str) -> str:
    _require_text(what, name)
    if not _WORD.fullmatch(name) or set(name) <= {"."}:
        raise _refuse(what, name, "letters, digits, `_`, `-` and `.` may stand in it")
    return name


def require_entity(name: str) -> str:
    """Give the name of a user or team back when it can be one.

    Raises:
        UsageError: it cannot.
    """
    return _require_word("entity (user or team)", name)


def require_project(name: str) -> str:
    r"""Give the name of a project back when it can be one.

    Raises:
        UsageError: it cannot.
    """
    _require_text("project", name)
    if any(each in name for each in _NOT_IN_PROJECT) or set(name) <= {"."}:
        raise _refuse("project", name, f"none of `{_NOT_IN_PROJECT}` may stand in it")
    return name


def require_artifact(name: str) -> str:
    """Give the name of an artifact back when it can be one.

    Raises:
        UsageError: it cannot.
    """
    return _require_word("artifact name", name)


def require_alias(name: str) -> str:
    """Give an alias, or the `vN` of a version, back when it can be one.

    Raises:
        UsageError: it cannot.
    """
    _require_text("alias", name)
    if any(each in name for each in _NOT_IN_ALIAS):
        raise _refuse("alias", name, f"none of `{_NOT_IN_ALIAS}` may stand in it")
    return name


def require_tag(name: str) -> str:
    """Give a run's tag back when it can be one.

    Raises:
        UsageError: it cannot.
    """
    _require_text("tag", name, LONGEST_TAG)
    return name


def require_label(what: str, name: str) -> str:
    """Give a group, a job type or a run's name back when it can be one; `what` says which.

    Raises:
        UsageError: it cannot.
    """
    _require_text(what, name)
    return name
