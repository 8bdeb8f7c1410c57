"""Whether what a record names by a commit can still be had: gone from everywhere, still there, or not known."""

import datetime as dt
import platform
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from reprokit.audit.asking.answers import Answers
from reprokit.audit.asking.asking import Asking
from reprokit.audit.asking.heard import Presence, Silence
from reprokit.audit.asking.index import Places
from reprokit.audit.families import identifiers
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown
from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import SourceSummary, Subject, SubjectFile, SubjectPart
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.probes.subject.parts import LOCAL

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
COMMIT, OTHER = "c" * 40, "b" * 40
SHORT = COMMIT[:12]
THERE, GONE = Presence(there=True), Presence(there=False)
AWAY = Silence(because="`git.invalid` did not answer: nobody listens there", mute=True)
HTTPS, SSH = "https://git.invalid/lab/evals.git", "git@backup.invalid:lab/evals.git"
WHERE = "source/evals.json"


@dataclass
class World:
    """What there is in the world; what is not told is gone."""

    told: dict[str, Presence | Silence] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = "https://world.invalid"

    def _answer(self, question):
        self.asked.append(question)
        return self.told.get(question, GONE)

    def has(self, address, commit):
        return self._answer(f"{address} {commit[:4]}")

    def serves(self, kind, name, revision):
        return self._answer(f"{kind} {name} {revision[:4]}")

    def knows(self, commit):
        return self._answer(f"heritage {commit[:4]}")


def source(**changes):
    found = Source(
        name="evals",
        root="/home/ada/evals",
        commit=COMMIT,
        remotes={"origin": HTTPS},
        tree="d" * 40,
        swhid="swh:1:dir:" + "d" * 40,
        dirty=False,
    )
    return msgspec.structs.replace(found, **changes)


@pytest.fixture
def check(publish, archive, record):
    """Check a bundle with these checkouts and this subject, in a world of one's own."""
    made = []

    def look(*sources, told=None, policy=None, files=None, age=None, offline=False, **changes):
        world = World(told=told or {})
        summaries = [
            SourceSummary(
                name=each.name, record=f"source/{each.name}.json", commit=each.commit, tree=each.tree, dirty=False
            )
            for each in sources
        ]
        payload = {f"source/{each.name}.json": canonical.record(each) for each in sources} | (files or {})
        kept = record(**{"sources": summaries, "subject": Subject(), **changes})
        made.append(publish(f"word {len(made)}", record=kept, harness_files={"harness/results.json": b"{}"} | payload))
        answers = Answers(archive=archive, now=NOW, fresh_for=dt.timedelta(days=7))
        if age is not None:
            look_before = replace(answers, now=NOW - age, _mute={})
            list(identifiers.check(Held(archive, made[-1]), asking(world, look_before), policy or Policy()))
            answers = replace(answers, offline=offline)
            world.asked.clear()
        statements = list(identifiers.check(Held(archive, made[-1]), asking(world, answers), policy or Policy()))
        return statements, world.asked

    return look


def asking(world, answers):
    return Asking(
        remotes=world,
        hub=world,
        heritage=world,
        find_places=Places,
        answers=answers,
        offline=answers.offline,
        timeout=1.0,
        fresh_for=answers.fresh_for,
    )


def test_a_commit_that_a_remote_has_is_well(check):
    statements, _ = check(source(), told={f"{HTTPS} cccc": THERE})
    assert statements == [Fact(where=WHERE, told=f"the commit `{SHORT}` can be had from `origin`")]


def test_a_commit_that_is_gone_from_all_its_remotes_is_found(check):
    told = {f"{HTTPS} cccc": Presence(there=False, told="there is no such repository")}
    statements, asked = check(source(remotes={"origin": HTTPS, "backup": SSH}), told=told)
    expected = f"`{SHORT}` of `evals`, from `backup` ({SSH}); `origin` ({HTTPS}): there is no such repository"
    assert statements == [finding("W411", WHERE, expected)]
    assert asked == [f"{SSH} cccc", f"{HTTPS} cccc"]


