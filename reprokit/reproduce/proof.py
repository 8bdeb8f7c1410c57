"""What has to hold before anything of a bundle is believed, or run."""

from __future__ import annotations

from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.bundle.validation import check_named
from reprokit.errors import FixityError, InputMissingError
from reprokit.reproduce.plan.values import Plan


def require_intact(bundle: Bundle) -> None:
    """Read every byte of a bundle before anything in it is believed.

    Raises:
        FixityError: it is not what was captured.
        InvalidRecordError: its record cannot be read.
    """
    damage = list(bag.verify(bundle.path)) or list(check_named(bundle))
    if damage:
        raise FixityError(
            f"`{bundle.info.bundle_id}` is not what was captured: {damage[0].where}: {damage[0].message}",
            hint="`reprokit validate` lists all that is wrong",
        )


def missing_secret(name: str) -> str:
    """Say of a secret that it is not here."""
    return f"the secret `{name}`: set it as an environment variable"


def require_possible(plan: Plan, *, except_secrets: bool = False) -> None:
    """Stop before anything runs when it is known that the run cannot be made again.

    Args:
        plan: what would be done.
        except_secrets: those that are missing can still be asked for.

    Raises:
        InputMissingError: it says what is missing.
    """
    asked = {missing_secret(each.name) for each in plan.secrets} if except_secrets else set()
    reasons = [*plan.obstacles, *(each for each in plan.missing if each not in asked)]
    if reasons:
        raise InputMissingError(f"`{plan.bundle}` cannot be reproduced here: {'; '.join(reasons)}")
