"""Labels after the capture: events in the ledger, folded in the order of time, and references everywhere."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit import clock
from reprokit.archive import catalog, ledger, references, validation
from reprokit.archive.layout import is_bundle_id
from reprokit.archive.ledger import Event
from reprokit.archive.tags import events as tags_ledger
from reprokit.archive.tags import labels as tags
from reprokit.archive.tags.labels import Change
from reprokit.bundle import bag
from reprokit.bundle.writing import Label
from reprokit.errors import ExitCode, InvalidRecordError, NotFoundError, UsageError

IDENTITY = "sha256:" + "0" * 64
words = st.sampled_from(["paper", "baseline", "v1.0", "7b-run", "x"])


def an_event(kind, value, minute, bundle="b"):
    key = {"tagged": "tag", "untagged": "tag", "named": "name", "noted": "note"}[kind]
    moment = dt.datetime(2026, 11, 24, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
    return Event(event=kind, time=clock.text(moment), bundle=bundle, identity=IDENTITY, detail={key: value})


events = st.lists(
    st.one_of(
        st.builds(an_event, st.sampled_from(["tagged", "untagged"]), words, st.integers(0, 5)),
        st.builds(an_event, st.sampled_from(["named", "noted"]), words | st.none(), st.integers(0, 5)),
    ),
    max_size=8,
)


# --- what a tag may be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["paper", "v1.0", "7b-instruct", "_x", "A+B=C@d", "table.2", "2026-paper"])
def test_words_of_plain_letters_are_tags(tag):
    assert tags_ledger.require_tag(tag) == tag


@pytest.mark.parametrize(
    "tag",
    [
        *("", "-x", "--yes", "a b", "a/b", "..", ".hidden", "~", "~ada", "a\\b", "a:b", "é", "x" * 65, "a\n", "\udcff"),
        *("latest", "latest~2", "2026", "20261124", "20261124T10", "undated", "un", "undated-x", "beef", "1f3a9c20"),
        *("sha256:beef", "pointer.dvc", "20261124T101010Z-lm_eval-m-1f3a9c20"),
    ],
)
def test_what_could_be_an_option_a_path_or_another_reference_is_no_tag(tag):
    with pytest.raises(UsageError, match="cannot be a tag"):
        tags_ledger.require_tag(tag)


@given(st.text(st.sampled_from("-~./ltaesundbT0123456789Z_:x"), max_size=24))
@settings(max_examples=2000)
def test_a_tag_is_never_the_beginning_of_an_id_or_of_an_identity(text):
    whole = ["20261124T101010Z-lm_eval-m-1f3a9c20", "undated-script-x-0abcdef1"]
    if tags_ledger.fault(text) is None:
        assert not any(each.startswith(text) for each in whole)
        assert not is_bundle_id(text)
        assert not text.startswith(("-", "~", ".", "latest~"))
        assert "/" not in text


# --- folding -----------------------------------------------------------------------------------------------------------


@given(events, st.randoms(use_true_random=False))
def test_the_order_in_which_files_are_found_does_not_matter(found, chance):
    batches = {f"{number:02}": [event] for number, event in enumerate(found)}
    shuffled = list(batches)
    chance.shuffle(shuffled)

    one = tags._by_bundle(batches)
    other = tags._by_bundle({name: batches[name] for name in shuffled})

    assert one == other


@given(events)
def test_the_last_word_on_a_label_counts(found):
    ordered = ledger.in_order(found)

    label = tags_ledger.fold(Label(tags=("old",)), ordered)

    for tag in ("paper", "baseline", "v1.0", "7b-run", "x", "old"):
        said = [event.event for event in ordered if event.detail.get("tag") == tag]
        assert (tag in label.tags) == ((said or ["tagged" if tag == "old" else "untagged"])[-1] == "tagged")
    names = [event.detail["name"] for event in ordered if event.event == "named"]
    assert label.name == (names or [None])[-1]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("tagged", {"tag": "--yes"}),
        ("tagged", {"tag": ["x"]}),
        ("tagged", {}),
        ("named", {"name": 7}),
        ("named", {"name": "latest"}),
        ("named", {"name": "a\x1bb"}),
        ("noted", {"note": "x" * 3000}),
    ],
)
def test_an_event_of_a_stranger_that_says_no_label_is_passed_over_and_found(archive, publish, kind, detail):
    bundle = publish(fold=True, label=Label(name="mine", tags=("a",)))
    ledger.append(
        archive, [Event(event=kind, time="2026-11-24T00:00:00Z", bundle=bundle, identity=IDENTITY, detail=detail)]
    )

    assert tags.label(archive, bundle) == Label(name="mine", tags=("a",))
    assert {found.code for _, found in validation.check_ledger(archive)} == {"W358"}


# --- changing ----------------------------------------------------------------------------------------------------------


def test_labels_are_events_and_neither_bundle_nor_catalog_is_written(archive, publish, snapshot):
    bundle = publish(fold=True, label=Label(tags=("first",)))
    before = snapshot(archive.bundles), snapshot(archive.catalog)

    changed = tags.change(archive, bundle, Change(add=("paper",), remove=("first",), name="the one", note="a line"))

    assert changed.label == Label(name="the one", tags=("paper",), note="a line")
    assert tags.label(archive, bundle) == changed.label
    assert (snapshot(archive.bundles), snapshot(archive.catalog)) == before
    kinds = [event.event for event in ledger.events(archive)]
    assert sorted(kinds) == ["captured", "named", "noted", "tagged", "untagged"]


def test_a_change_is_one_commit(archive, publish, git):
    bundle = publish(fold=True)
    before = int(git(archive.root, "rev-list", "--count", "HEAD"))

    tags.change(archive, bundle, Change(add=("a", "b"), name="n"))

    assert int(git(archive.root, "rev-list", "--count", "HEAD")) == before + 1
    assert git(archive.root, "status", "--porcelain") == ""


def test_labels_that_are_there_already_make_no_event(archive, publish):
    bundle = publish(fold=True, label=Label(tags=("paper",), name="n"))

    changed = tags.change(archive, bundle, Change(add=("paper",), name="n", note=""))

    assert (changed.events, changed.uncommitted) == (0, None)
    assert [event.event for event in ledger.events(archive)] == ["captured"]


def test_a_name_and_a_note_can_be_taken_away(archive, publish):
    bundle = publish(fold=True, label=Label(name="n", note="m"))

    assert tags.change(archive, bundle, Change(name="", note=" ")).label == Label()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Change(add=("a b",)), "cannot be a tag"),
        (Change(remove=("absent",)), "it has no tag `absent`"),
        (Change(add=("x",), remove=("x",)), "both to be given and to be removed"),
        (Change(name="-n"), "cannot be a name"),
        (Change(name="latest"), "cannot be a name"),
        (Change(note="x" * 2001), "up to 2000"),
    ],
)
def test_what_cannot_be_done_changes_nothing(archive, publish, change, message):
    bundle = publish(fold=True)

    with pytest.raises(UsageError, match=message):
        tags.change(archive, bundle, msgspec_replace(change))

    assert [event.event for event in ledger.events(archive)] == ["captured"]


def msgspec_replace(change):
    # A tag that could be given comes along, to show that nothing is half done.
    return Change(add=(*change.add, "fine"), remove=change.remove, name=change.name, note=change.note)


def test_a_change_comes_after_what_it_changes_although_another_clock_ran_ahead(archive, publish):
    bundle = publish(fold=True)
    ahead = clock.now() + dt.timedelta(hours=1)
    ledger.append(
        archive,
        [Event(event="tagged", time=clock.text(ahead), bundle=bundle, identity=IDENTITY, detail={"tag": "wrong"})],
    )

    tags.change(archive, bundle, Change(remove=("wrong",)))

    assert tags.label(archive, bundle) == Label()


def test_the_labels_of_a_second_capture_of_equal_content_are_added(archive, publish):
    bundle = publish(fold=True, label=Label(name="old", tags=("a",), note="kept"))

    changed = tags.add(archive, bundle, Label(name="new", tags=("b",)))

    assert changed.label == Label(name="new", tags=("a", "b"), note="kept")


def test_a_published_bundle_that_is_not_registered_can_be_labelled(archive, publish):
    bundle = publish(label=Label(tags=("a",)))

    assert tags.change(archive, bundle, Change(add=("b",))).label.tags == ("a", "b")
    assert references.identify("b", archive) == bundle
    assert references.identify("a", archive) == bundle


def test_a_bundle_that_is_not_here_can_be_labelled(archive, publish):
    bundle = publish(fold=True)
    archive.payload(bundle).rename(archive.root.parent / "elsewhere")

    tags.change(archive, bundle, Change(add=("paper",)))

    assert references.identify("paper", archive) == bundle


def test_no_bundle_no_label(archive):
    with pytest.raises(NotFoundError):
        tags.change(archive, "20261124T101010Z-lm_eval-m-1f3a9c20", Change(add=("x",)))


def test_what_cannot_be_committed_yet_is_told_and_counts(archive, publish):
    bundle = publish(fold=True)
    (archive.root / ".git" / "index.lock").touch()

    changed = tags.change(archive, bundle, Change(add=("paper",)))

    assert "index.lock" in changed.uncommitted or "lock" in changed.uncommitted
    assert tags.label(archive, bundle).tags == ("paper",)


# --- references --------------------------------------------------------------------------------------------------------


def test_a_tag_or_a_name_that_one_bundle_has_is_a_reference(archive, publish):
    first = publish("one", fold=True, label=Label(name="the first", tags=("old",)))
    second = publish("two", fold=True)
    tags.change(archive, second, Change(add=("paper",)))

    assert references.resolve("paper", archive) == archive.payload(second)
    assert references.resolve("the first", archive) == archive.payload(first)
    assert references.resolve("old", archive) == archive.payload(first)


def test_a_tag_of_several_bundles_is_no_reference_and_they_are_named(archive, publish):
    both = sorted(publish(word, fold=True, label=Label(tags=("paper",))) for word in ("one", "two"))

    with pytest.raises(UsageError, match="2 bundles") as caught:
        references.resolve("paper", archive)

    assert all(f"`{each}`" in caught.value.hint for each in both)


def test_a_tag_that_was_taken_away_is_none(archive, publish):
    bundle = publish(fold=True, label=Label(tags=("paper",)))
    tags.change(archive, bundle, Change(remove=("paper",)))

    with pytest.raises(NotFoundError):
        references.resolve("paper", archive)


def test_an_id_wins_over_the_name_that_somebody_gave_at_a_capture(archive, publish):
    first = publish("one", fold=True)
    second = publish("two", fold=True, label=Label(name=first, tags=("latest", first[-8:])))

    assert references.identify(first, archive) == first
    assert references.identify(first[-8:], archive) == first
    assert references.identify("latest", archive) == second


def test_a_misspelt_tag_is_recognised(archive, publish):
    publish(fold=True, label=Label(tags=("baseline",)))

    with pytest.raises(NotFoundError) as caught:
        references.resolve("baselin", archive)

    assert caught.value.hint == "did you mean `baseline`?"


def test_the_home_of_nobody_is_no_path(archive):
    with pytest.raises(NotFoundError):
        references.resolve("~nobody-of-this-name/x", archive)


# --- what is kept of what was read -------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(tags, "_WORTH_KEEPING", 1)


def test_what_was_read_once_is_not_read_again(archive, publish, few, monkeypatch):
    bundle = publish(fold=True, label=Label(tags=("a",)))
    tags.change(archive, bundle, Change(add=("b",)))
    assert references.identify("b", archive) == bundle
    for reading in ((ledger, "read"), (catalog, "read")):
        monkeypatch.setattr(*reading, lambda *_: pytest.fail("it was read again"))

    assert references.identify("a", archive) == bundle
    assert references.identify("b", archive) == bundle


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_what_is_kept_never_says_anything_else_than_the_files(tmp_path_factory, data):
    archive = references.Archive(tmp_path_factory.mktemp("kept"))
    for number in range(data.draw(st.integers(0, 4))):
        for event in data.draw(events):
            ledger.append(archive, [event])
        if number % 2:
            present = ledger.batches(archive)
            for path in data.draw(st.lists(st.sampled_from(present), max_size=2)) if present else ():
                path.unlink(missing_ok=True)
        before, tags._WORTH_KEEPING = tags._WORTH_KEEPING, 1
        try:
            kept = tags.events(archive)
        finally:
            tags._WORTH_KEEPING = before
        (archive.private / "labels.json").unlink(missing_ok=True)

        assert kept == tags.events(archive)


def test_an_entry_that_git_has_brought_is_read_anew(archive, publish, few):
    bundle = publish(fold=True, label=Label(tags=("a",)))
    assert references.identify("a", archive) == bundle
    entry = msgspec.structs.replace(catalog.read(archive, bundle), tags=["other"])
    archive.entry(bundle).write_bytes(catalog.encode(entry))

    assert references.identify("other", archive) == bundle


@pytest.mark.parametrize("rubbish", [b"", b"{}", b'{"version": 9}', b"[" * 100_000, b'{"events": {"x": [{}]}}'])
def test_rubbish_that_is_kept_is_thrown_away(archive, publish, few, rubbish):
    bundle = publish(fold=True, label=Label(tags=("a",)))
    (archive.private / "labels.json").write_bytes(rubbish)

    assert references.identify("a", archive) == bundle


def test_an_archive_that_cannot_be_written_is_read_all_the_same(archive, publish, few):
    bundle = publish(fold=True, label=Label(tags=("a",)))
    (archive.private / "labels.json").mkdir()

    assert references.identify("a", archive) == bundle


def test_a_damaged_event_is_told_rather_than_a_label_left_out(archive, publish):
    bundle = publish(fold=True)
    tags.change(archive, bundle, Change(add=("paper",)))
    (path,) = ledger.batches(archive, ["tagged"])
    path.write_text("damaged")

    with pytest.raises(InvalidRecordError, match="tagged"):
        tags.label(archive, bundle)


# --- as a program ------------------------------------------------------------------------------------------------------


@pytest.fixture
def labelled(reprokit, publish):
    """Give the command line on an archive with two bundles."""
    place = references.Archive(reprokit.archive)
    return [publish(word, into=place, fold=True) for word in ("one", "two")]


def test_a_tag_is_given_listed_shown_used_and_taken_away(reprokit, labelled):
    first, second = labelled
    told = reprokit("tag", first, "paper", "baseline", "--note", "table 2")

    assert told.stdout.splitlines() == [
        f"bundle       {first}",
        "name         -",
        "tags         baseline, paper",
        "note         table 2",
    ]
    assert told.stderr == "reprokit: 3 changes noted in the ledger; the bundle stays as it is\n"
    assert reprokit("tag").stdout == "baseline  1\npaper     1\n"
    assert [each["id"] for each in reprokit.json("list", "--tag", "paper")] == [first]
    assert reprokit.json("list", "--tag", "absent") == []
    assert {each["id"]: each["tags"] for each in reprokit.json("list")} == {first: ["baseline", "paper"], second: []}
    shown = reprokit.json("show", "paper")
    assert (shown["id"], shown["tags"], shown["note"]) == (first, ["baseline", "paper"], "table 2")
    assert "tags         baseline, paper" in reprokit("show", first).stdout
    assert reprokit.json("tag", "paper", "--remove", "paper", "--name", "the one")["changes"] == 2
    assert reprokit.json("tag", "the one")["tags"] == ["baseline"]
    assert reprokit.json("tag") == [{"tag": "baseline", "bundles": [first]}]
    assert bag.read_info(references.Archive(reprokit.archive).payload(first)).tags == ()
    reprokit("tag", second, "baseline")
    assert "may mean 2 bundles" in reprokit("show", "baseline", check=ExitCode.USAGE).stderr
    assert reprokit("status").returncode == 0
    assert reprokit("validate", "--all").returncode == 0


def test_nothing_to_do_is_said(reprokit, labelled):
    reprokit("tag", labelled[0], "x")

    assert "nothing was changed" in reprokit("tag", labelled[0], "x").stderr
    assert reprokit("tag", labelled[1]).stderr == ""


def test_a_label_without_a_bundle_is_no_call(reprokit):
    assert "which bundle" in reprokit("tag", "--name", "x", check=ExitCode.USAGE).stderr
    assert "has a tag; give it one" in reprokit("tag").stderr


def test_an_archive_that_cannot_be_written_is_told(reprokit, labelled):
    months = references.Archive(reprokit.archive).ledger
    months.rename(months.with_name("aside"))
    months.write_text("in the way")

    told = reprokit("tag", labelled[0], "x", check=ExitCode.USAGE)

    assert "cannot be written" in told.stderr
    assert "bug" not in told.stderr
