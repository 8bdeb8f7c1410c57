"""The server of the tests speaks W&B's protocol: the real client does all that it does with the service."""

from __future__ import annotations

import re

ROUND_TRIP = """
files = {"a.txt": b"hello", "again.txt": b"hello", "empty": b"", "dir/b [x]\\u00fc.txt": b"world"}

def an_artifact(**metadata):
    artifact = wandb.Artifact("bundle", "eval-bundle", metadata=metadata, description="first")
    for name, content in files.items():
        artifact.add_file(write(name, content), name=name)
    return artifact

with wandb.init(entity="lab", project="evals", id="r1", name="toy on tiny", group="g", job_type="eval", notes="n",
                tags=["one"], config={"lr": 1, "deep": {"x": [1, 2]}}, settings=quiet()) as run:
    run.log({"toy/acc": 0.5, "toy/loss": 2}, step=0)
    run.summary["text"] = "not scored"
    run.log({"table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, None]])})
    first = run.log_artifact(an_artifact(k=1), aliases=["abc"], tags=["tagged"]).wait(60)
    same = run.log_artifact(an_artifact(k=2), aliases=["moved"]).wait(60)
    files["a.txt"] = b"changed"
    second = run.log_artifact(an_artifact(k=3), aliases=["abc"]).wait(60)
    other = wandb.Artifact("bundle", "dataset")
    other.add_file("empty")
    attempt("other type", lambda: run.log_artifact(other).wait(60).name)
    TOLD["versions"] = [first.version, same.version, second.version]
    TOLD["digests"] = [first.digest, same.digest, second.digest]

with wandb.init(entity="lab", project="evals", id="r1", resume="allow", settings=quiet()) as run:
    TOLD["resumed"] = run.resumed
    run.use_artifact("lab/evals/bundle:v0")
    run.log({"toy/acc": 0.75})

api = wandb.Api()
run = api.run("lab/evals/r1")
TOLD["history"] = [row["toy/acc"] for row in run.scan_history(keys=["toy/acc"])]
TOLD["sampled"] = [row["toy/acc"] for row in run.history(keys=["toy/acc"], pandas=False)]
TOLD["whole"] = len(run.history(pandas=False))
TOLD["run"] = {"text": run.summary["text"], "config": dict(run.config), "tags": list(run.tags), "state": run.state}
TOLD["files"] = sorted(file.name for file in run.files())
TOLD["logged"] = [each.name for each in run.logged_artifacts()]
TOLD["used"] = [each.name for each in run.used_artifacts()]
TOLD["found"] = [
    [each.id for each in api.runs("lab/evals", filters=filters)]
    for filters in ({"config.lr": 1}, {"config.lr.value": 2}, {"tags": {"$in": ["one"]}}, {"summary_metrics.toy/acc": {"$gt": 0.6}})
]
v0 = api.artifact("lab/evals/bundle:v0")
TOLD["used by"] = [each.id for each in v0.used_by()]
TOLD["logged by"] = v0.logged_by().id
TOLD["exists"] = [api.artifact_exists(f"lab/evals/{name}") for name in ("bundle:moved", "bundle:v7", "none:v0")]
TOLD["all"] = [each.version for each in api.artifacts("eval-bundle", "lab/evals/bundle")]
TOLD["listed"] = sorted(file.name for file in v0.files())
root = Path(v0.download(root="got", skip_cache=True))
v0.verify(root)
TOLD["got"] = {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}
v0.aliases = ["latest", "abc", "kept"]
v0.tags = ["other"]
v0.metadata["n"] = 5
v0.description = "second"
v0.save()
run.tags = ["two"]
run.config["more"] = True
run.update()
"""


def test_the_real_client_makes_the_whole_round_trip(wandb_server, wandb_client, wandb_version):
    told = wandb_client(wandb_server, ROUND_TRIP, version=wandb_version).told
    assert told["versions"] == ["v0", "v0", "v1"]  # equal content is no second version
    assert told["digests"][0] == told["digests"][1] != told["digests"][2]
    assert "already exists with type 'eval-bundle'" in told["other type"]
    assert told["resumed"] is True
    assert told["history"] == told["sampled"] == [0.5, 0.75]
    assert told["whole"] == 2
    assert told["run"]["text"] == "not scored"
    assert told["run"]["config"] == {"lr": 1, "deep": {"x": [1, 2]}}
    assert told["run"]["tags"] == ["one"]
    assert told["run"]["state"] == "finished"
    assert {"config.yaml", "wandb-summary.json"} < set(told["files"])
    # The client sends a table and an artifact side by side.
    assert sorted(told["logged"]) == ["bundle:v0", "bundle:v1", "run-r1-table:v0"]
    assert told["used"] == ["bundle:v0"]
    assert told["found"] == [["r1"], [], ["r1"], ["r1"]]
    assert (told["used by"], told["logged by"]) == (["r1"], "r1")
    assert told["exists"] == [True, False, False]
    assert told["all"] == ["v1", "v0"]
    files = {"a.txt": "hello", "again.txt": "hello", "dir/b [x]ü.txt": "world", "empty": ""}
    assert told["got"] == files
    assert told["listed"] == sorted(files)
    the_server_holds_it(wandb_server.state())


