"""`reproduce.sh`: how to run the evaluation again with nothing but bash, git and uv."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from reprokit.bundle import rerun
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record
from reprokit.bundle.rerun import Part, Place, Rerun
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot

_HEAD = """\
#!/usr/bin/env bash
# Runs this evaluation again: rebuilds its source and its environment, then starts its command.
# It needs bash, git and uv, and runs code that came with this bundle: read it first.
#
# usage: bash reproduce.sh [WORKSPACE]
#   WORKSPACE   a new or empty folder; without it a fresh one is made below ${TMPDIR:-/tmp}
#   ORIGIN=…    fetch the source from this repository instead of the recorded one
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
# Long files are stored compressed.
stored() { if [ -e "$here/$1" ]; then cat "$here/$1"; else zstd -dcq "$here/$1.zst"; fi; }
"""

_GIT = """\
git_plain() {
  GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_LFS_SKIP_SMUDGE=1 git -c core.hooksPath=/dev/null \\
    -c core.autocrlf=false -c protocol.ext.allow=never -C "$workspace/source" "$@"
}
"""


def _quote(part: Part) -> str:
    match part:
        case SecretSlot(secret=name):
            variable = re.sub(r"[^A-Za-z0-9_]", "_", name)
            return f'"${{{variable}:?set it to the secret that the run was given}}"'
        case Place(folder=folder, path=path):
            return f'"$workspace/{folder}"' + (shlex.quote("/" + path) if path else "")
        case _:
            return shlex.quote(part) if part else ""


def word(parts: Sequence[Part]) -> str:
    """Write one argument as one shell word."""
    return "".join(_quote(part) for part in parts) or "''"


def _flat(text: str) -> str:
    # A line break would end a comment, and what follows would be run.
    return " ".join(text.split())


def _source(source: Source) -> str:
    lines = [f"# Source: commit {_flat(source.commit or 'none')}, tree {_flat(source.tree)}", _GIT, "git_plain init -q"]
    # A remote that is a folder of the original machine is no use to others.
    origin = next((each for each in source.remotes.values() if ":" in each and not each.startswith("file:")), "")
    lines.append(f"origin=${{ORIGIN:-{shlex.quote(origin)}}}")
    if source.commit and source.git_bundle:
        carried = shlex.quote("/" + source.git_bundle)
        fetch = f'git_plain fetch -q "$here"{carried} HEAD'
        lines.append(
            f'{fetch} || {{ git_plain fetch -q -- "$origin" "+refs/heads/*:refs/remotes/origin/*"; {fetch}; }}'
        )
    elif source.commit:
        lines.append('[ -n "$origin" ] || { echo "reproduce.sh: set ORIGIN to a clone of the source" >&2; exit 21; }')
        lines.append('git_plain fetch -q -- "$origin" "+refs/heads/*:refs/remotes/origin/*" "+refs/tags/*:refs/tags/*"')
    if source.commit:
        lines.append(f"git_plain checkout -q --detach {shlex.quote(source.commit)} --")
    if source.patch:
        lines.append(f"stored {shlex.quote(source.patch)} | git_plain apply --index --binary --whitespace=nowarn -")
    lines.append(f'[ "$(git_plain write-tree)" = {shlex.quote(source.tree)} ] || {{')
    lines.append('  echo "reproduce.sh: the source is not the tree that was captured" >&2')
    lines.append("  exit 12\n}")
    return "\n".join(lines) + "\n"


def _environment(environment: Environment) -> str:
    if environment.interpreter is None:
        return "# Environment: no Python is recorded; the command finds its own on PATH.\n"
    version = shlex.quote(environment.interpreter.version)
    minor = shlex.quote(".".join(environment.interpreter.version.split(".")[:2]))
    return (
        f"# Environment: Python {_flat(environment.interpreter.version)} and the recorded packages\n"
        f'uv venv -q --python "${{PYTHON:-{version}}}" "$workspace/environment" || {{\n'
        f'  echo "reproduce.sh: taking another Python" {minor} >&2\n'
        f'  uv venv -q --clear --python {minor} "$workspace/environment"\n'
        "}\n"
        'uv pip install -q --no-deps --python "$workspace/environment/bin/python" '
        '-r "$here/environment/requirements.lock"\n'
        'export PATH="$workspace/environment/bin:$PATH" VIRTUAL_ENV="$workspace/environment"\n'
    )


def _redirects(again: Rerun) -> bool:
    return any(isinstance(part, Place) and part.folder == "outputs" for argument in again.argv for part in argument)


def _command(again: Rerun) -> str:
    lines = [f"export {name}={word(parts)}" for name, parts in again.variables]
    if again.dropped:
        lines.append(
            f"# Not carried over, they hold secrets or places of the machine: {_flat(', '.join(again.dropped))}"
        )
    lines.append(f"cd {word([again.directory])}")
    lines.append('echo "reproduce.sh: running in $PWD" >&2')
    lines.append(" \\\n  ".join(word(argument) for argument in again.argv))
    where = "$workspace/outputs" if _redirects(again) else "$PWD"
    lines.append(f'echo "reproduce.sh: done; what it wrote is in {where}, to compare with $here/harness" >&2')
    return "\n".join(lines) + "\n"


_HERE = 'here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)'


def text(record: Record, environment: Environment, sources: list[Source], *, payload: str | None = None) -> str:
    """Write the script for a record; it says so, and stops, where the run cannot be rebuilt.

    It looks for the bundle's files beside itself, or in the folder `payload`.
    """
    again = rerun.plan(record, sources)
    if again.obstacles:
        reasons = "".join(
            f"echo {shlex.quote('reproduce.sh: cannot run it again: ' + each)} >&2\n" for each in again.obstacles
        )
        return f"{_HEAD}\n{reasons}exit 21\n"
    source = rerun.main_source(record, sources)
    here = _HERE if payload is None else f"here={shlex.quote(payload)}"
    parts = [
        _HEAD,
        f"{here}\n{_WORKSPACE}",
        _source(source) if source else "# Source: the command was not run in a git checkout.\n",
    ]
    return "\n".join([*parts, _environment(environment), _command(again)])
