"""What only a person can give: agreement to run foreign code, and secrets."""

from __future__ import annotations

import sys

import click

from reprokit.cli.messages import say, visible
from reprokit.errors import NoConsentError
from reprokit.reproduce.plan.values import Plan
from reprokit.signatures.trust import Trusted, Untrusted


def ask_for_secrets(plan: Plan) -> dict[str, str]:
    """Ask for the secrets that a run needs and the environment does not have; they are kept for this run alone.

    Without a terminal nobody is asked, and none is given.
    """
    if not is_somebody_here():
        return {}
    wanted = [secret.name for secret in plan.secrets if secret.needed and not secret.here]
    given = {name: _ask(name) for name in wanted}
    return {name: value for name, value in given.items() if value}


def require_agreement(plan: Plan, trust: Trusted | Untrusted, *, agreed: bool) -> None:
    """Go on only when somebody agreed that the bundle's code runs.

    Args:
        plan: what would run, shown before.
        trust: whether a key that the user trusts has signed the bundle.
        agreed: the user said so on the command line.

    Raises:
        NoConsentError: nobody agreed.
    """
    if isinstance(trust, Trusted):
        say(f"reprokit: signed by {trust.by} ({trust.key}), whom you trust")
        return
    if agreed:
        return
    say(f"reprokit: nobody whom you trust vouches for it: {trust.reason}")
    if not is_somebody_here():
        raise NoConsentError(
            "this would run the bundle's code, and nobody is here to agree", hint="read the plan, then add `--yes`"
        )
    if not click.confirm(f"This runs the bundle's code{_secrets(plan)}. Go on?", err=True):
        raise NoConsentError("nothing was run")


def _secrets(plan: Plan) -> str:
    names = [f"`{visible(secret.name)}`" for secret in plan.secrets if secret.here]
    return f", with your {', '.join(names)}" if names else ""


def _ask(name: str) -> str:
    answer: str = click.prompt(f"The run needs the secret `{visible(name)}`", hide_input=True, err=True, default="")
    return answer


def is_somebody_here() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty()
