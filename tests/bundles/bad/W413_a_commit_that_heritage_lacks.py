"""The policy asks for commits at Software Heritage, which does not hold one."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    bundle = audits.of_checkout(place, place, audits.COMMIT)
    answer = {f"swh:1:rev:{audits.COMMIT}": {"known": False}}
    return audits.identified(bundle, Policy(software_heritage=True), answer=answer)
