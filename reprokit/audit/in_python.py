"""What `import reprokit` gives to a program: an audit, as a value."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from reprokit.archive.location import locate
from reprokit.archive.references import identify
from reprokit.audit import spreading
from reprokit.audit.conducting import Ways, conducted
from reprokit.audit.policy import age
from reprokit.audit.running import Wishes
from reprokit.audit.statements import FAMILIES, Family
from reprokit.audit.values import Report
from reprokit.errors import UsageError

_AT_A_TIME = 16


def audit(
    references: Sequence[str] = (),
    *,
    archive: str | os.PathLike[str] | None = None,
    families: Sequence[Family] = FAMILIES,
    since: str | None = None,
    deep: bool = False,
    offline: bool = False,
    timeout: float = 20.0,
    executor: Executor | None = None,
) -> Report:
    """Audit bundles of an archive, as `reprokit audit` does, and note what came of it in the ledger.

        report = reprokit.audit(offline=True)
        damaged = [each.bundle for each in report.bundles if each.state == "error"]

    Args:
        references: ids, names or tags of bundles; none for all.
        archive: the archive; else that of `REPROKIT_ARCHIVE`, `reprokit.toml`, or the default one.
        families: the checks to make.
        since: read no bundle again that was read whole in that time (`90d`).
        deep: read copies on remotes and mirrors whole, too.
        offline: ask nobody.
        timeout: seconds to wait for each answer.
        executor: does the reading; else this process does. Its workers must see the archive under the same path.

    Raises:
        UsageError: an argument makes no sense, or the archive's policy cannot be followed.
        NotFoundError: there is no such bundle or archive.
    """
    wanted = None if since is None else age(since)
    if since is not None and wanted is None:
        raise UsageError(f"`since={since!r}` is no age", hint="write `90d`, `12h`, `2w` or `1y`")
    place = locate(None if archive is None else Path(archive), environment=os.environ, directory=Path.cwd())
    named = [identify(each, place) for each in references]
    wishes = Wishes(bundles=named or None, families=frozenset(families), deep=deep, since=wanted)
    ways = Ways(
        environ=os.environ,
        offline=offline,
        timeout=timeout,
        executors=None if executor is None else spreading.given(executor),
        most=_AT_A_TIME,
    )
    with conducted(place, wishes, ways) as found:
        return Report(summary=found.summary, bundles=list(found.results()))
