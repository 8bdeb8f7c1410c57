"""What an audit asks of a bundle and of the world: bundles in an archive, and a world that a case lays out."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bundles import archives, sealing
from bundles.case import Case
from msgspec.structs import replace

from reprokit.archive.layout import Archive
from reprokit.audit import history
from reprokit.audit.asking import hub
from reprokit.audit.asking.answers import Answers
from reprokit.audit.asking.asking import Asking
from reprokit.audit.asking.index import OnTheWeb, Places
from reprokit.audit.asking.remotes import GitRemotes
from reprokit.audit.asking.web import Page, Question
from reprokit.audit.copies_elsewhere.opening import opened_copies
from reprokit.audit.families import copies, fixity, freshness, identifiers, obsolescence, recoverability, signatures
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.reading import guarded
from reprokit.audit.statements import Statement, outcome
from reprokit.audit.values import Audited
from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Record, Server, SourceSummary, Subject, SubjectFile, SubjectPart
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.clock import text

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
TIMEOUT = 20.0
"""Seconds."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def of(statements: Iterable[Statement]) -> list[Finding]:
    """Keep what a check has found, and not what it could not find out or found to be well."""
    return [each for each in statements if isinstance(each, Finding)]


def held(place: Path, files: sealing.Files | None = None, record: Record = sealing.RECORD) -> Held:
    """Make an archive with one bundle in it, which is registered."""
    archive = archives.created(place)
    bundle_id = archives.publish(archive, files={**sealing.files(), **(files or {})}, record=record)
    archives.register(archive)
    return Held(archive, bundle_id)


# --- the bundle by itself ---------------------------------------------------------------------------------------------


def read(bundle: Held) -> Case:
    """Ask what reading every byte finds; should that trip over the bundle, it is told."""
    return Case(look=lambda: of(guarded(bundle, "fixity", fixity.check(bundle, deep=False))))


