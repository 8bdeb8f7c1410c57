"""Reproducing a bundle, by tier: its bytes, its scores, some of its samples, or all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from reprokit import clock
from reprokit.archive.ledger import Event
from reprokit.archive.location import Archive
from reprokit.archive.notes import note
from reprokit.bundle.reading import Bundle
from reprokit.reproduce.deviations import all_deltas, doubts_of
from reprokit.reproduce.plan.making import Design
from reprokit.reproduce.proof import require_intact, require_possible
from reprokit.reproduce.repeating import Repeating
from reprokit.reproduce.rescoring.rescoring import rescore
from reprokit.reproduce.result import NewRun, Reproduction
from reprokit.reproduce.running import run
from reprokit.reproduce.setting_up import set_up
from reprokit.reproduce.terms import Terms
from reprokit.reproduce.verdict.ladder import Agreed
from reprokit.reproduce.verdict.margins import require_margins
from reprokit.reproduce.verdict.repeats import repeated, smoke_repeated
from reprokit.reproduce.workspace import new_workspace


def look_again(bundle: Bundle, terms: Terms) -> Reproduction:
    """Carry out a tier that runs nothing: `verify` or `rescore`.

    Raises:
        FixityError: the bundle is not what was captured.
    """
    require_intact(bundle)
    name = bundle.info.bundle_id
    if terms.tier == "verify":
        reason = f"every byte of {bundle.info.payload_files} files is what was captured"
        return Reproduction(original=name, tier="verify", verdict="identical bytes", reason=reason)
    found = rescore(bundle)
    return Reproduction(original=name, tier="rescore", verdict=found.verdict, reason=found.reason, rescored=found)


def run_again(bundle: Bundle, design: Design, archive: Archive, terms: Terms, workspace: Path) -> Reproduction:
    """Run a bundle's evaluation again in a new folder, capture it, and say how the two agree.

    Consent is the caller's duty: this runs the bundle's code.

    Raises:
        InputMissingError: something that the run needs is not to be had.
        FixityError: the restored source is not the tree that was captured.
        EvaluationFailedError: the evaluation failed.
        CaptureError: a new run could not be captured.
        UsageError: the workspace is not empty, or a margin is for no score of the bundle.
    """
    require_possible(design.plan)
    require_margins(bundle, terms.asked)
    place = new_workspace(workspace)
    stage = set_up(bundle, design, terms, place)
    again = Repeating(place) if terms.repeats > 1 else None
    made: list[Bundle] = []
    remarks: list[str] = []
    for number in range(terms.repeats):
        if number and again is not None:
            again.renew()
        new, told = run(bundle, design.record, stage, terms, archive)
        made.append(new)
        remarks += told
    result = _judged(bundle, design, made, terms)
    return replace(
        result,
        deltas=all_deltas(stage.deltas, result.difference, design.plan),
        not_guaranteed=[*doubts_of(design.plan), *stage.doubts],
        remarks=remarks,
    )


def _judged(bundle: Bundle, design: Design, made: Sequence[Bundle], terms: Terms) -> Reproduction:
    """Compare the new runs with the original."""
    first = made[0]
    result = Reproduction(
        original=bundle.info.bundle_id,
        tier=terms.tier,
        verdict="not comparable",
        reason="",
        reproduced_as=first.info.bundle_id,
        path=str(first.path),
    )
    if terms.tier == "smoke":
        chosen = design.again.subset.samples if design.again.subset else {}
        found = smoke_repeated(bundle, made, chosen, terms.asked)
    else:
        found = repeated(bundle, made, terms.asked)
    agreed, several = found.agreed, len(made) > 1
    return replace(
        result,
        verdict=agreed.agreement,
        reason=agreed.reason,
        hint=agreed.hint,
        detectable=agreed.detectable,
        runs=[_new_run(new, each.agreed) for new, each in zip(made, found.repeats, strict=True)],
        left_out=found.left_out,
        flips=found.flips if several else [],
        spreads=found.spreads if several else [],
        difference=found.difference,
    )


def _new_run(new: Bundle, agreed: Agreed) -> NewRun:
    return NewRun(bundle=new.info.bundle_id, path=str(new.path), verdict=agreed.agreement, reason=agreed.reason)


def noted(archive: Archive, bundle: Bundle, result: Reproduction) -> Reproduction:
    """Write what came of a reproduction into the archive's ledger.

    Raises:
        OSError: the archive cannot be written.
    """
    detail = {
        "tier": result.tier,
        "verdict": result.verdict,
        "reason": result.reason,
        "as": result.reproduced_as,
        "deltas": [f"{each.what}: {each.recorded} → {each.here}" for each in result.deltas],
        "doubts": list(result.not_guaranteed),
    }
    event = Event(
        event="reproduced",
        time=clock.text(clock.now()),
        bundle=bundle.info.bundle_id,
        identity=bundle.identity,
        detail={key: value for key, value in detail.items() if value},
    )
    postponed = note(archive, event, f"reproduce {bundle.info.bundle_id}")
    remarks = [f"the ledger is yet to be committed: {postponed}"] if postponed else []
    return replace(result, remarks=[*result.remarks, *remarks])
