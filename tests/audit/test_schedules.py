"""What the documents tell one to type: schedules are well formed, command lines are known, snippets do what is said."""

from __future__ import annotations

import configparser
import fnmatch
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import msgspec
import pytest
from ruamel.yaml import YAML

from reprokit import cli
from reprokit.archive.layout import SETTINGS
from reprokit.audit.policy import Place, Policy, policy_of
from reprokit.cli import auditing

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"audit.md": ("audit",), "sign.md": ("sign", "verify")}
SUNDAY_AT_THREE = ({0}, {3}, set(range(1, 32)), set(range(1, 13)), {0})


def page(name):
    """A page without what is generated in it."""
    return re.sub(r"<!-- \[\[\[cog.*\[\[\[end\]\]\] -->", "", (ROOT / "docs" / name).read_text(), flags=re.DOTALL)


def snippets(language, name="audit.md"):
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), flags=re.DOTALL | re.MULTILINE)


# --- command lines ----------------------------------------------------------------------------------------------------


def parsed(words):
    """Parse a command line of ours as the program does, and run nothing."""
    program, name, *rest = words
    assert program.rpartition("/")[2] == "reprokit"
    context = click.Context(cli.commands)
    command = cli.commands.get_command(context, name)
    assert command is not None, name
    given = command.make_context(name, rest, parent=context, resilient_parsing=False).params
    if name == "audit":
        asked = auditing.Asked(**given)
        auditing._require_sense(asked)
        auditing._wishes(asked)
    return given


def typed(name):
    """The command lines of ours on a page: at a prompt, and within its sentences."""
    prompted = [
        line for block in snippets("console", name) for line in re.findall(r"^\$ (reprokit .*)$", block, re.MULTILINE)
    ]
    prose = re.sub(r"^```.*?^```$", "", page(name), flags=re.DOTALL | re.MULTILINE)
    return [*prompted, *re.findall(r"`(reprokit [a-z]+ [^`]+)`", prose)]


def scheduled():
    """The command lines of ours in the schedules."""
    units = re.findall(r"^ExecStart=(.*)$", page("audit.md"), flags=re.MULTILINE)
    (cron,) = [entry[-1] for block in snippets("crontab") for entry in crontab(block)[1]]
    return [cron.partition(" > ")[0], *units, *(each for each in steps() if each.startswith("reprokit "))]


@pytest.mark.parametrize(("name", "line"), [(name, line) for name in PAGES for line in typed(name)])
def test_each_command_line_of_a_page_is_one_that_the_program_takes(name, line):
    assert parsed(shlex.split(line, comments=True))


@pytest.mark.parametrize("name", PAGES)
def test_each_command_that_a_page_names_is_there(name):
    assert set(re.findall(r"`reprokit ([a-z]+)", page(name))) <= set(cli.COMMANDS)


@pytest.mark.parametrize("name", PAGES)
def test_each_option_that_a_page_speaks_of_is_there_and_takes_what_is_given_to_it(name):
    options = [shlex.split(each) for each in re.findall(r"`(--[a-z][^`]*)`", page(name))]
    known = {option for each in PAGES[name] for option in options_of(each)}

    assert options
    assert {words[0] for words in options} <= known
    for words in options:
        if len(words) > 1:
            needed = [] if name == "audit.md" else ["ID"]
            assert parsed(["reprokit", PAGES[name][0], *words, *needed])


def options_of(name):
    command = cli.commands.get_command(click.Context(cli.commands), name)
    return [option for each in command.params for option in each.opts]


def test_a_word_that_no_command_knows_is_refused_by_what_reads_the_pages():
    with pytest.raises(click.NoSuchOption):
        parsed(["reprokit", "audit", "--shallow"])


def test_each_schedule_audits_an_archive_that_it_names():
    audits = [parsed(shlex.split(line)) for line in scheduled() if " audit " in line]

    assert len(audits) == 4
    assert all(each["archive"] is not None for each in audits)


# --- cron -------------------------------------------------------------------------------------------------------------