def test_one_remote_that_has_it_is_enough(check):
    statements, _ = check(source(remotes={"origin": HTTPS, "backup": SSH}), told={f"{HTTPS} cccc": THERE})
    assert statements == [Fact(where=WHERE, told=f"the commit `{SHORT}` can be had from `origin`")]


def test_one_remote_that_is_silent_leaves_it_open(check):
    statements, _ = check(source(remotes={"origin": HTTPS, "backup": SSH}), told={f"{HTTPS} cccc": AWAY})
    because = f"the commit `{SHORT}`: `origin`: {AWAY.because}; not at `backup` ({SSH})"
    assert statements == [NotKnown(where=WHERE, because=because)]


def test_a_commit_that_was_nowhere_is_not_known(check):
    statements, asked = check(source(remotes={}))
    assert [type(each) for each in statements] == [NotKnown]
    assert "it was on no remote" in statements[0].because
    assert asked == []


def test_a_folder_that_lacks_it_tells_only_on_the_machine_of_the_run(check, record):
    remotes = {"origin": "/srv/evals.git"}
    elsewhere, _ = check(source(remotes=remotes))
    run = msgspec.structs.replace(record().run, host=platform.node())
    here, _ = check(source(remotes=remotes), run=run)
    assert [type(each) for each in elsewhere] == [NotKnown]
    assert "may not be that of the run's" in elsewhere[0].because
    assert here == [finding("W411", WHERE, f"`{SHORT}` of `evals`, from `origin` (/srv/evals.git)")]


def test_a_commit_that_the_bundle_carries_is_not_asked_for(check):
    carried = b"# v2 git bundle\n" + COMMIT.encode() + b" HEAD\n\nPACK"
    statements, asked = check(source(git_bundle="source/evals.bundle"), files={"source/evals.bundle": carried})
    assert statements == [
        Fact(where=WHERE, told=f"the commit `{SHORT}` is in the bundle itself, as `source/evals.bundle`")
    ]
    assert asked == []


def test_what_a_carried_bundle_builds_on_is_asked_for(check):
    carried = b"# v2 git bundle\n-" + OTHER.encode() + b" before\n" + COMMIT.encode() + b" HEAD\n\nPACK"
    statements, asked = check(source(git_bundle="source/evals.bundle"), files={"source/evals.bundle": carried})
    assert isinstance(statements[0], Fact)
    assert statements[1:] == [finding("W411", WHERE, f"`{OTHER[:12]}` of `evals`, from `origin` ({HTTPS})")]
    assert asked == [f"{HTTPS} bbbb"]


def test_a_git_bundle_that_is_missing_carries_nothing(check):
    _, asked = check(source(git_bundle="source/evals.bundle"))
    assert asked == [f"{HTTPS} cccc"]


def test_a_repository_without_a_commit_is_all_in_its_patch(check):
    assert check(source(commit=None, remotes={})) == ([], [])


def test_submodules_without_a_record_of_their_own_are_told(check):
    modules = {"lib": OTHER, "empty": OTHER, "own": OTHER}
    outer = source(submodules=modules, submodules_empty=["empty"])
    inner = source(name="own", root="/home/ada/evals/own", commit=None)
    statements, _ = check(outer, inner, told={f"{HTTPS} cccc": THERE})
    assert statements[1:] == [NotKnown(where=WHERE, because="the remotes of submodules are not recorded: `lib`")]


@pytest.mark.parametrize(("answer", "kind"), [(THERE, Fact), (GONE, Finding), (AWAY, NotKnown)])
def test_software_heritage_is_asked_where_the_policy_says_so(check, answer, kind):
    told = {f"{HTTPS} cccc": THERE, "heritage cccc": answer}
    assert len(check(source(), told=told)[0]) == 1
    statements, _ = check(source(), told=told, policy=Policy(software_heritage=True))
    assert type(statements[1]) is kind
    assert f"swh:1:rev:{COMMIT}" in str(statements[1])
    if kind is Finding:
        assert statements[1].code == "W413"


def test_a_malformed_commit_is_asked_of_nobody(check):
    statements, asked = check(source(commit="--upload-pack=id"))
    assert [type(each) for each in statements] == [NotKnown]
    assert asked == []


