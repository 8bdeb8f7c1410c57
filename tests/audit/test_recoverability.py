"""Whether the Python environment of a run could be put together again."""

import datetime as dt
from dataclasses import dataclass, field

import msgspec
import pytest

from reprokit.archive import locks
from reprokit.archive.locks import CompletedLock, Hashed, Unhashed
from reprokit.audit.asking.answers import Answers
from reprokit.audit.asking.asking import Asking
from reprokit.audit.asking.heard import Listing, ServedFile, Silence
from reprokit.audit.asking.index import Places
from reprokit.audit.families import recoverability
from reprokit.audit.held import Held
from reprokit.audit.statements import Fact, NotKnown
from reprokit.bundle import canonical
from reprokit.bundle.bag import PAYLOAD
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.finding import finding
from reprokit.bundle.reading import LOCK
from reprokit.bundle.record import SourceSummary
from reprokit.bundle.source import Source, Use
from reprokit.bundle.values import Unknown
from reprokit.probes import packages

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
D, E = "sha256:" + "d" * 64, "sha256:" + "e" * 64
ALL_WELL = Fact(where="environment/environment.json", told="Python 3.11 gets security fixes until 2027-10-31")
NATIVE = "toy-1.0-cp311-cp311-manylinux2014_x86_64.whl"
PURE = "toy-1.0-py3-none-any.whl"
SOURCE = "toy-1.0.tar.gz"
AWAY = Silence(because="`index.invalid` did not answer: nobody listens there", mute=True)


@dataclass
class Shelf:
    """A place that serves these files, and notes which packages it was asked for."""

    served: dict[str, list[ServedFile] | Silence] = field(default_factory=dict)
    address: str = "https://index.invalid/simple"
    local: bool = False
    asked: list[str] = field(default_factory=list)

    def question(self, name):
        return (self.address, name)

    def files(self, name):
        self.asked.append(name)
        found = self.served.get(name, [])
        return found if isinstance(found, Silence) else Listing(files=found)


def environment(*names, version="3.11.7", **changes):
    interpreter = Interpreter(
        executable="python", prefix="/", base_prefix="/", version=version, implementation="cpython"
    )
    found = Environment(
        learnt_from="probe",
        interpreter=interpreter,
        packages=[Package(name=each.partition("==")[0], version=each.partition("==")[2]) for each in names],
        platform={"system": "Linux", "machine": "x86_64", "libc": "glibc 2.36"},
    )
    return msgspec.structs.replace(found, **changes)


@pytest.fixture
def published(publish, archive, record):
    """Publish a bundle of an environment; the small ones of these tests hold none, so it is put in its place."""

    def one(about, *, files=None, **changes):
        payload = {"harness/results.json": b"{}", **(files or {})}
        bundle = publish(canonical.digest(about), record=record(**changes), harness_files=payload)
        folder = archive.payload(bundle) / PAYLOAD
        lock = packages.lock(about)
        (folder / "environment/environment.json").write_bytes(canonical.record(about))
        (folder / LOCK).write_bytes(lock)
        kept = msgspec.json.decode((folder / "bundle.json").read_bytes())
        kept["files"] = [each | {"size": len(lock)} if each["path"] == LOCK else each for each in kept["files"]]
        (folder / "bundle.json").write_bytes(canonical.record(kept))
        return Held(archive, bundle), locks.digest_of(lock)

    return one


@pytest.fixture
def check(published, archive):
    """Check the environment of one package `toy==1.0`, of which these digests are known, against what is served."""

    addresses = []

    def look(*served, about=None, digests=(D, E), unhashed=None, completed=True, shelf=None, known=(), **how):
        held, digest = published(about or environment("toy==1.0"), **how)
        if completed:
            hashed = [Hashed(name="toy", version="1.0", digests=list(digests))] if digests else []
            reasons = [Unhashed(name="toy", version="1.0", reason=unhashed)] if unhashed else []
            record = CompletedLock(
                lock=digest, asked="2026-11-24T00:00:00Z", hashed=[*hashed, *known], unhashed=reasons
            )
            locks.write(archive, record)
        addresses.append(f"https://index-{len(addresses)}.invalid/simple")
        shelf = shelf or Shelf(served={"toy": list(served)}, address=addresses[-1])
        statements = list(recoverability.check(held, asking(archive, shelf), NOW))
        assert statements[0] == ALL_WELL or about is not None
        return [each for each in statements if each != ALL_WELL]

    return look


def asking(archive, *shelves, now=NOW, missing=None):
    return Asking(
        remotes=None,
        hub=None,
        heritage=None,
        find_places=lambda: Places(found=shelves, missing=missing),
        answers=Answers(archive=archive, now=now, fresh_for=dt.timedelta(days=7)),
        offline=False,
        timeout=1.0,
        fresh_for=dt.timedelta(days=7),
    )


def served(name, digest=D, yanked=None):
    return ServedFile(name=name, digest=digest, yanked=yanked)


