"""The server of the tests checks what the client sends, and says no as the service does."""

from __future__ import annotations


def test_it_refuses_what_the_service_refuses(wandb_server, wandb_client):
    told = wandb_client(
        wandb_server,
        """
        def push(name, files, **how):
            artifact = wandb.Artifact("bundle", "eval-bundle")
            for path, content in files.items():
                artifact.add_file(write(path, content), policy="immutable", skip_cache=True)
            if how.get("then"):
                how["then"]()
            attempt(name, lambda: run.log_artifact(artifact).wait(60).version)

        with wandb.init(project="evals", id="r1", settings=quiet()) as run:
            push("other bytes", {"a.txt": b"hello"}, then=lambda: write("a.txt", b"HELLO"))
            fault("lost-upload", path="/b[.]txt$")
            push("missing", {"a.txt": b"hello", "b.txt": b"lost"})
            heal()
            fault("lost-upload", path="^/storage/manifest/")
            push("no manifest", {"a.txt": b"hello", "c.txt": b"c"})
            heal()
            push("whole", {"a.txt": b"hello", "b.txt": b"lost"})
            attempt("numbered", lambda: run.log_artifact(wandb.Artifact("n", "x"), aliases=["v7"]).wait(60).version)
        api = wandb.Api()
        attempt("with aliases", lambda: api.artifact("ada/evals/bundle:v0").delete())
        attempt("stranger", lambda: wandb.init(entity="stranger", project="evals", settings=quiet()).id)
        api.run("ada/evals/r1").delete()
        attempt("deleted", lambda: wandb.init(project="evals", id="r1", settings=quiet()).id)
        attempt("gone", lambda: wandb.Api().run("ada/evals/r1").state)
        attempt("no artifact", lambda: api.artifact("ada/evals/none:latest").id)
        attempt("other key", lambda: wandb.Api(api_key="local" + "1" * 40).artifact("ada/evals/bundle:latest").id)
        """,
    ).told
    assert told["whole"] == "v0"  # of all the versions that were begun
    assert "409" in told["deleted"]
    assert "previously created and deleted" in told["deleted"]
    assert "not found" in told["gone"]
    assert "entity stranger not found" in told["stranger"]
    assert "cannot delete a version with aliases" in told["with aliases"]
    assert "not found" in told["no artifact"]
    assert "user is not logged in" in told["other key"]
    for refused in ("other bytes", "missing", "no manifest", "numbered"):
        assert told[refused].startswith("ValueError"), refused
    state = wandb_server.state()
    assert [state["unknown"], state["crashes"]] == [[], []]
    assert state["collections"]["ada/evals/bundle"]["committed"] == 1
    assert state["pending"] == 3  # what was begun and refused
    said = "\n".join(state["refusals"])
    for why in ("a.txt: BadDigest", "`b.txt` has not been uploaded", "the manifest has not been uploaded"):
        assert why in said


def test_a_commit_is_refused_when_bytes_or_manifest_are_not_those_announced(wandb_server, wandb_client):
    told = wandb_client(
        wandb_server,
        """
        import hashlib, time
        md5 = lambda content: hashlib.md5(content).hexdigest()
        def push(name, files):
            artifact = wandb.Artifact("bundle", "eval-bundle")
            for path, content in files.items():
                artifact.add_file(write(path, content))
            attempt(name, lambda: run.log_artifact(artifact).wait(60).version)

        with wandb.init(project="evals", id="r1", settings=quiet()) as run:
            push("first", {"a.txt": b"hello"})
            admin("POST", "blobs/" + md5(b"hello"), b"hello, world")
            push("another size", {"a.txt": b"hello", "b.txt": b"b"})
            admin("DELETE", "blobs/" + md5(b"hello"))
            push("sent again", {"a.txt": b"hello", "b.txt": b"b"})
            before = admin("GET", "state")["blobs"].keys()
            fault("slow", operation="CommitArtifact", seconds=60)
            artifact = wandb.Artifact("bundle", "eval-bundle")
            artifact.add_file(write("c.txt", b"c"))
            run.log_artifact(artifact)
            while not admin("GET", "faults")[0]["happened"]:
                time.sleep(0.1)
            for other in admin("GET", "state")["blobs"].keys() - before - {md5(b"c")}:
                admin("POST", "blobs/" + other, b'{"contents": {}}')
            heal()
            attempt("another manifest", lambda: artifact.wait(60).version)
        """,
    ).told
    assert told["first"] == "v0"
    assert "has 12 bytes, not 5" in told["another size"]
    assert told["sent again"] == "v1"
    assert "the manifest has digest" in told["another manifest"]


def test_what_it_does_not_know_is_told(wandb_server, wandb_client):
    told = wandb_client(
        wandb_server,
        """
        ask = wandb.Api()._service_api.execute_graphql
        attempt("field", lambda: ask("query { viewer { id shoeSize } }"))
        attempt("argument", lambda: ask('query { viewer { teams(color: "red") { edges { node { name } } } } }'))
        attempt("mutation", lambda: ask("mutation M { makeCoffee(input: {}) { cup } }"))
        attempt("input", lambda: ask('mutation M { upsertModel(input: {name: "p", smell: "x"}) { inserted } }'))
        attempt("subfields", lambda: ask("query { viewer }"))
        attempt("filter", lambda: list(wandb.Api().runs("ada/evals", filters={"shoeSize": 41})))
        attempt("known", lambda: ask(
            '''query Q($who: Boolean!, $not: Boolean = false, $name: String = "ada") {
                 me: viewer { ...Who @include(if: $who) email @skip(if: true) username @include(if: $not) }
                 entity(name: $name) { __typename ... on Entity { called: name } ... on Run { state } }
               }
               fragment Who on User { id name }''', {"who": True}))
        """,
    ).told
    assert told["known"] == {
        "me": {"id": told["known"]["me"]["id"], "name": "ada"},
        "entity": {"__typename": "Entity", "called": "ada"},
    }
    assert 'Cannot query field "shoeSize" on type "User".' in told["field"]
    assert wandb_server.state()["unknown"] == [
        'Cannot query field "shoeSize" on type "User".',
        'Unknown argument "color" on field "User.teams".',
        'Cannot query field "makeCoffee" on type "Mutation".',
        'Unknown argument "smell" on field "Mutation.upsertModel".',
        'Field "Query.viewer" needs subfields.',
    ]
