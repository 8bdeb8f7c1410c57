"""What the user says with `--source` is understood, or refused before anything is done."""

from __future__ import annotations

import pytest

from reprokit.errors import UsageError
from reprokit.reproduce.checkouts.origins import Wanted, parse, places_for, refuse_unknown


@pytest.fixture
def clone(tmp_path, monkeypatch):
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "clone"


def said(*values: str) -> tuple[dict[str, list[str]], list[str]]:
    origins = parse(values)
    named = {name: [place.address for place in places] for name, places in origins.named.items()}
    return named, [place.address for place in origins.others]


def test_folders_and_addresses_are_for_all_or_for_one(clone):
    assert said("clone", "https://host.invalid/a/b?c=d", "git@host.invalid:x=y") == (
        {},
        [str(clone), "https://host.invalid/a/b?c=d", "git@host.invalid:x=y"],
    )
    assert said("evals=clone", "evals/vendored/library=https://host.invalid/x", f"evals={clone}/") == (
        {"evals": [str(clone)] * 2, "evals/vendored/library": ["https://host.invalid/x"]},
        [],
    )
    assert said("evals=~/clone", clone.as_uri()) == ({"evals": [str(clone)]}, [str(clone)])


def test_a_folder_with_a_sign_in_its_name_is_a_folder_where_it_is_there(clone):
    (clone.parent / "a=clone").mkdir()

    assert said("a=clone") == ({}, [str(clone.parent / "a=clone")])
    assert said("b=clone") == ({"b": [str(clone)]}, [])


@pytest.mark.parametrize(
    "value",
    ["", "nowhere", "evals=", "evals=nowhere", "=clone", "ext::sh -c id", "evals=ext::sh -c id", "--upload-pack=id", "-oProxyCommand=id", "http://host.invalid/x", "git://host.invalid/x", "file://host/x", "https://user:word@host.invalid/x", "x" * 5000, "~nobody-of-this-name/x"],
)  # fmt: skip
def test_what_is_no_place_is_refused(clone, value):
    with pytest.raises(UsageError, match="is neither a folder nor an https or ssh address") as caught:
        parse([value])
    assert "--source NAME=DIR" in caught.value.hint


def test_a_file_is_no_place(clone):
    (clone / "file").write_text("")

    with pytest.raises(UsageError):
        parse(["clone/file"])


def test_a_name_that_the_bundle_does_not_have_is_told_with_those_that_it_has(clone):
    refuse_unknown(parse(["evals=clone", "evals/vendored/library=clone"]), {"evals"})

    for name in ("eval", "library", "evals2/x"):
        with pytest.raises(UsageError, match=f"no checkout called `{name}`") as caught:
            refuse_unknown(parse([f"{name}=clone"]), {"evals", "harness"})
        assert caught.value.hint == "those that it used: `evals`, `harness`"


def test_places_for_one_come_before_places_for_all_and_no_other_checkout_sees_them(clone):
    origins = parse(["https://host.invalid/all", "a=https://host.invalid/a", "b=https://host.invalid/b"])

    assert places_for(Wanted(names=("a",), commit="1" * 40), origins) == [
        "https://host.invalid/a",
        "https://host.invalid/all",
    ]
    assert places_for(Wanted(names=("c",), commit=None), origins) == ["https://host.invalid/all"]
