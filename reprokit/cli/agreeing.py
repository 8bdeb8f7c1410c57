"""What only a person can give: agreement to run foreign code, and secrets."""

from __future__ import annotations

import sys

import click

from reprokit.cli.messages import say, visible
from reprokit.errors import NoConsentError
from reprokit.reproduce.plan.values import Plan


def ask_for_secrets(plan: Plan) -> dict[str, str]:
    """Ask for the secrets that a run needs and the environment does not have; they are kept for this run alone.

    Without a terminal nobody is asked, and none is given.
    """
    if not _is_somebody_here():
        return {}
    wanted = [secret.name for secret in plan.secrets if secret.needed and not secret.here]
    given = {name: _ask(name) for name in wanted}
    return {name: value for name, value in given.items() if value}


def require_agreement(plan: Plan, *, agreed: bool, trusted: str | None, doubt: str | None) -> None:
    """Go on only when somebody agreed that the bundle's code runs.

    Args:
        plan: what would run, shown before.
        agreed: the user said so on the command line.
        trusted: who signed the bundle, of those whom the user trusts.
        doubt: why no signature counts, if one was found.

    Raises:
        NoConsentError: nobody agreed.
    """
    if trusted is not None:
        say(f"reprokit: signed by {visible(trusted)}, whom you trust")
        return
    if agreed:
        return
    if doubt is not None:
        say(f"reprokit: {visible(doubt)}")
    if not _is_somebody_here():
        raise NoConsentError(
            "this would run the bundle's code, and nobody is here to agree", hint="read the plan, then add `--yes`"
        )
    question = f"This runs the bundle's code{_secrets(plan)}. Go on?"
    if not click.confirm(question, err=True):
        raise NoConsentError("nothing was run")


def _secrets(plan: Plan) -> str:
    names = [f"`{visible(secret.name)}`" for secret in plan.secrets if secret.here]
    return f", with your {', '.join(names)}" if names else ""


def _ask(name: str) -> str:
    answer: str = click.prompt(f"The run needs the secret `{visible(name)}`", hide_input=True, err=True, default="")
    return answer


def _is_somebody_here() -> bool:
    return sys.stdin.isatty()
