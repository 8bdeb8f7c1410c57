"""`reproduce.sh`: how to run the evaluation again with nothing but bash, git and uv."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from reprokit import git_address
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot
from reprokit.errors import InvalidRecordError
from reprokit.rerun import command
from reprokit.rerun.parts import Part, Place
from reprokit.rerun.shell import quoted, visible
from reprokit.rerun.values import Rerun
from reprokit.rerun.wanted import Editable, FromGit, Unobtainable, from_elsewhere
from reprokit.sources import layout
from reprokit.sources.layout import places
from reprokit.sources.rebuilding import refuse_malformed

_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,2}[A-Za-z0-9.+]{0,20}")
_HEAD = """\
#!/usr/bin/env bash
# Runs this evaluation again: rebuilds its source and its environment, then starts its command.
# It needs bash, git and uv, and runs code that came with this bundle: read it first.
#
# usage: bash reproduce.sh [WORKSPACE]
#   WORKSPACE   a new or empty folder; without it a fresh one is made below ${TMPDIR:-/tmp}
#   ORIGIN=…    a repository to fetch the source from before the recorded one, or a folder of them, by checkout's name
#   PYTHON=…    use this Python instead of the recorded version
set -euo pipefail
"""

_WORKSPACE = """\
for program in git uv; do
  command -v "$program" > /dev/null || { echo "reproduce.sh: install $program first" >&2; exit 21; }
done
workspace=${1:-$(mktemp -d)}
mkdir -p "$workspace"
workspace=$(cd "$workspace" && pwd -P)
if [ -n "$(ls -A "$workspace")" ]; then
  echo "reproduce.sh: \\`$workspace\\` is not empty" >&2
  exit 2