def the_server_holds_it(state):
    assert [state["unknown"], state["crashes"], state["refusals"], state["pending"]] == [[], [], [], 0]
    run = state["runs"]["lab/evals/r1"]
    assert (run["display_name"], run["group"], run["job_type"], run["notes"]) == ("toy on tiny", "g", "eval", "n")
    assert (run["tags"], run["config"]["more"], run["exit_code"]) == (["two"], True, 0)
    assert [row["toy/acc"] for row in run["history"]] == [0.5, 0.75]
    collection = state["collections"]["lab/evals/bundle"]
    assert collection["aliases"] == {"latest": "v0", "abc": "v0", "kept": "v0"}
    v0 = collection["versions"]["v0"]
    assert v0["metadata"] == {"k": 1, "n": 5}  # that of the first, not of the equal one
    assert (v0["tags"], v0["description"], v0["used_by"]) == (["other"], "second", ["lab/evals/r1"])
    assert v0["files"]["a.txt"] == {"md5": "5d41402abc4b2a76b9719d911017c592", "size": 5}
    assert v0["logged_by"] == "lab/evals/r1"
    assert collection["type"] == "eval-bundle"


def test_what_was_logged_offline_is_there_after_wandb_sync(wandb_server, wandb_client, wandb_version):
    wandb_client(
        wandb_server,
        """
        import subprocess
        os.environ["WANDB_MODE"] = "offline"
        with wandb.init(entity="lab", project="evals", id="r1", settings=quiet(), tags=["one"], config={"lr": 1}) as run:
            run.log({"toy/acc": 0.5}, step=0)
            artifact = wandb.Artifact("bundle", "eval-bundle")
            artifact.add_file(write("a.txt", b"hello"))
            run.log_artifact(artifact, aliases=["abc"])
        assert not admin("GET", "state")["requests"]
        del os.environ["WANDB_MODE"]
        folders = Path(os.environ["WANDB_DIR"]).glob("wandb/offline-run-*")
        program = Path(sys.executable).with_name("wandb")
        subprocess.run([program, "sync", "--yes", *folders], check=True, timeout=100)
        """,
        version=wandb_version,
    )
    state = wandb_server.state()
    assert [state["unknown"], state["crashes"], state["refusals"], state["pending"]] == [[], [], [], 0]
    run = state["runs"]["lab/evals/r1"]
    assert (run["state"], run["tags"], run["config"]["lr"]) == ("finished", ["one"], 1)
    assert [row["toy/acc"] for row in run["history"]] == [0.5]
    bundle = state["collections"]["lab/evals/bundle"]
    assert bundle["aliases"] == {"latest": "v0", "abc": "v0"}
    assert bundle["versions"]["v0"]["files"]["a.txt"]["size"] == 5


def test_the_clients_own_check_of_a_server_passes_but_for_https_and_sweeps(wandb_server, wandb_client):
    output = wandb_client(
        wandb_server,
        """
        import subprocess
        program = Path(sys.executable).with_name("wandb")
        subprocess.run([program, "verify", "--host", os.environ["WANDB_BASE_URL"]], timeout=150)
        """,
    ).output
    checks = dict(re.findall(r"^(Checking [^.]+)\.+(✅|❌)$", output, re.MULTILINE))
    assert {name for name, outcome in checks.items() if outcome == "❌"} == {
        "Checking requests to base url",
        "Checking requests made over signed URLs",
        "Checking sweep creation and agent execution",
    }, output
    assert len(checks) == 10
    state = wandb_server.state()
    assert set(state["unknown"]) == {'Cannot query field "upsertSweep" on type "Mutation".'}
    assert [state["crashes"], state["refusals"]] == [[], []]


def test_it_keeps_what_it_holds_and_its_address_when_it_is_restarted(wandb_server, wandb_client):
    address = wandb_server.address
    wandb_client(
        wandb_server,
        """
        with wandb.init(project="evals", id="r1", settings=quiet()) as run:
            run.log({"toy/acc": 0.5})
            artifact = wandb.Artifact("bundle", "eval-bundle")
            artifact.add_file(write("a.txt", b"hello"))
            run.log_artifact(artifact).wait(60)
        """,
    )
    before = wandb_server.state()
    wandb_server.restart()
    assert wandb_server.address == address
    assert wandb_server.state() == before
    told = wandb_client(
        wandb_server,
        """
        root = wandb.Api().artifact("ada/evals/bundle:latest").download(root="got", skip_cache=True)
        TOLD["got"] = Path(root, "a.txt").read_text()
        """,
    ).told
    assert told == {"got": "hello"}
    md5 = "5d41402abc4b2a76b9719d911017c592"
    assert wandb_server.blob(md5) == b"hello"
    wandb_server.spoil(md5)
    assert wandb_server.blob(md5) == b"\x97ello"
    wandb_server.lose(md5)
    assert md5 not in wandb_server.state()["blobs"]
    wandb_server.reset()
    assert not wandb_server.state()["runs"]
