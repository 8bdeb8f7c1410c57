"""Every checkout has a place of its own in the workspace, whatever its record says."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.source import Source, Use
from reprokit.errors import InvalidRecordError
from reprokit.sources.layout import directory_of, places

COMMIT = "1" * 40


def a_source(name: str, root: str, *submodules: str, uses: tuple[Use, ...] = ()) -> Source:
    inner = dict.fromkeys(submodules, COMMIT)
    return Source(
        name=name, root=root, commit=COMMIT, tree=COMMIT, swhid="", dirty=False, submodules=inner, used_as=[*uses]
    )


def placed(*sources: Source, main: str | None = "evals") -> dict[str, str]:
    return {name: str(place) for name, place in places(sources, main).items()}


def test_the_commands_checkout_is_source_and_the_others_have_a_folder_each():
    assert placed(a_source("evals", "/home/ada/evals"), a_source("harness", "/opt/harness")) == {
        "evals": "source",
        "harness": "sources/harness",
    }


def test_without_a_checkout_of_the_command_all_are_others():
    assert placed(a_source("harness", "/opt/harness"), main=None) == {"harness": "sources/harness"}


def test_a_submodule_lies_inside_of_its_parent_and_so_does_one_of_its_own():
    sources = (
        a_source("deep", "/home/ada/evals/vendored/library/deep"),
        a_source("library", "/home/ada/evals/vendored/library/", "deep"),
        a_source("evals", "/home/ada/evals", "vendored/library"),
    )
    assert placed(*sources) == {
        "evals": "source",
        "library": "source/vendored/library",
        "deep": "source/vendored/library/deep",
    }


def test_a_submodule_of_a_submodule_without_a_record_keeps_its_way():
    sources = (a_source("evals", "/e", "library"), a_source("deep", "/e/library/deep"))
    assert placed(*sources)["deep"] == "source/library/deep"


def test_a_checkout_that_says_that_it_is_a_submodule_lies_inside():
    use = Use(kind="submodule", name="library")
    assert (
        placed(a_source("evals", "/e"), a_source("library", "/e/library", uses=(use,)))["library"] == "source/library"
    )


def test_a_clone_that_merely_lies_within_another_lies_there_again():
    found = placed(a_source("evals", "/e", "library"), a_source("library-2", "/e/library-2/src"))
    assert found["library-2"] == "source/library-2/src"


def test_what_lies_in_the_own_folder_of_git_is_not_put_there():
    assert placed(a_source("evals", "/e"), a_source("hooks", "/e/.git/hooks"))["hooks"] == "sources/hooks"


def test_the_commands_checkout_is_source_though_it_is_a_submodule():
    sources = (
        a_source("around", "/a", "evals"),
        a_source("evals", "/a/evals", "inner"),
        a_source("i", "/a/evals/inner"),
    )
    assert placed(*sources) == {"around": "sources/around", "evals": "source", "i": "source/inner"}


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/x", "-x", ".git", "a\0b", "a\nb", "a\\b", "x" * 300])
def test_a_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(InvalidRecordError, match="has a name that is none"):
        placed(a_source(name, "/e"))


@pytest.mark.parametrize(("one", "other"), [("evals", "evals"), ("evals", "Evals")])
def test_two_of_one_name_are_refused(one, other):
    with pytest.raises(InvalidRecordError, match="two sources"):
        placed(a_source(one, "/a"), a_source(other, "/b"))


@pytest.mark.parametrize("root", ["/a", "/a/", "/b/../a", "/a/."])
def test_two_at_one_place_are_refused(root):
    with pytest.raises(InvalidRecordError, match="two sources"):
        placed(a_source("one", "/a"), a_source("two", root))


@pytest.mark.parametrize(
    "path",
    ["", "..", "../x", "a/../../x", "/x", "a//b", ".git", ".git/hooks", "a/.GIT/x", "git~1", "a/.git ", ".g\u200cit", ".git::$INDEX_ALLOCATION", "a\\b"],
)  # fmt: skip
def test_a_submodule_at_a_place_that_is_none_is_refused(path):
    with pytest.raises(InvalidRecordError, match="a submodule at a place that is none"):
        placed(a_source("evals", "/e", path))
    use = Use(kind="submodule", name=path)
    others = places((a_source("evals", "/e"), a_source("other", "/elsewhere", uses=(use,))), "evals")
    assert str(others["other"]) == "sources/other"


ROOTS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c d"]), max_size=5).map(lambda parts: "/" + "/".join(parts))
SOURCES = st.lists(
    st.tuples(st.sampled_from(["evals", "x", "Y", "z-2"]), ROOTS, st.lists(st.sampled_from(["a", "b/a", "c d"]), max_size=2)),
    max_size=4,
)  # fmt: skip


@given(rows=SOURCES)
def test_whatever_the_records_say_places_are_below_the_workspace_and_differ(rows):
    try:
        found = places([a_source(name, root, *inner) for name, root, inner in rows], "evals")
    except InvalidRecordError:
        return
    assert len(set(found.values())) == len(found)
    for place in found.values():
        assert place.parts[0] in {"source", "sources"}
        assert ".." not in place.parts


def test_a_recorded_path_lies_in_the_innermost_checkout_around_it():
    sources = (a_source("evals", "/e", "sub dir"), a_source("inner", "/e/sub dir"), a_source("far", "/e/x"))
    found = places(sources, "evals")
    expected = {
        "/e": "source",
        "/e/": "source",
        "/e/package/..": "source",
        "/e/sub dir/package": "source/sub dir/package",
        "file:///e/sub%20dir": "source/sub dir",
        "/e/x/y": "source/x/y",
        "/elsewhere": None,
        "/e/../elsewhere": None,
        "e": None,
        "https://host.invalid/e": None,
        "file://host/e": None,
    }
    for path, place in expected.items():
        assert directory_of(path, sources, found) == (place and PurePosixPath(place))


def test_a_recorded_path_in_a_checkout_that_is_not_there_has_no_place():
    sources = (a_source("evals", "/e"), a_source("far", "/x"))
    assert directory_of("/x/y", sources, {"evals": PurePosixPath("source")}) is None
