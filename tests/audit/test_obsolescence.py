"""Whether what a run needs, or left, still has programs and services that can handle it."""

import datetime as dt

import msgspec
import pytest

from reprokit.audit.asking import tables
from reprokit.audit.families import obsolescence
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import NotKnown
from reprokit.bundle import canonical
from reprokit.bundle.bag import PAYLOAD
from reprokit.bundle.environment import Environment, Package
from reprokit.bundle.finding import finding
from reprokit.bundle.record import Harness, Server, Subject, SubjectFile, SubjectPart
from reprokit.bundle.values import Unknown

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
COMMIT = "c" * 40


@pytest.fixture
def check(publish, archive, record):
    """Check a bundle whose run had this version of `datasets`, these files and this subject."""
    made = []

    def look(*, library=None, packages=None, files=None, argv=None, policy=None, now=NOW, **changes):
        kept = record(**{"subject": Subject(), **changes})
        if argv is not None:
            kept = msgspec.structs.replace(kept, invocation=msgspec.structs.replace(kept.invocation, argv=argv))
        files = {"harness/results.json": f'{{"number": {len(made)}}}'.encode(), **(files or {})}
        made.append(publish(record=kept, harness_files=files))
        if library is not None or packages is not None:
            found = Environment(learnt_from="probe", packages=packages or [Package(name="datasets", version=library)])
            folder = archive.payload(made[-1]) / PAYLOAD
            (folder / "environment/environment.json").write_bytes(canonical.record(found))
        return list(obsolescence.check(Held(archive, made[-1]), policy or Policy(), now))

    return look


def dataset(*paths, place="cache:datasets--toy-org--sums/snapshots/" + COMMIT, name="toy-org/sums", **more):
    files = [SubjectFile(path=each, role="code" if each.endswith(".py") else "data", size=1) for each in paths]
    return SubjectPart(
        name=name, revision=COMMIT, learnt_from="cache read", files=files, place=place if paths else None, **more
    )


def served(name="gpt-4", endpoint=None, kind="openai-chat-completions"):
    server = None
    if endpoint is not None:
        unknown = Unknown(unknown="it wants credentials")
        server = Server(endpoint=endpoint, learnt_from="argv", asked=unknown, version=unknown, models=unknown)
    unknown = Unknown(unknown="a server answered for it")
    return Subject(
        models=[SubjectPart(name=name, revision=unknown, learnt_from="nothing", extra={"model": kind}, server=server)]
    )


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_a_dataset_that_a_script_read_is_found(check):
    subject = Subject(datasets=[dataset("sums.py", "sums.csv")])
    assert check(library="3.6.0", subject=subject) == [
        finding("W431", "bundle.json", "`toy-org/sums`, by `datasets` 3.6.0")
    ]
    (unknown,) = check(subject=subject)
    assert unknown == finding("W431", "bundle.json", "`toy-org/sums`, by `datasets` of unknown version")


@pytest.mark.parametrize("paths", [("sums.parquet",), ("data/helper.py", "sums.parquet"), ("README.md", "x.json")])
def test_a_dataset_without_a_script_is_well(check, paths):
    assert check(library="3.6.0", subject=Subject(datasets=[dataset(*paths)])) == []


def test_a_later_library_has_run_no_script(check):
    script = Subject(datasets=[dataset("sums.py"), dataset()])
    assert check(library="4.0.0", subject=script) == []
    assert check(library="5.1.dev0", subject=script) == []


def test_without_that_library_no_script_was_run(check):
    assert (
        check(packages=[Package(name="torch", version="2.13.0")], subject=Subject(datasets=[dataset("sums.py")])) == []
    )


def test_where_the_files_were_not_recorded_it_is_not_known(check):
    subject = Subject(datasets=[dataset()])
    (old,) = check(library="2.21.0", subject=subject)
    (unknown,) = check(subject=subject)
    assert old == NotKnown(
        where="`toy-org/sums`",
        because="whether a script read it is not recorded, and `datasets` 2.21.0 may have run one",
    )
    assert "`datasets` of unknown version" in unknown.because


def test_a_prepared_copy_does_not_tell_what_prepared_it(check):
    prepared = dataset("sums-train.arrow", place="cache:toy-org___sums/default/0.0.0/" + COMMIT)
    assert [type(each) for each in check(library="3.6.0", subject=Subject(datasets=[prepared]))] == [NotKnown]


def test_that_its_code_was_trusted_is_told(check):
    subject = Subject(datasets=[dataset()])
    by_flag = check(library="3.6.0", subject=subject, argv=["lm_eval", "--trust_remote_code"])
    by_claim = check(
        library="3.6.0",
        subject=subject,
        harness=Harness(
            name="lm_eval", version="1", version_from="claim", claims={"config": {"trust_remote_code": True}}
        ),
    )
    for (told,) in (by_flag, by_claim):
        assert told.because.endswith(": `trust_remote_code` let it")