def part(name="toy-org/tiny", revision=COMMIT, **more):
    return SubjectPart(name=name, revision=revision, learnt_from="cache read", **more)


def test_models_and_datasets_are_asked_for_at_their_revision(check):
    subject = Subject(models=[part()], datasets=[part("toy-org/data", OTHER), part("toy-org/away", OTHER)])
    told = {"model toy-org/tiny cccc": THERE, "dataset toy-org/away bbbb": AWAY}
    statements, _ = check(told=told, subject=subject)
    assert statements == [
        Fact(where="the model `toy-org/tiny`", told=f"it is served at `{SHORT}`"),
        finding("W412", "bundle.json", f"the dataset `toy-org/data` at `{OTHER}`"),
        NotKnown(where="the dataset `toy-org/away`", because=f"whether it is served at `{OTHER[:12]}`: {AWAY.because}"),
    ]


def test_what_the_capture_found_of_revisions_is_told_as_it_is(check):
    unpinned = finding("W330", "bundle.json", "`toy-org/tiny`: nobody says which commit `main` was")
    other = finding("W303", "toy")
    unknown = part(revision=Unknown(unknown="nobody says which commit `main` was"))
    statements, asked = check(subject=Subject(models=[unknown]), findings=[unpinned, other])
    assert statements == [unpinned]
    assert asked == []


def test_an_unknown_revision_that_the_capture_did_not_find_is_not_known(check):
    unknown = part(revision=Unknown(unknown="captured from finished outputs"))
    statements, _ = check(subject=Subject(models=[unknown]))
    because = "its revision is not known: captured from finished outputs"
    assert statements == [NotKnown(where="the model `toy-org/tiny`", because=because)]


def test_files_of_one_s_own_cannot_be_asked_for(check):
    files = [SubjectFile(path="model.safetensors", role="weights", size=1)]
    local = part("../models/tiny", LOCAL, place="/data/models/tiny", files=files)
    statements, asked = check(subject=Subject(models=[local]))
    because = "it lay in files of its own (`/data/models/tiny`), which nobody else can be asked for"
    assert statements == [NotKnown(where="`../models/tiny`", because=because)]
    assert asked == []


def test_a_model_behind_an_api_is_not_asked_of_the_hub(check):
    extra = {"model": "openai-chat-completions"}
    unknown = part("lab/gpt-x", Unknown(unknown="a server answered for it"), extra=extra)
    assert check(subject=Subject(models=[unknown])) == ([], [])


def test_a_name_that_the_hub_cannot_have_is_asked_of_nobody(check):
    _, asked = check(subject=Subject(models=[part("../../etc"), part("a/b/c"), part("x--y/z")]))
    assert asked == []


@pytest.mark.parametrize(("offline", "days"), [(False, 6), (True, 400)])
def test_what_was_heard_before_says_its_age(check, offline, days):
    statements, asked = check(source(), age=dt.timedelta(days=days), offline=offline)
    day = (NOW - dt.timedelta(days=days)).date().isoformat()
    assert statements == [finding("W411", WHERE, f"`{SHORT}` of `evals`, from `origin` ({HTTPS}) (as of {day})")]
    assert asked == []


def test_a_bundle_that_is_not_here_is_not_known(archive):
    held = Held(archive, "20261123T031547Z-lm_eval-tiny-gpt2-00000000")
    answers = Answers(archive=archive, now=NOW, fresh_for=dt.timedelta(days=7))
    assert list(identifiers.check(held, asking(World(), answers), Policy())) == [
        NotKnown(where=held.id, because="it is not in this copy of the archive")
    ]


def test_sources_that_cannot_be_read_are_not_known(check, record):
    statements, _ = check(sources=Unknown(unknown="captured from finished outputs"))
    assert statements == [
        NotKnown(where="bundle.json", because="which code ran is not recorded: captured from finished outputs")
    ]
    missing = SourceSummary(name="x", record="source/x.json", commit=COMMIT, tree="d" * 40, dirty=False)
    statements, asked = check(sources=[missing])
    assert [each.where for each in statements] == ["source/"]
    assert asked == []
