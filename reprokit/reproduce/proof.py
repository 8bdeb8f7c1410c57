"""What has to hold before anything of a bundle is believed, or run."""

from __future__ import annotations

from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.errors import FixityError, InputMissingError
from reprokit.reproduce.plan.values import Plan


def require_intact(bundle: Bundle) -> None:
    """Read every byte of a bundle before anything in it is believed.

    Raises:
        FixityError: it is not what was captured.
    """
    damage = list(bag.verify(bundle.path))
    if damage:
        raise FixityError(
            f"`{bundle.info.bundle_id}` is not what was captured: {damage[0].where}: {damage[0].message}",
            hint="`reprokit validate` lists all that is wrong",
        )


def require_possible(plan: Plan) -> None:
    """Stop before anything runs when it is known that the run cannot be made again.

    Raises:
        InputMissingError: it says what is missing.
    """
    reasons = [*plan.obstacles, *plan.missing]
    if reasons:
        raise InputMissingError(f"`{plan.bundle}` cannot be reproduced here: {'; '.join(reasons)}")
