"""What changed in the set-up, and what is noise."""

from __future__ import annotations

import msgspec

from reprokit.bundle.environment import Package
from reprokit.bundle.record import Harness, Subject, SubjectPart
from reprokit.bundle.source import LeftOut
from reprokit.bundle.values import Unknown
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.diff.setup import comparing
from reprokit.diff.tasks import pair_tasks


def set_ups(a, b):
    return comparing.compare_set_ups(a, b, pair_tasks(a, b, Asked()))


def changes(a, b):
    return [(c.area, c.name, c.kind, c.before, c.after) for c in set_ups(a, b).whole.changes]


def ignored(a, b):
    return {(i.area, i.name): i.rules for i in set_ups(a, b).whole.ignored}


# --- source ------------------------------------------------------------------------------------------------------------


def test_another_commit_and_tree_are_changes_of_the_checkout(make):
    a = make.side()
    b = make.side(sources=[make.source(commit="e" * 40, tree="f" * 40, dirty=True)])

    assert [(c[1], c[3], c[4]) for c in changes(a, b)] == [
        ("my-evals, tree", "d" * 40, "f" * 40),
        ("my-evals, dirty", False, True),
        ("my-evals, commit", "c" * 40, "e" * 40),
    ]


def test_a_checkout_that_only_one_side_loaded_code_from_is_named(make):
    a = make.side()
    b = make.side(sources=[make.source(), make.source("/home/ada/plugin", commit="9" * 40, tree="8" * 40)])

    assert {(c[1], c[2]) for c in changes(a, b)} >= {("plugin, commit", "added"), ("plugin, tree", "added")}


def test_checkouts_are_paired_by_what_they_hold_before_how_they_are_called(make):
    one = [make.source("/a/x", commit="1" * 40, tree="1" * 40), make.source("/a/y", commit="2" * 40, tree="2" * 40)]
    other = [make.source("/b/y", commit="1" * 40, tree="1" * 40), make.source("/b/x", commit="2" * 40, tree="2" * 40)]
    record = make.record(invocation={"source": None})

    assert changes(make.side(sources=one, record=record), make.side(sources=other, record=record)) == []


def test_a_tree_that_changed_while_it_ran_is_told(make):
    a, b = make.side(), make.side(sources=[make.source(tree_after="9" * 40)])

    assert [(c[1], c[2]) for c in changes(a, b)] == [("my-evals, changed during the run", "added")]


def test_a_program_of_the_checkout_is_compared_by_its_place_in_it(make):
    def side(home, name):
        record = make.record([f"./{name}"], home=home, invocation={"program": f"{home}/{name}", "program_in": "source"})
        return make.side(record=record, sources=[make.source(home)])

    assert changes(side("/a/x", "run.sh"), side("/b/x", "run.sh")) == []
    assert [c[1] for c in changes(side("/a/x", "run.sh"), side("/a/x", "bin/run.sh"))] == ["program"]


def test_files_left_out_of_the_patch_count_unless_they_are_outputs(make):
    outputs = LeftOut(path="out", reason="an output of the evaluation")
    large = LeftOut(path="weights.bin", reason="untracked and 12.0 GiB large")
    a, b = make.side(sources=[make.source(left_out=[outputs, large])]), make.side()

    assert [(c[1], c[2]) for c in changes(a, b)] == [("my-evals, left out weights.bin", "removed")]


# --- software, machine, subject ----------------------------------------------------------------------------------------


def test_packages_are_added_removed_changed_and_spelled_as_the_index_does(make):
    def side(*packages):
        return make.side(environment=make.environment(packages=[Package(name=n, version=v) for n, v in packages]))

    found = changes(
        side(("Lm_Eval", "1"), ("torch", "2.1"), ("old", "1")), side(("lm-eval", "1"), ("torch", "2.2"), ("new", "3"))
    )

    assert found == [
        ("packages", "new", "added", None, "3"),
        ("packages", "old", "removed", "1", None),
        ("packages", "torch", "changed", "2.1", "2.2"),
    ]