fi
mkdir "$workspace/source" "$workspace/outputs"
wheels=
[ ! -d "$here/environment/wheels" ] || wheels="$here/environment/wheels"
# Long files are stored compressed.
stored() { if [ -e "$here/$1" ]; then cat "$here/$1"; else zstd -dcq "$here/$1.zst"; fi; }
"""

_GIT = """\
git_plain() {
  GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_LFS_SKIP_SMUDGE=1 git -c core.hooksPath=/dev/null \\
    -c core.autocrlf=false -c protocol.ext.allow=never -C "$folder" "$@"
}
fetch() { git_plain fetch -q -- "$1" "+refs/heads/*:refs/remotes/origin/*" "+refs/tags/*:refs/tags/*"; }
# room FOLDER NAME: makes it, with no link on the way to it, and puts aside what the checkout around tracks there itself
room() {
  folder=$workspace
  aside=
  rest=$1/
  while [ -n "$rest" ]; do
    folder="$folder/${rest%%/*}"
    rest=${rest#*/}
    if [ -L "$folder" ] || { [ -e "$folder" ] && [ ! -d "$folder" ]; }; then
      echo "reproduce.sh: a link or a file is in the way of the source $2" >&2
      exit 12
    fi
  done
  if [ -d "$folder" ] && [ -n "$(ls -A "$folder")" ]; then
    aside=$(mktemp -d "$workspace/.aside-XXXXXX")
    mv "$folder" "$aside/around"
  fi
  mkdir -p "$folder"
}
# checkout FOLDER NAME TREE COMMIT PATCH HISTORY ADDRESS: what is not recorded is empty
checkout() {
  room "$1" "$2"
  if [ ${#3} = 64 ]; then git_plain init -q --object-format=sha256; else git_plain init -q; fi
  if [ -n "$4" ]; then
    [ -z "$6" ] || git_plain bundle unbundle "$here/$6" > /dev/null 2>&1 || true
    for origin in "${ORIGIN:+$ORIGIN/$2}" "${ORIGIN:-}" "$7"; do
      git_plain cat-file -e "$4^{commit}" 2> /dev/null && break
      [ -z "$origin" ] || fetch "$origin" || continue
      [ -z "$6" ] || git_plain bundle unbundle "$here/$6" > /dev/null 2>&1 || true
    done
    git_plain cat-file -e "$4^{commit}" 2> /dev/null || {
      echo "reproduce.sh: set ORIGIN to a clone of $2 that has the commit $4" >&2
      exit 21
    }
    git_plain checkout -q --detach "$4" --
  fi
  [ -z "$5" ] || stored "$5" | git_plain apply --index --binary --whitespace=nowarn -
  [ "$(git_plain write-tree)" = "$3" ] || {
    echo "reproduce.sh: the source $2 is not the tree that was captured" >&2
    exit 12
  }
  # What both have is as the inner one has it.
  [ -z "$aside" ] || { cp -R -P -n "$aside/around/." "$folder" || true; rm -rf "$aside"; }
}
"""


def _quote(part: Part) -> str:
    match part:
        case SecretSlot(secret=name):
            variable = re.sub(r"[^A-Za-z0-9_]", "_", name)
            return f'"${{{variable}:?set it to the secret that the run was given}}"'
        case Place(folder=folder, path=path):
            return f'"$workspace/{folder}"' + (quoted("/" + path) if path else "")
        case _:
            return quoted(part) if part else ""


def word(parts: Sequence[Part]) -> str:
    """Write one argument as one shell word."""
    return "".join(_quote(part) for part in parts) or "''"


def _sources(sources: Sequence[Source], main: str | None) -> str:
    if not sources:
        return "# Source: no checkout is in the bundle.\n"
    laid = places(sources, main)
    lines = ["# Source: commit, patch and tree of every checkout", _GIT.rstrip("\n")]
    # A submodule lies inside its parent, which has to be there before it.
    for source in sorted(sources, key=lambda each: len(laid[each.name].parts)):
        lines += _checkout(source, str(laid[source.name]))
        lines += _submodules(source, str(laid[source.name]), set(map(str, laid.values())))
    return "\n".join(lines) + "\n"


def _checkout(source: Source, folder: str) -> Iterator[str]:
    address = next((each for each in source.remotes.values() if git_address.transport(each) is not None), "")
    words = (folder, source.name, source.tree, source.commit, source.patch, source.git_bundle, address)
    yield f"checkout {' '.join(quoted(each or '') for each in words)}"


def _submodules(source: Source, folder: str, recorded: Collection[str]) -> Iterator[str]:
    """Fetch the submodules that were checked out and of which nothing but the commit was recorded."""
    for path in source.submodules:
        if path in source.submodules_empty or f"{folder}/{path}" in recorded:
            continue
        yield (
            f"git_plain submodule -q update --init --checkout -- {quoted(path)} || "
            f"echo {quoted(visible(f'reproduce.sh: the submodule {path} of {folder} is missing'))} >&2"
        )


def _refuse_odd_python(environment: Environment) -> None:
    """Let no version pass that is none: uv would take a path for a Python to start."""
    version = environment.interpreter.version if environment.interpreter else "3"
    if not _VERSION.fullmatch(version):
        raise InvalidRecordError(f"the record names the Python `{version[:40]}`, which is none")


def _environment(environment: Environment, sources: Sequence[Source], main: str | None) -> str:
    if environment.interpreter is None:
        return "# Environment: no Python is recorded; the command finds its own on PATH.\n"
    version = quoted(environment.interpreter.version)
    minor = quoted(".".join(environment.interpreter.version.split(".")[:2]))
    return (
        f"# Environment: Python {visible(environment.interpreter.version)} and the recorded packages\n"
        f"python={version}\n"
        'uv venv -q --python "${PYTHON:-$python}" "$workspace/environment" || {\n'
        f'  echo "reproduce.sh: taking another Python" {minor} >&2\n'
        f'  uv venv -q --clear --python {minor} "$workspace/environment"\n'
        "}\n"
        'install() { uv pip install -q --no-deps --python "$workspace/environment/bin/python" "$@"; }\n'
        'install ${wheels:+--find-links "$wheels"} -r "$here/environment/requirements.lock"\n'
        f"{''.join(_from_elsewhere(environment, sources, main))}"
        'export PATH="$workspace/environment/bin:$PATH" VIRTUAL_ENV="$workspace/environment"\n'
    )


def _from_elsewhere(environment: Environment, sources: Sequence[Source], main: str | None) -> Iterator[str]:
    laid = places(sources, main)

    def directory_of(recorded: str) -> Path | None:
        place = layout.directory_of(recorded, sources, laid)
        return None if place is None else Path(place)

    found = list(from_elsewhere(environment, sources, directory_of))
    for each in found:
        match each:
            case FromGit(name=name, address=address, commit=commit):
                below = f"#subdirectory={each.subdirectory}" if each.subdirectory else ""
                yield f"install {quoted(f'{name} @ git+{address}@{commit}{below}')}\n"
            case Unobtainable(name=name, version=version, reason=reason):
                yield f"# Not installed: {visible(f'{name} {version} {reason}')}\n"
            case Editable():
                pass
    # What is built from a checkout may need what is installed already.
    for editable in (each for each in found if isinstance(each, Editable)):
        yield f'install --editable "$workspace"{quoted(f"/{editable.directory}")}\n'


def _redirects(again: Rerun) -> bool:
    return any(isinstance(part, Place) and part.folder == "outputs" for argument in again.argv for part in argument)


def _command(again: Rerun) -> str:
    # Whoever starts the script has the secrets in variables of the same names, if at all.
    told = ((name, parts) for name, parts in again.variables if not any(isinstance(each, SecretSlot) for each in parts))
    lines = [f"export {name}={word(parts)}" for name, parts in told]
    if again.dropped:
        lines.append(
            f"# Not carried over, they hold secrets or places of the machine: {visible(', '.join(again.dropped))}"
        )
    lines.append(f"cd {word([again.directory])}")
    runs_in = f'$workspace"{quoted(visible(f"/{again.directory}"))}"'
    lines.append(f'echo "reproduce.sh: running in {runs_in}" >&2')
    lines.append(" \\\n  ".join(word(argument) for argument in again.argv))
    where = "$workspace/outputs" if _redirects(again) else runs_in
    lines.append(f'echo "reproduce.sh: done; what it wrote is in {where}, to compare with $here/harness" >&2')
    return "\n".join(lines) + "\n"


_HERE = 'here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)'


def text(record: Record, environment: Environment, sources: Sequence[Source], *, payload: str | None = None) -> str:
    """Write the script for a record; it says so, and stops, where the run cannot be rebuilt.

    It looks for the bundle's files beside itself, or in the folder `payload`.
    """
    try:
        for source in sources:
            refuse_malformed(source)
        _refuse_odd_python(environment)
        again = command.plan(record, sources)
    except InvalidRecordError as error:
        again = Rerun(obstacles=(error.message,))
    if again.obstacles:
        reasons = "".join(
            f"echo {quoted(visible(f'reproduce.sh: cannot run it again: {each}'))} >&2\n" for each in again.obstacles
        )
        return f"{_HEAD}\n{reasons}exit 21\n"
    here = _HERE if payload is None else f"here={quoted(payload)}"
    parts = [_HEAD, f"{here}\n{_WORKSPACE}", _sources(sources, record.invocation.source)]
    built = _environment(environment, sources, record.invocation.source)
    return "\n".join([*parts, built, _command(again)])
