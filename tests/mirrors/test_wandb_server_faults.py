"""Each fault that can be asked of the server of the tests really happens to the real client."""

from __future__ import annotations

import pytest

QUESTIONS = """
import time
patient, hasty = wandb.Api(timeout=30), wandb.Api(timeout=1)
patient.artifact_exists("ada/evals/bundle:latest")

def ask(name, kind, api=patient, **about):
    fault(kind, operation=about.pop("operation", "ArtifactMembershipByName"), **about)
    began = time.monotonic()
    attempt(name, lambda: api.artifact("ada/evals/bundle:latest").version)
    heal()
    TOLD[name + " took"] = time.monotonic() - began

for status in (401, 403, 404, 409):
    ask(str(status), "status", status=status, message=f"no: {status}")
for status in (429, 500, 502):
    ask(str(status), "status", hasty, status=status)
ask("graphql", "graphql", operation="artifactCollectionMembership", message="out of order")
ask("drop", "drop")
ask("refuse", "refuse", hasty)
ask("hang", "hang", hasty)
ask("after", "status", status=403, after=1)
ask("slow", "slow", seconds=1.5)
ask("waits", "status", status=429, headers={"Retry-After": "1"}, times=1)
"""
NOT_THERE = "not found"


def test_questions_meet_each_fault(wandb_server, wandb_client):
    told = wandb_client(wandb_server, QUESTIONS).told
    for status in (401, 403, 404, 409):
        assert f"no: {status}" in told[str(status)]
    assert "out of order" in told["graphql"]
    for failing in ("429", "500", "502", "refuse", "hang", "drop"):
        assert told[failing].startswith("CommError"), failing
        assert NOT_THERE not in told[failing]
    for passing in ("after", "slow", "waits"):  # that it is not there is the true answer
        assert NOT_THERE in told[passing], told[passing]
    assert told["slow took"] > 1.5
    assert told["waits took"] > 1
    state = wandb_server.state()
    assert [state["unknown"], state["crashes"]] == [[], []]
    statuses = {each["status"] for each in state["requests"] if each["fault"] == "status"}
    assert statuses == {401, 403, 404, 409, 429, 500, 502}
    assert {each["fault"]: each["status"] for each in state["requests"] if not each["status"]} == {
        "refuse": 0,
        "hang": 0,
        "drop": 0,
    }


UPLOADS = """
count = 0
def push(name, kind, **about):
    global count
    count += 1
    if kind:
        fault(kind, **about)
    artifact = wandb.Artifact("bundle", "eval-bundle")
    for number in range(2):
        artifact.add_file(write(f"{count}-{number}.txt", f"{count} {number}".encode() * 2000))
    attempt(name, lambda: run.log_artifact(artifact).wait(60).state)
    heal()

with wandb.init(project="evals", id="r1", settings=quiet()) as run:
    push("403", "status", status=403, method="PUT", path="^/storage/artifact/", after=1)
    push("500 once", "status", status=500, method="PUT", path="^/storage/artifact/", times=1)
    push("cut once", "drop", method="PUT", path="^/storage/artifact/", times=1)
    push("lost commit", "lost-commit")
    push("half an answer", "drop", operation="CommitArtifact", times=1)
    push("no answer", "refuse", done=True, operation="CommitArtifact", times=1)
    push("done and 502", "status", status=502, done=True, operation="CommitArtifact", times=1)
    push("well", None)
    run.log({"kept": 1})
    fault("lost-history")
with wandb.init(project="evals", id="r2", settings=quiet()) as run:
    run.log({"lost": 1})
heal()
fault("status", status=404, path="/file_stream$")
with wandb.init(project="evals", id="r3", settings=quiet()) as run:
    run.log({"refused": 1})
"""


def test_uploads_and_metrics_meet_each_fault(wandb_server, wandb_client):
    told = wandb_client(wandb_server, UPLOADS).told
    assert told["403"].startswith("ValueError")
    for name in ("500 once", "cut once", "no answer", "done and 502", "well"):
        assert told[name] == "COMMITTED", name
    assert told["half an answer"].startswith("ValueError")  # it is committed, and the client does not know
    assert told["lost commit"] == "PENDING"
    state = wandb_server.state()
    assert [state["unknown"], state["crashes"]] == [[], []]
    assert state["collections"]["ada/evals/bundle"]["committed"] == 6
    assert state["collections"]["ada/evals/bundle"]["pending"] == state["pending"] == 2
    assert [state["runs"][f"ada/evals/r{number}"]["history"] for number in (2, 3)] == [[], []]
    commits = [each for each in state["requests"] if each["operation"] == "CommitArtifact"]
    assert len(commits) == 9  # two of them once more, after an answer that was lost


DOWNLOADS = """
with wandb.init(project="evals", id="r1", settings=quiet()) as run:
    artifact = wandb.Artifact("bundle", "eval-bundle")
    for name in ("a.txt", "b.txt"):
        artifact.add_file(write(name, name.encode() * 1000))
    run.log_artifact(artifact).wait(60)

api = wandb.Api()

def got(told, kind, **about):
    fault(kind, **about)
    def doing():
        root = Path(api.artifact("ada/evals/bundle:v0").download(root=told, skip_cache=True))
        return {path.name: [len(path.read_bytes()), path.read_bytes() == path.name.encode() * 1000]
                for path in sorted(root.iterdir())}
    attempt(told, doing)
    heal()

got("corrupt", "corrupt", times=1)
got("truncate", "truncate", method="GET", path="/a[.]txt$")
got("omit", "omit", name="^b")
got("403", "status", status=403, path="^/storage/blob/")
got("drop once", "drop", path="^/storage/blob/", times=1)
got("404", "status", status=404, path="^/(storage/blob|artifactsV2)/")
"""


def test_downloads_meet_each_fault(wandb_server, wandb_client):
    told = wandb_client(wandb_server, DOWNLOADS).told
    whole = {"a.txt": [5000, True], "b.txt": [5000, True]}
    assert sorted(told["corrupt"].values()) == [[5000, False], [5000, True]]
    assert told["truncate"] == {**whole, "a.txt": [2500, False]}
    assert told["omit"] == {"a.txt": [5000, True]}
    assert told["403"] == whole  # by the other address, with the key
    assert "404" in told["404"]
    state = wandb_server.state()
    assert [state["unknown"], state["crashes"]] == [[], []]
    assert any(each["path"].startswith("/artifactsV2/") and each["status"] == 200 for each in state["requests"])


@pytest.mark.parametrize("about", [{"kind": "sulk"}, {"kind": "status", "colour": "red"}])
def test_a_fault_that_is_misspelt_is_refused(wandb_server, about):
    with pytest.raises(AssertionError, match="400"):
        wandb_server.fault(**about)