@pytest.mark.parametrize("name", [NATIVE, PURE])
def test_a_package_that_is_served_as_it_was_is_well(check, name):
    told = "1 of 1 packages that were asked for are served, with a wheel for the run's machine"
    assert check(served(name), served(SOURCE, E)) == [Fact(where=LOCK, told=told)]


def test_a_package_that_is_gone_is_found(check):
    assert check() == [finding("W421", "toy==1.0", "no file of it is served")]
    assert check(served("toy-1.1-py3-none-any.whl")) == [finding("W421", "toy==1.0", "no file of it is served")]


def test_a_version_whose_files_were_replaced_is_found(check):
    other = "sha256:" + "f" * 64
    expected = finding("W421", "toy==1.0", "files of other content are served as that version")
    assert check(served(PURE, other)) == [expected]


def test_a_package_that_was_taken_back_is_found_with_the_reason(check):
    assert check(served(PURE, yanked="breaks everything")) == [
        finding("W422", "toy==1.0", "they say “breaks everything”")
    ]
    assert check(served(PURE, yanked="")) == [finding("W422", "toy==1.0", "they gave no reason")]


def test_only_the_wheels_that_fit_count_as_taken_back(check):
    (fact,) = check(served(NATIVE), served("toy-1.0-cp312-cp312-win_amd64.whl", E, yanked="wrong"))
    assert isinstance(fact, Fact)


def test_a_package_without_a_wheel_for_the_machine_is_found(check):
    other = "toy-1.0-cp312-cp312-manylinux2014_x86_64.whl"
    assert check(served(other), served(SOURCE, E)) == [finding("W424", "toy==1.0", "1 for others")]


def test_a_package_that_never_had_a_wheel_is_told_and_is_no_news(check):
    (fact,) = check(served(SOURCE))
    assert isinstance(fact, Fact)
    assert "only its source" in fact.told


def test_a_wheel_of_other_content_does_not_count_as_one(check):
    (fact,) = check(served(NATIVE, "sha256:" + "f" * 64), served(SOURCE))
    assert "only its source" in fact.told


def test_an_index_that_tells_no_digests_leaves_it_open(check):
    because = "the index tells no digest of its files"
    assert check(served(PURE, None)) == [NotKnown(where="toy==1.0", because=because)]


def test_an_index_that_is_silent_leaves_it_open(check):
    assert check(shelf=Shelf(served={"toy": AWAY})) == [NotKnown(where="toy==1.0", because=AWAY.because)]


def test_without_any_index_it_is_not_known(published, archive):
    held, _ = published(environment("toy==1.0"))
    missing = "no index is configured: no variable names one, and uv is not installed"
    statements = list(recoverability.check(held, asking(archive, missing=missing), NOW))
    assert NotKnown(where="toy==1.0", because=missing) in statements


def test_where_no_digest_is_known_only_versions_are_looked_for(check):
    well, gone = check(served(PURE), completed=False), check(served("toy-1.1.tar.gz"), completed=False)
    assert [type(each) for each in well] == [NotKnown, Fact]
    assert "looked only for versions" in well[0].because
    assert gone[1:] == [finding("W421", "toy==1.0", "the index has other versions of it only")]


def test_a_package_that_no_index_knew_may_come_from_another(check):
    assert [type(each) for each in check(completed=False)] == [NotKnown, NotKnown]
    shelf = Shelf(served={"torch": [served("torch-2.13.0-py3-none-any.whl")]})
    statements = check(about=environment("torch==2.13.0+cpu"), completed=False, shelf=shelf)
    assert "it may come from an index that is not configured here" in statements[-1].because


def test_why_there_was_no_digest_is_told(check):
    reason = "the index has no such version"
    absent = check(digests=(), unhashed=reason)
    there = check(served(PURE), digests=(), unhashed=reason)
    assert [type(each) for each in (*absent, *there)] == [NotKnown, NotKnown]
    assert reason in absent[0].because
    assert reason in there[0].because


def test_a_wheel_in_the_bundle_needs_no_index(check, archive):
    shelf = Shelf()
    files = {f"environment/wheels/{PURE}": b"wheel"}
    told = "1 of 1 packages can be installed from the wheels in the bundle"
    assert check(shelf=shelf, files=files) == [Fact(where="environment/wheels", told=told)]
    assert shelf.asked == []


def test_a_wheel_of_another_version_does_not_help(check):
    files = {"environment/wheels/toy-1.1-py3-none-any.whl": b"wheel", "environment/wheels/toy.whl": b"no wheel"}
    assert check(files=files) == [finding("W421", "toy==1.0", "no file of it is served")]


def test_what_the_capture_found_of_wheels_is_told_as_it_is(check):
    noted = finding("W359", "environment/wheels", "`toy==1.0`; of the first: no such file")
    statements = check(served(PURE), about=environment("toy==1.0"), findings=[noted, finding("W303", "toy")])
    assert statements[0] == noted
    assert not any(getattr(each, "code", "") == "W303" for each in statements)


