"""From where code came is read from what processes leave, whatever that is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reprokit.bundle.environment import Environment, Package
from reprokit.bundle.source import Use
from reprokit.bundle.values import Unknown
from reprokit.probes.interpreter import ProcessFacts
from reprokit.probes.source.code_places import (
    CodePlace,
    editable_installs,
    known_at_end,
    known_at_start,
    script,
    search_path,
)


def a_process(**facts) -> ProcessFacts:
    return ProcessFacts(
        **{
            "probe": 1, "host": "box", "pid": 1, "ppid": 0, "started": 1.0, "executable": "/venv/bin/python",
            "version": "3.11.7", "implementation": "cpython", "prefix": "/venv", "base_prefix": "/usr",
            "directory": "/home/ada",
        }
        | facts
    )  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["python", "go.py", "-m", "x"], "/home/ada/go.py"),
        (["python", "/other/go.py"], "/other/go.py"),
        (["python", "-u", "-W", "ignore", "-X", "dev", "-Wmodule", "-bb", "go.py"], "/home/ada/go.py"),
        (["python", "--check-hash-based-pycs", "always", "go.py"], "/home/ada/go.py"),
        (["python", "-uX", "dev", "go.py"], "/home/ada/go.py"),
        (["python", "/venv/bin/lm_eval", "run"], None),
        (["python", "-m", "lm_eval"], None),
        (["python", "-um", "lm_eval"], None),
        (["python", "-mlm_eval", "x.py"], None),
        (["python", "-c", "print()", "x.py"], None),
        (["python", "-"], None),
        (["python", "-W"], None),
        (["python"], None),
        ([], None),
    ],
)
def test_the_script_is_found_among_the_arguments_of_python(argv, found):
    assert [str(each.path) for each in script(a_process(argv=tuple(argv)))] == ([found] if found else [])


def test_a_script_is_not_guessed_when_the_directory_is_not_known():
    assert list(script(a_process(argv=("python", "go.py"), directory=""))) == []


def test_the_standard_library_and_installed_packages_are_no_places_of_code():
    path = (
        "/venv/lib/python3.11/site-packages",
        "/usr/lib/python3.11",
        "/usr/lib/python311.zip",
        "/usr/lib/python3/dist-packages",
        "/opt/packages/site-packages",
        "/home/ada/src",
    )

    assert [each.path for each in search_path(a_process(path=path))] == [Path("/home/ada/src")]


def origin(site: Path, name: str, value: object) -> None:
    (site / name).mkdir(parents=True)
    (site / name / "direct_url.json").write_text(json.dumps(value))


def test_editable_installs_lead_to_their_folders(tmp_path):
    site = tmp_path / "site-packages"
    editable = {"dir_info": {"editable": True}}
    origin(site, "one_lib-1.0.dist-info", {"url": "file:///home/ada/my%20lib%25", **editable})
    origin(site, "two-1.0.dist-info", {"url": "file://localhost/home/ada/two", **editable})
    origin(site, "copied-1.0.dist-info", {"url": "file:///home/ada/copied", "dir_info": {}})
    origin(site, "remote-1.0.dist-info", {"url": "https://host.invalid/x", **editable})
    origin(site, "nul-1.0.dist-info", {"url": "file:///home/%00", **editable})
    origin(site, "list-1.0.dist-info", [1, 2])
    os.mkfifo((site / "fifo-1.0.dist-info").resolve().as_posix())
    (site / "pipe-1.0.dist-info").mkdir()
    os.mkfifo(site / "pipe-1.0.dist-info" / "direct_url.json")
    names = tuple(sorted(each.name for each in site.iterdir()))
    tree = str(tmp_path / "tree")
    facts = a_process(distributions={str(site): names, tree: ("dev.egg-info",), f"{site}x": ("gone-1.0.dist-info",)})

    assert list(editable_installs(facts)) == [
        CodePlace(path=Path("/home/ada/my lib%"), use=Use(kind="editable install", name="one_lib")),
        CodePlace(path=Path("/home/ada/two"), use=Use(kind="editable install", name="two")),
        CodePlace(path=Path(tree), use=Use(kind="editable install", name="dev")),
    ]


def test_what_is_likeliest_to_change_is_told_first():
    facts = a_process(argv=("python", "go.py"), path=("/home/ada/src",), distributions={"/src": ("dev.egg-info",)})

    assert [each.use.kind for each in known_at_start(facts)] == ["script", "module path", "editable install"]


def test_without_a_probe_the_packages_tell_what_is_installed_in_place():
    editable = {"url": "file:///home/ada/lib", "dir_info": {"editable": True}}
    recorded = Environment(
        learnt_from="command",
        packages=[
            Package(name="lib", version="1", direct_url=editable, editable=True),
            Package(name="other", version="1"),
            Package(name="broken", version="1", direct_url={"unknown": "x"}, editable=True),
        ],
    )

    assert [(each.path, each.use.name) for each in known_at_end(recorded, [])] == [(Path("/home/ada/lib"), "lib")]
    assert known_at_end(Environment(learnt_from="nothing", packages=Unknown(unknown="x")), []) == []


def test_a_virtual_environment_within_a_project_does_not_make_the_project_a_source(tmp_path):
    project = tmp_path / "project"
    site = project / ".venv" / "lib" / "python3.11" / "site-packages"
    (site / "numpy").mkdir(parents=True)
    origin(site, "project-1.0.dist-info", {"url": project.as_uri(), "dir_info": {"editable": True}})
    facts = a_process(
        prefix=str(project / ".venv"), path=(str(site), str(project)), installed_modules=("numpy",), ended=2.0,
        distributions={str(site): ("project-1.0.dist-info",)},
    )  # fmt: skip
    recorded = Environment(learnt_from="probe", packages=[])

    assert known_at_end(recorded, [facts]) == []


def test_a_module_that_was_found_twice_keeps_its_name():
    recorded = Environment(
        learnt_from="probe", packages=[], modules={"lib": "/a/lib.py", "lib (2)": "/b/lib.py", "__main__": "/a/go.py"}
    )

    assert [(str(each.path), each.use.kind, each.use.name) for each in known_at_end(recorded, [])] == [
        ("/a/lib.py", "module", "lib"),
        ("/b/lib.py", "module", "lib"),
        ("/a/go.py", "script", "go.py"),
    ]
