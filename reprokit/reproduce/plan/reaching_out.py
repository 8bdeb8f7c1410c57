"""Where a re-run reaches beyond its workspace as the bundle says: files that are run in place, hosts that are asked."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from reprokit.bundle.values import SecretSlot
from reprokit.harnesses.command_line import start_of
from reprokit.reproduce.inputs.mapping import Mapping as PlaceMapping
from reprokit.reproduce.plan.values import PlannedSecret
from reprokit.rerun.parts import Parts, opaque
from reprokit.rerun.redirection import is_mapped
from reprokit.rerun.values import Rerun

_INTERPRETERS = frozenset({"Rscript", "bash", "dash", "julia", "ksh", "node", "perl", "ruby", "sh", "zsh"})
_OF_THE_SYSTEM = ("/bin", "/nix/store", "/sbin", "/usr")
"""Where programs lie that write nothing beside themselves."""
_TELLS_A_HOST = ("_ENDPOINT", "_BASE_URL", "_API_BASE")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def run_in_place(again: Rerun, mappings: Sequence[PlaceMapping]) -> Iterator[str]:
    """Yield what is to be said of files that the command runs where they lie: no checkout brings them back.

    Files that are merely read are none of them, and neither are those of a folder that the user named a copy of.

    Args:
        again: the command of the re-run.
        mappings: what the user says lies elsewhere.
    """
    copies = [each.new for each in mappings if each.new != each.old]
    words = opaque(again.argv).words
    for at, parts in enumerate(again.argv):
        match parts:
            case (str(path),) if path.startswith("/") and _is_run(words, at):
                if not is_mapped(posixpath.normpath(path), [*copies, *_OF_THE_SYSTEM]):
                    yield (
                        f"`{path}` is run where it lies, since no checkout holds it: what it writes beside itself is "
                        f"written there; `--map {posixpath.dirname(path)}=COPY` runs a copy"
                    )


def _is_run(words: Sequence[str], at: int) -> bool:
    """Tell whether a word is what a command line starts, by itself or through an interpreter or a launcher."""
    if start_of(words[: at + 1], frozenset({PurePosixPath(words[at]).name})) == at:
        return not _is_interpreter(words[at])
    before = next((word for word in reversed(words[:at]) if not word.startswith("-")), "")
    options = words[words.index(before) + 1 : at] if before else []
    return _is_interpreter(before) and not any(_is_text(option) for option in options)


def _is_interpreter(word: str) -> bool:
    name = PurePosixPath(word).name
    return name in _INTERPRETERS or name.startswith(("python", "pypy"))


def _is_text(option: str) -> bool:
    """Tell whether what follows an option of an interpreter is its program: `-c TEXT`, `-e TEXT`."""
    return not option.startswith("--") and option.endswith(("c", "e", "m"))


def hosts(
    variables: Sequence[tuple[str, Parts]],
    environ: Mapping[str, str],
    secrets: Sequence[PlannedSecret],
    shared: Collection[str],
) -> Iterator[str]:
    """Yield what is to be said of recorded variables that send requests to a host which only the bundle names.

    Args:
        variables: those of the re-run.
        environ: the user's own; a host that they name in the same variable is known to them.
        secrets: those of the run; what is here or needed goes along.
        shared: what the run sees of the user's own.
    """
    given = [f"your `{each.name}`" for each in secrets if each.here or each.needed]
    given += [f"what your own {each} holds" for each in sorted(shared)]
    along = f", and the run has {' and '.join(given)}" if given else ""
    for name, parts in variables:
        host = _host("".join("" if isinstance(part, SecretSlot) else str(part) for part in parts))
        if name.upper().endswith(_TELLS_A_HOST) and host and host != _host(environ.get(name, "")):
            yield f"`{name}` sends requests to `{host}`, which only the bundle names{along}"


def _host(address: str) -> str:
    """Give the host of an address, with its port; nothing where it is none, or is this machine."""
    try:
        found = urlsplit(address if "://" in address else f"//{address}")
        host, port = found.hostname or "", found.port
    except ValueError:
        return address
    if host in _THIS_MACHINE:
        return ""
    return host if port is None else f"{host}:{port}"