def moments(field, least, most):
    """Read a field of numbers, lists, ranges and steps.

    Raises:
        ValueError: it is none.
    """
    found = set()
    for part in field.split(","):
        match = re.fullmatch(r"(?:\*|(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?)(?:/(?P<step>[1-9][0-9]*))?", part)
        if match is None:
            raise ValueError(part)
        first = least if match["first"] is None else int(match["first"])
        last = int(match["last"] or first) if match["first"] else most
        if not least <= first <= last <= most:
            raise ValueError(part)
        found |= set(range(first, last + 1, int(match["step"] or 1)))
    return found


def times(fields):
    minute, hour, day, month, weekday = fields
    week = {each % 7 for each in moments(weekday, 0, 7)}
    return moments(minute, 0, 59), moments(hour, 0, 23), moments(day, 1, 31), moments(month, 1, 12), week


def crontab(text):
    """Read variables and entries: five fields and a command, in which a `%` would be a line end."""
    variables, entries = {}, []
    for line in text.splitlines():
        if match := re.fullmatch(r"([A-Z]+)=(\S+)", line):
            variables[match[1]] = match[2]
        else:
            *fields, command = line.split(maxsplit=5)
            assert "%" not in command
            entries.append((*times(fields), command))
    return variables, entries


@pytest.mark.parametrize(
    "fields", ["60 3 * * 0", "0 24 * * 0", "0 3 0 * 0", "0 3 * 13 0", "0 3 * * 8", "0 3 * *", "0 5-3 * * 0"]
)
def test_a_time_that_cron_does_not_know_is_refused_by_what_reads_the_page(fields):
    with pytest.raises(ValueError):
        times(fields.split())


def test_the_crontab_is_one_entry_for_every_sunday_at_three_and_says_who_gets_the_mail():
    (text,) = snippets("crontab")
    variables, ((*when, _),) = crontab(text)

    assert list(variables) == ["MAILTO"]
    assert tuple(when) == SUNDAY_AT_THREE


def test_cron_has_something_to_mail_only_when_something_is_found(archive, publish, own_home):
    (text,) = snippets("crontab")
    (_, ((*_, command),)) = crontab(text)
    bundle = publish(fold=True)
    program = own_home / ".local/bin/reprokit"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reprokit "$@"\n')
    program.chmod(0o755)

    def run():
        words = ["/bin/sh", "-c", command.replace("/data/evals", shlex.quote(str(archive.root)))]
        cron = {"HOME": str(own_home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
        return subprocess.run(words, cwd=own_home, env=cron, capture_output=True, text=True, check=False)

    well = run()
    (archive.payload(bundle) / "data/results.json").unlink()
    damaged = run()

    assert (well.stdout, well.stderr) == ("", "")
    assert "E102 data/results.json" in damaged.stdout
    assert "E102" in (own_home / "audit.html").read_text()


# --- systemd ----------------------------------------------------------------------------------------------------------

SPAN = r"[0-9]+(s|min|h|d|w)"
COMMAND = r"(/|%h/)\S+/reprokit audit [^%]*(%h/[^%]*)*"
SERVICE = {
    "Unit": {"Description": r".+"},
    "Service": {
        "Type": r"oneshot",
        "ExecStart": COMMAND,
        "Nice": r"-?1?[0-9]|-20",
        "IOSchedulingClass": r"none|realtime|best-effort|idle",
    },
}
TIMER = {
    "Unit": {"Description": r".+"},
    "Timer": {
        "OnCalendar": r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01][0-9]|2[0-3]):[0-5][0-9]",
        "Persistent": r"true|false",
        "RandomizedDelaySec": SPAN,
    },
    "Install": {"WantedBy": r"timers\.target"},
}


def unit(text):
    parser = configparser.RawConfigParser(
        delimiters=("=",), comment_prefixes=("#", ";"), strict=True, default_section="-", empty_lines_in_values=False
    )
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


@pytest.mark.parametrize(("place", "known"), [(0, SERVICE), (1, TIMER)], ids=["service", "timer"])
def test_a_systemd_unit_has_the_sections_and_settings_that_systemd_knows(place, known):
    found = unit(snippets("ini")[place])

    assert found.keys() == known.keys()
    for section, settings in found.items():
        assert settings.keys() <= known[section].keys()
        assert all(re.fullmatch(known[section][key], value) for key, value in settings.items()), settings