def test_the_same_version_with_other_files_is_told_as_such(make):
    def side(digit):
        package = Package(name="torch", version="2.1", record_digest="sha256:" + digit * 64)
        return make.side(environment=make.environment(packages=[package]))

    (change,) = set_ups(side("1"), side("2")).whole.changes

    assert (change.name, change.note) == ("torch, files", "same version, other files")


def test_other_files_of_another_version_are_not_told_twice(make):
    def side(version):
        package = Package(
            name="torch", version=version, record_digest=f"sha256:{version * 64}", direct_url={"url": version}
        )
        return make.side(environment=make.environment(packages=[package]))

    assert [c[1] for c in changes(side("1"), side("2"))] == ["torch"]


def test_an_origin_other_than_the_index_is_a_change(make):
    def side(commit):
        origin = (
            {"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": commit}} if commit else None
        )
        package = Package(name="x", version="1", direct_url=origin)
        return make.side(environment=make.environment(packages=[package]))

    assert [(c[1], c[2]) for c in changes(side("1" * 40), side("2" * 40))] == [("x, origin", "changed")]
    assert [(c[1], c[2]) for c in changes(side(None), side("2" * 40))] == [("x, origin", "added")]


def test_python_platform_and_hardware_are_compared_and_names_of_one_machine_are_not(make):
    base = make.environment()
    other = make.environment(
        interpreter=msgspec.structs.replace(base.interpreter, version="3.12.1", executable="/x/python"),
        platform={"system": "Linux", "kernel": "6.2.0"},
        hardware={"cpu": "Toy CPU", "memory_bytes": 1 << 33, "gpus": [{"index": "0", "name": "H200", "uuid": "GPU-1"}]},
    )
    third = msgspec.structs.replace(
        other, hardware={**other.hardware, "gpus": [{"index": "0", "name": "H200", "uuid": "GPU-2"}]}
    )

    found = changes(make.side(environment=base), make.side(environment=other))

    assert [(c[0], c[1]) for c in found] == [
        ("python", "version"),
        ("hardware", "gpus.0.index"),
        ("hardware", "gpus.0.name"),
        ("platform", "kernel"),
    ]
    assert changes(make.side(environment=other), make.side(environment=third)) == []


def test_another_container_image_is_a_change_and_another_container_is_not(make):
    def side(identity, image):
        container = {"engine": "podman", "id": identity, "imageid": image, "image": "evals"}
        return make.side(environment=make.environment(container=container))

    assert changes(side("1", "x"), side("2", "x")) == []
    assert [c[1] for c in changes(side("1", "x"), side("1", "y"))] == ["imageid"]


def test_revisions_of_models_datasets_and_cache_files_are_compared(make):
    def side(revision, read):
        part = SubjectPart(name="toy-org/data", revision=revision, learnt_from="cache")
        path = f"/home/ada/.cache/huggingface/hub/datasets--toy-org--data/snapshots/{read}/x.parquet"
        return make.side(
            record=make.record(subject=Subject(datasets=[part])), environment=make.environment(loaded_from_cache=[path])
        )

    one, two, three = "1" * 40, "2" * 40, "3" * 40
    data, read = ("datasets", "toy-org/data"), ("loaded from cache", "datasets toy-org/data")
    assert [c[:2] for c in changes(side(one, one), side(two, two))] == [data]
    assert [c[:2] for c in changes(side(one, one), side(two, three))] == [data, read]
    assert [c[:2] for c in changes(side(one, one), side(one, two))] == [read]


def test_gpus_that_could_not_be_listed_are_not_compared(make):
    def side(gpus):
        return make.side(environment=make.environment(hardware={"cpu": "Toy CPU", "gpus": gpus}))

    found = set_ups(side([{"index": "0", "name": "H200"}]), side({"unknown": "no answer in time"})).whole

    assert found.changes == ()
    assert [(n.name, n.unknown_in, n.reason) for n in found.not_compared] == [("gpus", "b", "no answer in time")]


