"""Nothing in `reproduce.sh`, and nothing that it says, is obeyed by a terminal or turns the order of what is read."""

from __future__ import annotations

import os
import subprocess

import msgspec
import pytest

from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.record import Variable
from reprokit.bundle.values import Unknown
from reprokit.rerun import script
from reprokit.rerun.shell import quoted, visible

HOSTILE = "a\x1b[2J\x9b2J\u202eb\x07\u2066c'd\\n\"$(x)\tZ\n\u200e\x7f9é"
SIGNS = "\x1b\x9b\u202e\x07\u2066\t\u200e\x7f"
PYTHON = Interpreter(executable="/p", prefix="/", base_prefix="/", version="3.11.4", implementation="cpython")


def planned(record, **changes):
    """Give a record whose command can be run again, but for the changes."""
    whole = record()
    changes = {
        "argv": ["true", HOSTILE],
        "program_in": "system",
        "source": "evals",
        "directory_in_source": ".",
        "outputs": [],
        **changes,
    }
    return msgspec.structs.replace(whole, invocation=msgspec.structs.replace(whole.invocation, **changes))


def is_legible(text: str) -> bool:
    return text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "text", [HOSTILE, "", "plain", "é 'x'", "\x1b1f", "\udc9b\udcff1", "\n", "\\\x01", "𝄞\U000e0041"]
)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_quoted_word_is_printable_and_stands_for_the_same_bytes(text, locale):
    word = quoted(text)
    command = b"printf %s " + word.encode()
    told = subprocess.run(
        ["bash", "-c", command], env={"PATH": os.environ["PATH"], "LC_ALL": locale}, capture_output=True, check=True
    )

    assert word.isprintable()
    assert told.stdout == text.encode(errors="surrogateescape")


def test_what_a_person_reads_is_one_line_that_names_what_cannot_be_printed():
    assert visible("a\x9bb\u202e\U000e0041\udc80\n é") == r"a\x9bb\u202e\U000e0041\udc80 é"


def test_no_sign_of_a_record_that_cannot_be_printed_is_in_the_script(record, a_source):
    packages = [
        Package(name="odd", version=HOSTILE, direct_url={"archive_info": {}, "url": "x"}),
        Package(name=f"odd{HOSTILE}", version="1"),
        Package(name="edit", version=HOSTILE, editable=True, direct_url={"url": f"file:///{HOSTILE}", "dir_info": {}}),
    ]
    environment = Environment(learnt_from="probe", interpreter=PYTHON, packages=packages)
    source = a_source(remotes={"origin": f"https://host.invalid/{HOSTILE}"}, patch=HOSTILE, git_bundle=HOSTILE)
    source = msgspec.structs.replace(source, submodules={"inner\u202e\u2066": "a" * 40}, dirty=True)
    changed = planned(
        record,
        directory_in_source="sub\u202edir",
        environment_variables=[Variable(name="HF_X", value=HOSTILE), Variable(name=HOSTILE, value="x")],
    )

    text = script.text(changed, environment, [source], payload=f"/p/{HOSTILE}")

    assert "cannot run it again" not in text
    assert r"sub\u202edir" in text
    assert r"the submodule inner\u202e\u2066 of source is missing" in text
    assert text.count("# Not installed: ") == 3
    assert is_legible(text)
    assert subprocess.run(["bash", "-n"], input=text.encode(), check=False).returncode == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"argv": Unknown(unknown=f"why {HOSTILE}")},
        {"argv": ["sh", f"/data/{SIGNS}x"]},
        {"directory_in_source": HOSTILE},
    ],
)
def test_why_it_cannot_be_run_again_is_said_legibly(record, a_source, changes):
    text = script.text(planned(record, **changes), Environment(learnt_from="nothing", packages=[]), [a_source()])
    told = subprocess.run(["bash"], input=text.encode(), capture_output=True, check=False)

    assert is_legible(text)
    assert told.returncode == 21
    assert told.stderr.decode().startswith("reproduce.sh: cannot run it again: ")
    assert is_legible(told.stderr.decode())


def test_a_malformed_checkout_is_named_legibly(record, a_source):
    text = script.text(planned(record), Environment(learnt_from="nothing", packages=[]), [a_source(name=HOSTILE)])

    assert "cannot run it again" in text
    assert is_legible(text)


def test_where_the_command_runs_is_said_legibly(record, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("uv", "git"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    workspace = tmp_path / "workspace"
    changed = planned(record, argv=["sh", "-c", 'printf %s "$1"', "sh", HOSTILE], source=None)
    text = script.text(changed, Environment(learnt_from="nothing", packages=[]), [], payload="/")
    told = subprocess.run(
        ["bash", "-s", workspace],
        input=text.encode(),
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )

    assert told.stdout.decode() == HOSTILE
    assert told.stderr.decode().splitlines() == [
        f"reproduce.sh: running in {workspace}/source",
        f"reproduce.sh: done; what it wrote is in {workspace}/source, to compare with //harness",
    ]