def test_the_timer_and_the_service_are_told_to_be_kept_under_one_name():
    service, timer = re.findall(r"`(?:~/\.config/systemd/user/)?([a-z-]+)\.(?:service|timer)`", page("audit.md"))[:2]

    assert len(snippets("ini")) == 2
    assert service == timer
    assert unit(snippets("ini")[1])["Timer"]["OnCalendar"] == "Sun 03:00"
    assert f"systemctl --user enable --now {timer}.timer" in page("audit.md")


# --- CI ---------------------------------------------------------------------------------------------------------------


def workflows():
    """GitHub's and GitLab's, by YAML 1.2, in which `on` is a word."""
    return [YAML(typ="safe", pure=True).load(text) for text in snippets("yaml")]


def steps():
    github, gitlab = workflows()
    return [*(each["run"] for each in github["jobs"]["audit"]["steps"] if "run" in each), *gitlab["audit"]["script"]]


@pytest.mark.parametrize(("place", "schema"), [(0, "github-workflows"), (1, "gitlab-ci")])
def test_a_pipeline_follows_the_schema_of_its_service(tmp_path, place, schema):
    file = tmp_path / "pipeline.yml"
    file.write_text(snippets("yaml")[place])
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_both_pipelines_install_what_they_run_then_pull_then_audit():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    run = [shlex.split(each) for each in steps()]

    assert [words[:2] for words in run] == [
        ["uv", "tool"],
        ["reprokit", "pull"],
        ["reprokit", "audit"],
        ["pip", "install"],
        ["reprokit", "pull"],
        ["reprokit", "audit"],
    ]
    wanted = [words[-1] for words in run if words[0] != "reprokit"]
    assert all(re.fullmatch(r"reprokit-eval\[([a-z]+)\]", each)[1] in extras for each in wanted)
    assert all(parsed(words) for words in run if words[0] == "reprokit")


def test_the_workflow_of_github_runs_on_sundays_at_three_and_each_step_is_one_thing():
    github, _ = workflows()
    (job,) = github["jobs"].values()

    assert [times(each["cron"].split()) for each in github["on"]["schedule"]] == [SUNDAY_AT_THREE]
    assert all(("run" in each) != ("uses" in each) for each in job["steps"])
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v[0-9]+", each["uses"]) for each in job["steps"] if "uses" in each)


def test_what_is_kept_of_a_pipeline_is_what_its_audit_writes():
    github, gitlab = workflows()
    first, second = (parsed(shlex.split(each)) for each in steps() if each.startswith("reprokit audit"))
    upload = github["jobs"]["audit"]["steps"][-1]

    assert upload["if"] == "always()"
    assert all(fnmatch.fnmatch(str(first[each]), upload["with"]["path"]) for each in ("html", "junit"))
    assert gitlab["audit"]["artifacts"]["when"] == "always"
    assert gitlab["audit"]["artifacts"]["reports"]["junit"] == str(second["junit"])


# --- the other snippets -----------------------------------------------------------------------------------------------


def test_the_policy_asks_for_all_that_one_can_ask_for(archive):
    (text,) = snippets("toml")
    with (archive.root / SETTINGS).open("a") as stream:
        stream.write(text)

    policy = policy_of(archive)

    table = tomllib.loads(text)["audit"]
    assert table.keys() == {each.name for each in msgspec.structs.fields(Policy)}
    assert (policy.copies, policy.remotes, policy.signed) == (3, ("nas", "offsite"), True)
    assert (policy.read_every.days, policy.reproduce_every.days) == (90, 365)
    assert policy.places == {
        "here": Place(location="Berlin", medium="disk", threat="flood"),
        "nas": Place(location="Zurich", medium="tape", threat="fire"),
    }


def test_the_program_in_python_tells_which_bundles_are_damaged(archive, publish, own_home, tmp_path):
    (text,) = snippets("python")
    bundle, whole = publish("one", fold=True), publish("two", fold=True)
    (archive.payload(bundle) / "data/results.json").unlink()
    program = tmp_path / "program.py"
    program.write_text(text.replace("ProcessPoolExecutor(8)", "ProcessPoolExecutor(1)"))

    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={**os.environ, "REPROKIT_ARCHIVE": str(archive.root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert f"['{bundle}']" in done.stdout
    assert whole not in done.stdout
    assert "error=1" in done.stdout