def test_other_members_of_the_samples_that_scores_were_read_from_are_a_change(make):
    def side(member):
        harness = Harness(name="script", version="1", version_from="claim", fields={"response": [member]})
        return make.side(record=make.record(harness=harness))

    assert [c[:2] for c in changes(side("answer"), side("text"))] == [("harness", "field response")]


def test_datasets_of_one_name_are_told_apart_by_their_tasks(make):
    def side(*files):
        parts = [
            SubjectPart(
                name="json", revision="1" * 40, learnt_from="claim", tasks=[f"task-{file}"], extra={"file": file}
            )
            for file in files
        ]
        return make.side(record=make.record(subject=Subject(datasets=parts)))

    found = changes(side("one", "two"), side("two", "three"))

    assert {c[1].partition(",")[0] for c in found} == {"json for task-one", "json for task-three"}


def test_claims_are_compared_leaf_by_leaf(make):
    def side(seed, dtype):
        return make.side(
            record=make.record(claims={"config": {"seed": seed, "model_args": {"dtype": dtype}}, "date": seed})
        )

    assert changes(side(1, "float32"), side(2, "bfloat16")) == [
        ("claims", "config.model_args.dtype", "changed", "float32", "bfloat16"),
        ("claims", "config.seed", "changed", 1, 2),
    ]


def test_keys_with_dots_are_not_mixed_up_with_nesting(make):
    a = make.side(record=make.record(claims={"a.b": 1, "a": {"b": 2}}))
    b = make.side(record=make.record(claims={"a.b": 2, "a": {"b": 1}}))

    assert {c[1] for c in changes(a, b)} == {"`a.b`", "a.b"}


def test_claims_of_different_harnesses_are_not_held_against_each_other(make):
    other = Harness(name="lmms_eval", version="0.7.3", version_from="claim", claims={"x": 1})
    found = set_ups(make.side(), make.side(record=make.record(harness=other))).whole

    assert {(c.area, c.name) for c in found.changes} == {("harness", "name"), ("harness", "version")}
    assert "claims" in {item.area for item in found.not_compared}


def test_the_clock_rate_in_an_environment_text_is_noise_and_a_version_in_it_is_not(make):
    def side(rate, version):
        text = f"PyTorch version: {version}\nCPU MHz: {rate}\nModel name: Toy"
        return make.side(record=make.record(claims={"pretty_env_info": text}))

    assert changes(side(2400.1, "2.1"), side(2399.8, "2.1")) == []
    assert [c[1] for c in changes(side(2400.1, "2.1"), side(2399.8, "2.2"))] == ["pretty_env_info"]


def test_the_harness_note_of_a_commit_counts_only_where_no_checkout_was_seen(make):
    def side(note, sources):
        return make.side(record=make.record(claims={"git_hash": note}), sources=sources)

    assert changes(side("abc", None), side("def", None)) == []
    assert [c[1] for c in changes(side("abc", []), side("def", []))] == ["git_hash"]


# --- what is not known -------------------------------------------------------------------------------------------------


def test_what_one_side_does_not_know_is_no_change(make):
    unknown = Unknown(unknown="captured from finished outputs")
    blind = make.record(
        origin="finished",
        invocation={"argv": unknown, "environment_variables": unknown, "working_directory": unknown, "source": None},
        run={"exit_code": unknown, "started": unknown},
        sources=unknown,
    )
    environment = make.environment(
        learnt_from="nothing", interpreter=None, packages=unknown, platform=None, hardware=None
    )

    a, b = make.side(), make.side(record=blind, environment=environment, sources=[])
    found = set_ups(a, b).whole

    assert found.changes == ()
    assert {item.unknown_in for item in found.not_compared} == {"b"}
    assert {item.area for item in found.not_compared} >= {"invocation", "source", "packages", "python", "hardware"}
    assert compare(a, b).verdict == "same results"


def test_an_environment_that_nobody_recorded_is_not_compared(make):
    a = make.side()
    b = make.in_memory(
        record=a.record, results=a.results, environment=None, sources=a.sources, streams=a.streams, identity="x"
    )

    found = set_ups(a, b).whole

    assert found.changes == ()
    assert {item.area for item in found.not_compared} >= {"packages", "python", "hardware"}