def test_each_package_has_one_statement_in_the_order_of_names(check):
    about = environment("zeta==1", "alpha==2", "toy==1.0")
    known = [Hashed(name=name, version=version, digests=[D]) for name, version in (("alpha", "2"), ("zeta", "1"))]
    statements = [each for each in check(about=about, known=known) if each != ALL_WELL]
    assert [each.where for each in statements] == ["alpha==2", "toy==1.0", "zeta==1"]


def test_an_index_is_asked_once_for_bundles_of_one_environment(published, archive):
    shelf = Shelf(served={"toy": [served(PURE)]})
    world = asking(archive, shelf)
    for version in ("3.11.7", "3.11.8"):
        held, _ = published(environment("toy==1.0", version=version))
        assert list(recoverability.check(held, world, NOW))
    assert shelf.asked == ["toy"]


def test_what_was_heard_before_says_its_age(published, archive):
    shelf = Shelf(served={"toy": [served("toy-1.1.tar.gz")]})
    held, _ = published(environment("toy==1.0"))
    list(recoverability.check(held, asking(archive, shelf, now=NOW - dt.timedelta(days=3)), NOW))
    statements = list(recoverability.check(held, asking(archive, shelf), NOW))
    expected = finding("W421", "toy==1.0", "the index has other versions of it only (as of 2026-11-24)")
    assert statements[-1] == expected
    assert shelf.asked == ["toy"]


def test_packages_from_elsewhere_are_told_and_asked_of_no_index(published, archive):
    direct = {"url": "https://git.invalid/x", "vcs_info": {"vcs": "git", "commit_id": "c" * 40}}
    about = environment(
        packages=[
            Package(name="from-git", version="1", direct_url=direct),
            Package(name="apt-pkg", version="1", from_system=True),
            Package(name="dbus", version="1", from_system=True),
            Package(name="evals", version="1", editable=True),
            Package(name="unused", version="1", editable=True),
        ]
    )
    summary = SourceSummary(name="evals", record="source/evals.json", commit=None, tree="d" * 40, dirty=True)
    source = Source(
        name="evals",
        root="/home/ada/evals",
        commit=None,
        tree="d" * 40,
        swhid="swh:1:dir:" + "d" * 40,
        dirty=True,
        used_as=[Use(kind="editable install", name="evals")],
    )
    held, _ = published(about, files={"source/evals.json": canonical.record(source)}, sources=[summary])
    shelf = Shelf()
    told = [each for each in recoverability.check(held, asking(archive, shelf), NOW) if each != ALL_WELL]
    assert {each.where for each in told} == {LOCK, "from-git", "unused"}
    assert "2 packages, `apt-pkg` for one, came with the operating system" in str(told)
    assert shelf.asked == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.9.25", finding("W423", "environment/environment.json", "Python 3.9, since 2025-10-31")),
        ("3.10.2", finding("W423", "environment/environment.json", "Python 3.10, since 2026-10-31")),
        (
            "3.13.0rc1+",
            Fact(where="environment/environment.json", told="Python 3.13 gets security fixes until 2029-10-31"),
        ),
    ],
)
def test_a_python_is_looked_after_or_not(published, archive, version, expected):
    held, _ = published(environment(version=version))
    assert expected in list(recoverability.check(held, asking(archive), NOW))


def test_a_python_that_the_table_does_not_know_is_not_known(published, archive):
    held, _ = published(environment(version="3.99.1"))
    assert "when Python 3.99 ends was not known on 20" in str(list(recoverability.check(held, asking(archive), NOW)))


def test_where_the_machine_was_not_recorded_wheels_for_all_machines_count(check):
    bare = environment("toy==1.0", platform=None)
    pure, native = check(served(PURE), about=bare), check(served(NATIVE), about=bare)
    assert type(pure[-1]) is Fact
    assert type(native[-1]) is NotKnown
    assert "whether a wheel fits is not known" in native[-1].because


def test_an_environment_that_nobody_recorded_is_not_known(publish, archive):
    held = Held(archive, publish())
    statements = list(recoverability.check(held, asking(archive), NOW))
    assert [type(each) for each in statements] == [NotKnown, NotKnown]
    assert "made by a test" in statements[1].because


def test_packages_that_are_unknown_are_told_with_the_reason(published, archive):
    held, _ = published(environment(packages=Unknown(unknown="in a container")))
    assert "in a container" in list(recoverability.check(held, asking(archive), NOW))[-1].because


def test_a_bundle_that_is_not_here_is_not_known(archive):
    held = Held(archive, "20261123T031547Z-lm_eval-tiny-gpt2-00000000")
    (told,) = recoverability.check(held, asking(archive), NOW)
    assert told == NotKnown(where=held.id, because="it is not in this copy of the archive")


def test_a_completed_lock_that_is_damaged_is_told_and_versions_are_looked_for(check, archive):
    (archive.locks).mkdir()
    about = environment("toy==1.0")
    folder = archive.locks / locks.digest_of(packages.lock(about)).removeprefix("sha256:")
    folder.mkdir()
    (folder / "20261124T000000Z-00000000.json").write_text("{}")
    statements = check(served(PURE), about=about, completed=False)
    assert type(statements[-1]) is Fact
    assert any("20261124T000000Z-00000000.json" in str(each) for each in statements)
