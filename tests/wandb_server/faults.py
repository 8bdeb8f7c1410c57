"""What goes wrong, on request: each fault says which requests it is about, how many of them, and what happens to them.

| kind | what happens |
|---|---|
| `refuse` | the connection is reset without an answer; nothing is done, unless `done` is true |
| `hang` | no answer, until the faults are taken away; nothing is done |
| `slow` | it takes `seconds` longer |
| `status` | answered with `status`, `headers` and `message`; nothing is done, unless `done` is true |
| `graphql` | answered with a GraphQL error that says `message`; nothing is done |
| `drop` | cut off in the middle: an upload when half of it was read, any other after half of the answer, which was done |
| `corrupt` | a download has wrong bytes, as many |
| `truncate` | a download has half of its bytes, and says that this is all |
| `omit` | files whose name matches `name` are left out of lists of an artifact's files |
| `lost-commit` | answered as if it were committed, and it is not |
| `lost-upload` | an upload is answered with 200, and nothing is kept |
| `lost-history` | metrics are answered with 200, and nothing is kept |
| `late-history` | rows that are kept, and counted, are not shown yet |
"""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

ABOUT: dict[str, dict[str, str]] = {
    "corrupt": {"method": "GET", "path": "^/(storage/blob|artifactsV2)/"},
    "truncate": {"method": "GET", "path": "^/(storage/blob|artifactsV2)/"},
    "omit": {"operation": "files"},
    "lost-commit": {"operation": "commitArtifact"},
    "lost-upload": {"method": "PUT", "path": "^/storage/"},
    "lost-history": {"path": "/file_stream$"},
    "late-history": {"operation": "history|sampledHistory|parquetHistory|historyKeys"},
}
"""What a fault is about when it does not say."""
KINDS = frozenset({"refuse", "hang", "slow", "status", "graphql", "drop", *ABOUT})


@dataclass
class Fault:
    """A fault, and how often it was met and happened.

    `method` is the whole method; `path` is searched for, and `operation` must match the whole name of the GraphQL
    operation or of any field in it. It lets the first `after` requests pass and happens to `times` (0: all). `name` is for
    `omit` alone: for one file's upload or download, say `path`.
    """

    kind: str
    method: str | None = None
    path: str | None = None
    operation: str | None = None
    name: str = ""
    times: int = 0
    after: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "this fault was asked for"
    seconds: float = 0.0
    done: bool = False
    met: int = 0
    happened: int = 0

    def about(self, method: str, path: str, names: frozenset[str]) -> bool:
        """Tell whether a request is one of those that this fault is about."""
        if self.method is not None and self.method != method:
            return False
        if self.path is not None and not re.search(self.path, path):
            return False
        return self.operation is None or any(re.fullmatch(self.operation, name) for name in names)


class Faults:
    """The faults that are asked for now; the first that is about a request happens to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._healed = threading.Event()

    def add(self, given: dict[str, Any]) -> None:
        """Ask for a fault.

        Raises:
            ValueError: there is no such kind or field.
        """
        if given.get("kind") not in KINDS:
            raise ValueError(f"no such kind of fault: {given.get('kind')}; there are {', '.join(sorted(KINDS))}")
        about: dict[str, Any] = {}
        if not given.keys() & {"method", "path", "operation"}:
            about = {**ABOUT.get(given["kind"], {})}
        try:
            fault = Fault(**about, **given)
        except TypeError as error:
            raise ValueError(str(error)) from error
        with self._lock:
            self._faults.append(fault)

    def take(self, method: str, path: str, names: frozenset[str]) -> Fault | None:
        """Give the fault that happens to this request, if one does."""
        with self._lock:
            for fault in self._faults:
                if not fault.about(method, path, names):
                    continue
                fault.met += 1
                if fault.met > fault.after and (not fault.times or fault.happened < fault.times):
                    fault.happened += 1
                    return fault
        return None

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the faults are taken away, or so long."""
        self._healed.wait(seconds)

    def heal(self) -> None:
        """Take all faults away, and let those go that hang."""
        with self._lock:
            self._faults.clear()
            self._healed.set()
            self._healed = threading.Event()

    def told(self) -> list[dict[str, Any]]:
        """Tell the faults, and how often each was met and happened."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
