"""Carrying out `reprokit reproduce`: one bundle or many, each planned, agreed to, run and told."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec

from reprokit.archive.locks import CompletedLock
from reprokit.bundle.bag import PAYLOAD
from reprokit.bundle.environment import Environment
from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label
from reprokit.capture.request import home
from reprokit.cli.agreeing import ask_for_secrets, is_somebody_here, require_agreement
from reprokit.cli.bundles import Found, end_in_order, find_bundle
from reprokit.cli.margins import read_margins
from reprokit.cli.messages import explain_failure, say, visible
from reprokit.cli.options import find_archive, find_archive_to_ask, print_json, table
from reprokit.cli.reproduction_shown import show
from reprokit.diff.difference import Asked
from reprokit.errors import ExitCode, NotFoundError, ReprokitError, StoppedError, UsageError
from reprokit.reproduce import batch
from reprokit.reproduce.batch import Attempt, Attempts
from reprokit.reproduce.checkouts.origins import parse as parse_origins
from reprokit.reproduce.environment.digests import known_digests
from reprokit.reproduce.environment.rebuilding import Allowed
from reprokit.reproduce.inputs.mapping import parse_mapping
from reprokit.reproduce.plan.making import Design, design, runs_code
from reprokit.reproduce.plan.shown import lines
from reprokit.reproduce.proof import require_intact, require_possible
from reprokit.reproduce.result import Reproduction, exit_code
from reprokit.reproduce.run import look_again, noted, run_again
from reprokit.reproduce.terms import Terms
from reprokit.reproduce.verdict.margins import require_margins
from reprokit.reproduce.workspace import require_place
from reprokit.rerun import command as reruns
from reprokit.rerun import script
from reprokit.rerun.wanted import wanted
from reprokit.signatures.places import candidates
from reprokit.signatures.trust import Trusted, Untrusted, trusted

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Call:
    """How the command was called. `named` is the archive that it names, `agreed` what `--yes` says."""

    terms: Terms
    named: Path | None
    workspace: Path | None
    agreed: bool
    signature: Path | None
    only_plan: bool
    as_json: bool


def call_of(options: Mapping[str, Any]) -> Call:
    """Understand the command's options.

    Raises:
        UsageError: one makes no sense.
    """
    return Call(
        terms=_terms_of(options),
        named=options["archive"],
        workspace=options["workspace"],
        agreed=options["yes"],
        signature=options["signature"],
        only_plan=options["only_plan"],
        as_json=options["as_json"],
    )


def _terms_of(options: Mapping[str, Any]) -> Terms:
    margin, margins = read_margins(options["margins"])
    return Terms(
        environ=dict(os.environ),
        home=home(),
        tier=options["tier"],
        mode=options["mode"],
        origins=parse_origins(options["sources"]),
        without=frozenset(options["without"]),
        mapped=tuple(map(parse_mapping, options["mapped"])),
        shared=frozenset(options["shared"]),
        allowed=Allowed(sdist=options["allow_sdist"], nearest=options["nearest"]),
        samples=options["samples"] or 50,
        seed=options["seed"] or 0,
        repeats=options["repeats"],
        asked=Asked(margin=margin, margins=margins),
        label=Label(tags=options["labels"]),
    )


def print_script(reference: str, call: Call) -> int:
    """Print a script that runs a bundle again without reprokit."""
    found = _find(reference, call)
    bundle = found.bundle
    if found.fetched is not None:
        raise UsageError(
            f"a script reads the bundle from where it lies, and `{found.fetched}` was fetched for this command alone",
            hint=f"keep it first: `{found.kept_by}`" if found.kept_by else "keep it in a folder first",
        )
    wanted(bundle, None, lambda _: None)  # a lock that is more than pinned names is refused before uv reads it
    environment = bundle.environment or Environment(learnt_from="nothing", packages=Unknown(unknown="no record"))
    payload = str((bundle.path / PAYLOAD).resolve())
    click.echo(script.text(bundle.record, environment, bundle.sources, payload=payload), nl=False)
    return ExitCode.INPUT_MISSING if reruns.plan(bundle.record, bundle.sources).obstacles else ExitCode.FINE


def print_plan(reference: str, call: Call) -> int:
    """Print what would be done, and what is in the way."""
    found = _find(reference, call)
    plan = _design(found.bundle, _terms(found.bundle, call), call).plan
    if call.as_json:
        print_json(plan)
    else:
        for line in lines(plan):
            click.echo(visible(line))
    return ExitCode.INPUT_MISSING if plan.missing or plan.obstacles else ExitCode.FINE


def reproduce_one(reference: str, call: Call) -> int:
    """Reproduce one bundle, and print what came out."""
    result = reproduce(reference, call)
    if call.as_json:
        print_json(result)
    else:
        show(result)
    return exit_code(result)


def reproduce_all(call: Call, *, tags: Sequence[str], again: bool) -> int:
    """Reproduce every bundle of an archive, or those with some tags; one that fails does not stop the others."""
    archive = find_archive(call.named)
    chosen = batch.candidates(archive, tags)
    if call.only_plan:
        return max((print_plan(each, call) for each in chosen), default=ExitCode.FINE)
    going = batch.open_batch(archive, [*sorted(tags), "", *_manner(call.terms)], afresh=again)
    if going.earlier:
        say(f"reprokit: {going.earlier} of {len(chosen)} were done before; `--again` begins anew")
    for bundle_id in chosen:
        if bundle_id not in going.attempts:
            say(f"reprokit: reproducing {bundle_id}")
            going.add(_attempt(bundle_id, call))
    attempts = [going.attempts[each] for each in chosen]
    going.finish()
    if call.as_json:
        print_json(Attempts(attempts=attempts))
    else:
        _show_attempts(attempts)
    return batch.exit_code(attempts)


def _manner(terms: Terms) -> list[str]:
    """Tell one way to reproduce from another; a batch that was begun in another way is another one."""
    named = {name: sorted(map(str, places)) for name, places in terms.origins.named.items()}
    parts = (
        terms.tier, terms.mode, terms.samples, terms.seed, terms.repeats, terms.asked, terms.allowed, terms.mapped,
        sorted(terms.shared), sorted(terms.without), terms.label, sorted(named.items()), terms.origins.others,
    )  # fmt: skip
    return list(map(repr, parts))


def _attempt(bundle_id: str, call: Call) -> Attempt:
    try:
        result = reproduce(bundle_id, call)
    except StoppedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one bundle, the others are reproduced
        reason = error.message if isinstance(error, ReprokitError) else f"a bug in reprokit: {type(error).__name__}"
        return Attempt(bundle=bundle_id, exit_code=explain_failure(error), reason=reason)
    return batch.attempt_of(bundle_id, result)


def _show_attempts(attempts: list[Attempt]) -> None:
    if not attempts:
        say("reprokit: there is no such bundle")
        return
    rows: list[tuple[str, ...]] = [("bundle", "verdict", "deltas", "doubts", "reproduced as", "reason")]
    rows += [
        (
            each.bundle,
            each.verdict or f"failed ({each.exit_code})",
            str(each.deltas),
            str(each.doubts),
            each.reproduced_as or "-",
            visible(each.reason),
        )
        for each in attempts
    ]
    for line in table(rows):
        click.echo(line)


def reproduce(reference: str, call: Call) -> Reproduction:
    """Reproduce one bundle, and note in the ledger what came out."""
    return _reproduce(_find(reference, call), call)


def _find(reference: str, call: Call) -> Found:
    found = find_bundle(reference, call.named)
    require_intact(found.bundle)
    return found


def _terms(bundle: Bundle, call: Call) -> Terms:
    return replace(call.terms, completed=_known_digests(bundle, call.named))


def _known_digests(bundle: Bundle, named: Path | None) -> CompletedLock | None:
    archive = find_archive_to_ask(named)
    return None if archive is None else known_digests(bundle, archive)


def _reproduce(found: Found, call: Call) -> Reproduction:
    bundle = found.bundle
    end_in_order()
    terms = _terms(bundle, call)
    drawn = _design(bundle, terms, call)
    if not runs_code(drawn.plan):
        result = look_again(bundle, terms)
        return result if found.fetched else _noted_if_possible(bundle, result, call)
    for line in lines(drawn.plan):
        say(visible(line))
    require_possible(drawn.plan, except_secrets=is_somebody_here())
    require_margins(bundle, terms.asked)
    require_agreement(drawn.plan, _trust(found, call), agreed=call.agreed)
    if secrets := ask_for_secrets(drawn.plan):
        terms = replace(terms, secrets=secrets)
        drawn = _design(bundle, terms, call)
    archive = find_archive(call.named, create=True)
    if call.workspace is not None:
        # The default archive may have been made only now.
        require_place(call.workspace)
    workspace = call.workspace or Path(tempfile.mkdtemp(prefix="reprokit-"))
    try:
        result = run_again(bundle, drawn, archive, terms, workspace)
    except BaseException as error:
        _leave(workspace, kept=call.workspace is not None)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            hint = "make room, or name a folder on another disk: `--workspace DIR`"
            raise UsageError(f"there is no room on the disk of the workspace `{workspace}`", hint=hint) from error
        raise
    result = noted(archive, bundle, result)
    if call.workspace is None:
        shutil.rmtree(workspace, ignore_errors=True)
    return result


def _design(bundle: Bundle, terms: Terms, call: Call) -> Design:
    """Work out what would be done, in the workspace that the user names."""
    drawn = design(bundle, terms)
    if call.workspace is None or not runs_code(drawn.plan):
        return drawn
    require_place(call.workspace, bundle.path)
    return replace(drawn, plan=msgspec.structs.replace(drawn.plan, workspace=str(call.workspace.absolute())))


def _trust(found: Found, call: Call) -> Trusted | Untrusted:
    signatures = candidates(
        found.bundle, archive=find_archive_to_ask(call.named), packed=found.packed, named=call.signature
    )
    return trusted(found.bundle, signatures, environment=call.terms.environ)


def _leave(workspace: Path, *, kept: bool) -> None:
    """Tell of a workspace in which something was done; one of ours that came to nothing is removed."""
    if kept:
        if workspace.is_dir() and any(workspace.iterdir()):
            say(f"reprokit: the workspace is left for you to look at: {workspace}")
    elif any((workspace / name).exists() for name in ("tmp", "outputs-1")):
        say(f"reprokit: the workspace is left for you to look at: {workspace}")
    else:
        shutil.rmtree(workspace, ignore_errors=True)


def _noted_if_possible(bundle: Bundle, result: Reproduction, call: Call) -> Reproduction:
    try:
        return noted(find_archive(call.named), bundle, result)
    except (NotFoundError, OSError):
        return result