def nested(folder: Path, depth: int) -> None:
    """Make folders within folders, however long the path to the innermost becomes, and a file in that."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("n" * 200, dir_fd=descriptor)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def aged(bundle: Held, policy: Policy, now: dt.datetime) -> Case:
    """Ask how long ago it was read and reproduced, by the ledger."""
    told = history.read(bundle.archive)
    return Case(look=lambda: of(freshness.check(bundle, policy, told, now, read_now=False)))


def read_whole(bundle: Held, at: dt.datetime) -> None:
    """Note in the ledger that an audit has read a bundle whole, and found it well."""
    assert bundle.bundle is not None
    result = Audited(
        bundle=bundle.id,
        identity=bundle.bundle.identity,
        state="good",
        read="whole",
        at=text(at),
        outcomes=[outcome("fixity", [])],
    )
    history.note(bundle.archive, [result], text(at))


# --- copies -----------------------------------------------------------------------------------------------------------


def copied(archive: Archive, bundle_id: str, policy: Policy, **variables: str) -> Case:
    """Ask where whole copies of a bundle are, and whether that is what the policy asks for."""

    def look() -> list[Finding]:
        with opened_copies(archive, policy, variables, timeout=TIMEOUT, directory=archive.root) as found:
            return of(copies.check(Held(archive, bundle_id), found, policy, here_whole=True))

    return Case(look=look)


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Let packages in a folder be found as long as the block lasts."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


# --- the world --------------------------------------------------------------------------------------------------------


def _asking(archive: Archive, answer: object, status: int) -> Asking:
    """Make a world in which every service gives the same answer."""

    def ask(question: Question) -> Page:
        kind = "application/vnd.pypi.simple.v1+json"
        return Page(status=status, kind=kind, data=json.dumps(answer).encode(), address=question.address)

    lasting = dt.timedelta(days=7)
    return Asking(
        remotes=GitRemotes(timeout=TIMEOUT),
        hub=hub.hugging_face({"HF_ENDPOINT": "https://hub.invalid"}, ask),
        heritage=hub.software_heritage({}, ask),
        find_places=lambda: Places(found=(OnTheWeb(address="https://index.invalid/simple", ask=ask),)),
        answers=Answers(archive=archive, now=NOW, fresh_for=lasting),
        offline=False,
        timeout=TIMEOUT,
        fresh_for=lasting,
    )


def identified(bundle: Held, policy: Policy | None = None, *, answer: object = None, status: int = 200) -> Case:
    """Ask whether what the record names by a commit can be had, where the hub and others give an answer."""
    world = _asking(bundle.archive, answer, status)
    return Case(look=lambda: of(identifiers.check(bundle, world, policy or Policy())))


def of_checkout(place: Path, remote: Path, commit: str) -> Held:
    """Make a bundle whose code came from a checkout at a commit, with one remote, on this very machine."""
    source = Source(
        name="evals",
        root="/home/ada/evals",
        commit=commit,
        remotes={"origin": str(remote)},
        on_remote=True,
        tree=COMMIT,
        swhid=f"swh:1:dir:{COMMIT}",
        dirty=False,
    )
    summary = SourceSummary(name="evals", record="source/evals.json", commit=commit, tree=COMMIT, dirty=False)
    record = replace(sealing.RECORD, sources=[summary], run=replace(sealing.RECORD.run, host=platform.node()))
    return held(place, {"source/evals.json": ("source", canonical.record(source))}, record)


def rebuilt(place: Path, *served: str, yanked: str | None = None, python: str = "3.12.1") -> Case:
    """Ask whether an environment with `alpha==1.0` can be put together again from the files that an index serves."""
    environment = Environment(
        learnt_from="probe",
        interpreter=Interpreter(
            executable="/venv/bin/python",
            prefix="/venv",
            base_prefix="/usr",
            version=python,
            implementation="cpython",
        ),
        packages=[Package(name="alpha", version="1.0")],
        platform={"system": "Linux", "machine": "x86_64", "libc": "glibc 2.36"},
    )
    files: sealing.Files = {
        "environment/environment.json": ("environment", canonical.record(environment)),
        "environment/requirements.lock": ("environment", b"alpha==1.0\n"),
    }
    listed = [{"filename": name, "hashes": {}, "yanked": yanked or False} for name in served]
    bundle = held(place, files)
    world = _asking(bundle.archive, {"meta": {"api-version": "1.0"}, "files": listed}, 200)
    return Case(look=lambda: of(recoverability.check(bundle, world, NOW)))


def outlived(bundle: Held, now: dt.datetime = NOW) -> Case:
    """Ask whether there is still what can handle what the run needed and left."""
    return Case(look=lambda: of(obsolescence.check(bundle, Policy(), now)))


def signed(bundle: Held, policy: Policy | None = None, **variables: str) -> Case:
    """Ask what the signatures of a bundle are worth to somebody who trusts whom the variables name."""
    environ = {**os.environ, **variables}
    return Case(look=lambda: of(signatures.check(bundle, environ, policy or Policy())))


# --- what a run evaluated ---------------------------------------------------------------------------------------------


def of_model(place: Path, name: str, *, host: str | None = None) -> Held:
    """Make a bundle of a run that evaluated a model at a commit, or one that a host answered for."""
    nothing = Unknown(unknown="it was not asked")
    server = None
    if host is not None:
        server = Server(
            endpoint=f"https://{host}/v1", learnt_from="argv", asked=nothing, version=nothing, models=nothing
        )
    part = SubjectPart(name=name, revision=COMMIT if host is None else nothing, learnt_from="claim", server=server)
    return held(place, record=replace(sealing.RECORD, subject=Subject(models=[part])))


def of_dataset(place: Path, script: str, library: str) -> Held:
    """Make a bundle of a run that read a dataset `toy-org/qa`, in which a file of code lies, by a version of `datasets`."""
    code = SubjectFile(path=script, role="code", size=1)
    part = SubjectPart(name="toy-org/qa", revision=COMMIT, learnt_from="cache read", files=[code])
    environment = Environment(learnt_from="probe", packages=[Package(name="datasets", version=library)])
    files: sealing.Files = {"environment/environment.json": ("environment", canonical.record(environment))}
    return held(place, files, replace(sealing.RECORD, subject=Subject(datasets=[part])))
