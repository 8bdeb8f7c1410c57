"""The house rules that a machine can check."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from reprokit.bundle.finding import CATALOGUE
from reprokit.errors import ExitCode

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "reprokit").rglob("*.py"))
LONGEST_FILE = 400
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}


def test_no_file_is_longer_than_one_idea():
    long = [str(path) for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE]

    assert long == []


def test_every_name_of_a_file_or_folder_has_a_meaning():
    assert not [path for path in SOURCES if MEANINGLESS & set(path.relative_to(ROOT).with_suffix("").parts)]


def test_only_the_git_module_names_the_git_program_and_nothing_uses_a_shell():
    callers = {
        path.relative_to(ROOT / "reprokit").as_posix()
        for path in SOURCES
        if re.search(r"\[\s*\"git\"", path.read_text())
    }

    assert callers <= {"git.py"}
    assert not [path for path in SOURCES if "shell=True" in path.read_text() or "os.system(" in path.read_text()]


def test_every_code_that_is_raised_is_catalogued_and_every_catalogued_code_is_raised():
    used = {
        code
        for path in SOURCES
        if path.name != "finding.py"
        for code in re.findall(r"\"([EW]\d{3})\"", path.read_text())
    }

    assert used == set(CATALOGUE)


def test_codes_and_exit_codes_are_in_the_reference():
    reference = (ROOT / "docs/reference.md").read_text()

    assert all(f"| {code} |" in reference for code in CATALOGUE)
    assert all(f"| {code.value} |" in reference for code in ExitCode)


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]), ids=str
)
def test_every_link_in_the_documents_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_pins_carry_digests_and_no_addresses():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()

        assert "--hash=sha256:" in text
        assert "://" not in text


def test_no_path_of_anybody_s_machine_is_in_the_project():
    found = subprocess.run(
        ["git", "grep", "-nIE", r"(^|[^A-Za-z0-9_.])/(work|root|farm)/", "--", ".", ":!tests/test_project.py", ":!.ci"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.stdout == ""


def test_the_wheel_holds_the_schemas_and_the_probe(tmp_path):
    subprocess.run(
        [ROOT / ".venv/bin/python", "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    ).stdout

    assert "reprokit/bundle/_schemas/bundle.schema.json" in names
    assert "sitecustomize.py" in names
    assert "tests/" not in names
