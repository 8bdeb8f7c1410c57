"""Models and datasets, compared: by revision, by their files, by what a server said."""

from __future__ import annotations

import pytest

from reprokit.bundle.record import ServedModel, Server, Subject, SubjectFile, SubjectPart
from reprokit.bundle.values import Unknown
from reprokit.diff.difference import Asked
from reprokit.diff.setup import comparing
from reprokit.diff.tasks import pair_tasks


def set_ups(a, b):
    return comparing.compare_set_ups(a, b, pair_tasks(a, b, Asked()))


def changes(a, b):
    return [(c.area, c.name, c.kind, c.before, c.after) for c in set_ups(a, b).whole.changes]


def subject_side(make, *parts, area="models"):
    return make.side(record=make.record(subject=Subject(**{area: list(parts)})))


def model(name="m", revision="1" * 40, **more):
    return SubjectPart(name=name, revision=revision, learnt_from="nothing", **more)


UNKNOWN = Unknown(unknown="it is local")


def test_another_model_is_a_change_even_if_nobody_knows_its_revision(make):
    a = subject_side(make, model("one", UNKNOWN, extra={"model_dtype": "x"}))
    b = subject_side(make, model("two", UNKNOWN))

    assert changes(a, b) == [
        ("models", "one", "removed", "of no known revision", None),
        ("models", "two", "added", None, "of no known revision"),
    ]


def test_models_that_only_one_record_names_are_not_compared(make):
    found = set_ups(subject_side(make), subject_side(make, model())).whole

    assert found.changes == ()
    assert [(n.area, n.name, n.unknown_in) for n in found.not_compared] == [("models", "*", "a")]


def weights(digit, **more):
    digest = "sha256:" + digit * 64 if digit else None
    return SubjectFile(path="model.safetensors", role="weights", digest=digest, **more)


def test_a_model_of_unknown_revision_is_compared_by_its_files(make):
    one, other = (subject_side(make, model(revision=UNKNOWN, files=[weights(digit)])) for digit in "12")

    assert changes(one, one) == []
    assert [c[:3] for c in changes(one, other)] == [("models", "m, file model.safetensors", "changed")]


def test_files_of_another_revision_are_not_told_one_by_one(make):
    a, b = (subject_side(make, model(revision=digit * 40, files=[weights(digit)])) for digit in "12")

    assert [c[:2] for c in changes(a, b)] == [("models", "m")]


@pytest.mark.parametrize(
    ("files", "name"),
    [([], "m, files"), ([weights(None, reason="it is too large")], "m, file model.safetensors")],
)
def test_files_that_only_one_side_knows_are_no_change(make, files, name):
    a = subject_side(make, model(revision=UNKNOWN, files=[weights("1")]))
    b = subject_side(make, model(revision=UNKNOWN, files=files))

    found = set_ups(a, b).whole

    assert found.changes == ()
    assert (name, "b") in {(n.name, n.unknown_in) for n in found.not_compared}


def test_files_beyond_those_listed_are_said_not_to_be_compared(make):
    a, b = (subject_side(make, model(files=[weights("1")], files_left_out=count)) for count in (0, 3))

    found = set_ups(a, b).whole

    assert found.changes == ()
    assert [(n.name, n.reason) for n in found.not_compared] == [("m, further files", "3 more are not listed")]


def test_what_a_server_says_of_itself_is_compared(make):
    def side(version, longest):
        server = Server(
            endpoint="http://127.0.0.1:8000/v1",
            learnt_from="argv",
            used=True,
            asked="2026-11-23T03:15:47Z",
            software="vllm",
            version=version,
            models=[ServedModel(name="m", longest=longest)],
            facts={"dtype": "float16"},
        )
        return subject_side(make, model(revision=UNKNOWN, server=server))

    assert [c[1] for c in changes(side("0.11.0", 4096), side("0.12.0", 8192))] == [
        "m, server model m",
        "m, server version",
    ]