def test_a_script_of_one_s_own_is_found_and_files_of_one_s_own_are_well(check):
    script = dataset("tasks/sums.py", name="tasks/sums.py", place="/home/ada/tasks/sums.py")
    rows = dataset("rows.jsonl", name="rows", place="/home/ada/rows")
    assert check(library="3.6.0", subject=Subject(datasets=[script, rows])) == [
        finding("W431", "bundle.json", "`tasks/sums.py`, by `datasets` 3.6.0")
    ]


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (served("gpt-4-0314"), "`gpt-4-0314`, since 2026-03-26, by OpenAI"),
        (served("openai/GPT-4-32k"), "`openai/GPT-4-32k`, since 2025-06-06, by OpenAI"),
        (served("claude-2.1", kind="anthropic-completions"), "`claude-2.1`, since 2025-07-21, by Anthropic"),
        (
            served("text-davinci-003", "https://api.openai.com/v1/completions", "local-completions"),
            "`text-davinci-003`, since 2024-01-04, by OpenAI",
        ),
    ],
)
def test_a_model_that_its_provider_retired_is_found(check, subject, expected):
    assert check(subject=subject) == [finding("W432", "bundle.json", expected)]


def test_a_model_whose_end_is_to_come_is_not_yet_gone(check):
    (before,) = check(subject=served("gpt-4-0314"), now=dt.datetime(2026, 3, 25, tzinfo=dt.UTC))
    (that_day,) = check(subject=served("gpt-4-0314"), now=dt.datetime(2026, 3, 26, tzinfo=dt.UTC))
    assert before.because.startswith("it is to be retired on 2026-03-26, as far as OpenAI's dates were known on 20")
    assert that_day.code == "W432"


def test_a_model_that_is_in_no_table_is_not_known(check):
    (listed,) = check(subject=served("gpt-99"))
    (other,) = check(subject=served("some-model", "https://api.other.invalid/v1", "local-completions"))
    assert "not retired as far as OpenAI's dates were known on 20" in listed.because
    assert "nobody here can tell" in other.because


def test_another_provider_s_model_of_that_name_is_not_the_one(check):
    (told,) = check(subject=served("gpt-4-0314", "https://lab.openai.azure.invalid/v1"))
    assert type(told) is NotKnown


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8000/v1/completions",
        "http://localhost:8000/v1",
        "http://10.0.0.7/v1",
        "http://[::1]:8000/v1",
        "http://node17:8000/v1",
        "http://vllm.lab.internal/v1",
    ],
)
def test_a_model_that_a_machine_of_one_s_own_served_is_no_provider_s(check, endpoint):
    assert check(subject=served("gpt-4-0314", endpoint, "local-completions")) == []


def test_a_model_that_was_not_behind_an_api_is_not_looked_up(check):
    assert (
        check(subject=served("gpt-4-0314", kind="hf"), argv=["lm_eval"], policy=Policy(retired_models=("gpt-4-0314",)))
        == []
    )


def test_models_that_the_policy_says_are_gone_are_found(check):
    policy = Policy(retired_models=("Lab-1",))
    expected = [finding("W432", "bundle.json", "`lab-1`, as `retired_models` in `reprokit.toml` says")]
    assert check(subject=served("lab-1", "http://vllm.lab.internal/v1"), policy=policy) == expected


def test_the_tables_are_in_order():
    for provider in tables.providers():
        names = [name for names in provider.models.values() for name in names]
        assert len(names) == len(set(names))
        assert names == [name.lower() for name in names]
        assert list(provider.models) == sorted(provider.models)
        assert all(listed == sorted(listed) for listed in provider.models.values())
    ends = tables.python_ends().ends
    modern = [ends[f"3.{minor}"] for minor in range(3, 16)]
    assert modern == sorted(modern)


# --- files ------------------------------------------------------------------------------------------------------------


def array(descr):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (3,), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 24


def test_pickles_are_found_by_their_names_a_finding_for_each_kind(check):
    files = {f"harness/{name}": b"x" for name in ("a.pkl", "b.PKL", "c.pkl", "d.pkl", "model.pt", "notes.txt", "x.csv")}
    assert check(files=files) == [
        finding("W433", "harness/a.pkl", "`harness/a.pkl`, `harness/b.PKL`, `harness/c.pkl` and 1 more"),
        finding("W433", "harness/model.pt", "`harness/model.pt`"),
    ]


def test_an_array_of_objects_is_a_pickle_and_one_of_numbers_is_none(check):
    files = {
        "harness/numbers.npy": array("'<f8'"),
        "harness/objects.npy": array("'|O'"),
        "harness/table.npy": array("[('O', '<f8'), ('n', '<i4')]"),
    }
    assert check(files=files) == [finding("W433", "harness/objects.npy", "`harness/objects.npy`")]


def test_an_array_that_cannot_be_read_is_not_known(check):
    (told,) = check(files={"harness/odd.npy": b"no array"})
    assert told == NotKnown(where="harness/odd.npy", because="whether the array holds Python objects cannot be read")


def test_a_bundle_that_is_not_here_is_not_known(archive):
    held = Held(archive, "20261123T031547Z-lm_eval-tiny-gpt2-00000000")
    (told,) = obsolescence.check(held, Policy(), NOW)
    assert told == NotKnown(where=held.id, because="it is not in this copy of the archive")
