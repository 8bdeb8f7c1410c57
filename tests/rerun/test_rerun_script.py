"""`reproduce.sh` does what its record says, and nothing that a record could smuggle in."""

from __future__ import annotations

import os
import subprocess

import msgspec

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Variable
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot, Unknown
from reprokit.rerun import script


def a_source(**changes):
    source = Source(
        name="evals",
        root="/home/ada/evals",
        commit="a" * 40,
        tree="b" * 40,
        swhid="swh:1:dir:" + "b" * 40,
        dirty=False,
        patch=None,
        git_bundle=None,
    )
    return msgspec.structs.replace(source, **changes)


def test_the_script_quotes_everything_a_hostile_record_says(record, tmp_path):
    hostile = "x'; touch owned; echo '$(touch owned)`touch owned`\n touch owned"
    changed = record()
    changed = msgspec.structs.replace(
        changed,
        invocation=msgspec.structs.replace(
            changed.invocation,
            argv=["true", hostile, ["k=", SecretSlot(secret="A;touch owned")]],
            program_in="system",
            source=hostile,
            environment_variables=[Variable(name="GOOD", value=hostile)],
            directory_in_source=".",
        ),
    )
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown=hostile))
    source = a_source(name=hostile, commit=None, tree=hostile, remotes={"origin": hostile})
    written = tmp_path / "s.sh"
    written.write_text(script.text(changed, environment, [source], payload=hostile))

    subprocess.run(
        ["bash", written, tmp_path / "w"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "A_touch_owned": "v"},
        capture_output=True,
        check=False,
    )

    assert not list(tmp_path.rglob("owned"))
    assert subprocess.run(["bash", "-n", written], check=False).returncode == 0
