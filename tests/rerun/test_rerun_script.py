"""`reproduce.sh` does what its record says, and nothing that a record could smuggle in."""

from __future__ import annotations

import os
import subprocess

import msgspec
import pytest

from reprokit.bundle.environment import Environment, Interpreter
from reprokit.bundle.record import Variable
from reprokit.bundle.values import SecretSlot, Unknown
from reprokit.rerun import script


def test_the_script_quotes_everything_a_hostile_record_says(record, tmp_path, a_source):
    hostile = "x'; touch owned; echo '$(touch owned)`touch owned`\n touch owned"
    changed = record()
    changed = msgspec.structs.replace(
        changed,
        invocation=msgspec.structs.replace(
            changed.invocation,
            argv=["true", hostile, ["k=", SecretSlot(secret="A_KEY")]],
            program_in="system",
            source="evals",
            environment_variables=[Variable(name="HF_GOOD", value=hostile)],
            directory_in_source=".",
        ),
    )
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown=hostile))
    source = a_source(
        name="evals", remotes={"origin": f"https://host.invalid/{hostile}"}, patch=hostile,
        git_bundle=hostile, dirty=True,
    )  # fmt: skip
    written = tmp_path / "s.sh"
    written.write_text(script.text(changed, environment, [source], payload=hostile))

    assert "\ncheckout source " in written.read_text()
    subprocess.run(
        ["bash", written, tmp_path / "w"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "A_KEY": "v"},
        capture_output=True,
        check=False,
    )

    assert not list(tmp_path.rglob("owned"))
    assert subprocess.run(["bash", "-n", written], check=False).returncode == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"commit": "--orphan=x"},
        {"tree": "$(touch owned)"},
        {"name": "../evals"},
        {"submodules": {"../../outside": "a" * 40}},
    ],
)
def test_no_script_is_written_for_a_checkout_that_is_none(record, changes, a_source):
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown="no record"))

    text = script.text(record(), environment, [a_source(**changes)])

    assert "cannot run it again" in text
    assert "checkout " not in text


def test_a_remote_that_must_not_be_fetched_from_is_not_in_the_script(record, a_source):
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown="no record"))
    remotes = {"a": "ext::sh -c touch% owned", "b": "--upload-pack=touch owned", "c": "https://host.invalid/evals.git"}

    text = script.text(record(), environment, [a_source(remotes=remotes)])

    assert "owned" not in text
    assert "https://host.invalid/evals.git" in text


@pytest.mark.parametrize("version", ["3.11$(touch owned)", "/tmp/evil", "3.11'; touch owned", "3.11 --with x"])
def test_no_script_names_a_python_that_is_none(record, version):
    interpreter = Interpreter(executable="/p", prefix="/", base_prefix="/", version=version, implementation="cpython")
    environment = Environment(learnt_from="probe", interpreter=interpreter, packages=[])

    assert "cannot run it again" in script.text(record(), environment, [])
