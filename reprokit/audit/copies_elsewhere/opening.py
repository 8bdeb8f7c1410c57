"""All that an audit asks for copies: opened once, and closed when the audit is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.audit.copies_elsewhere import mirrors, remotes
from reprokit.audit.copies_elsewhere import told as ledgers
from reprokit.audit.copies_elsewhere.mirrors import AskedMirrors
from reprokit.audit.copies_elsewhere.remotes import AskedRemote
from reprokit.audit.copies_elsewhere.told import Told
from reprokit.audit.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The remotes and mirrors of an archive, and what its ledger says of them."""

    told: Told
    remotes: list[AskedRemote]
    mirrors: AskedMirrors


@contextmanager
def opened_copies(
    archive: Archive,
    policy: Policy,
    environ: Mapping[str, str],
    *,
    offline: bool = False,
    deep: bool = False,
    timeout: float,
    directory: Path | None = None,
) -> Iterator[Copies]:
    """Keep the remotes and mirrors of an archive at hand for an audit; each is reached when it is first needed.

    Nothing that is wrong with one is raised: it makes what it holds unknown.

    Args:
        archive: whose they are.
        policy: what is asked for.
        environ: the user's environment variables.
        offline: nobody is asked; remotes that are folders here are looked at all the same.
        deep: every byte of each copy is read.
        timeout: seconds of silence after which a remote is given up, and that each question to a mirror may take.
        directory: the working directory, which settings of mirrors may be near; by default the present one.
    """
    said = ledgers.told(archive)
    with ExitStack() as stack:
        yield Copies(
            told=said,
            remotes=remotes.remotes(archive, policy, offline=offline, deep=deep, patience=timeout, stack=stack),
            mirrors=mirrors.AskedMirrors(
                archive=archive,
                environment=environ,
                directory=directory or Path.cwd(),
                told=said,
                named=policy.mirrors,
                offline=offline,
                deep=deep,
                patience=timeout,
            ),
        )
