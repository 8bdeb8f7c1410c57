"""What may differ between two runs of the same evaluation, and what never may."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.bundle.environment import Package
from reprokit.bundle.record import Output
from reprokit.bundle.results import Task
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.diff.setup import comparing, noise
from reprokit.diff.setup.facts import AREAS
from reprokit.diff.tasks import pair_tasks


def set_ups(a, b):
    return comparing.compare_set_ups(a, b, pair_tasks(a, b, Asked()))


def changes(a, b):
    return [(c.area, c.name, c.kind, c.before, c.after) for c in set_ups(a, b).whole.changes]


def ignored(a, b):
    return {(i.area, i.name): i.rules for i in set_ups(a, b).whole.ignored}


# --- a faithful reproduction -------------------------------------------------------------------------------------------


def in_a_place(make, *, home, prefix, start, output, host):
    """The same run, wherever and whenever."""
    argv = [f"{prefix}/bin/lm_eval", "run", "--include_path", f"{home}/tasks", "--output_path", output]
    task = Task(
        name="toy",
        version="1.0",
        n_shot=0,
        config={
            "process": f"<function process at 0x{hash(home) & 0xFFFFFFFF:x}>",
            "metadata": {"config_source": f"{prefix}/lib/python3.11/site-packages/lm_eval/toy.yaml"},
            "data": f"file://{home}/data.jsonl",
        },
    )
    environment = make.environment(
        prefix,
        packages=[
            Package(
                name="my_evals", version="0.1", editable=True, direct_url={"url": f"file://{home}", "dir_info": {}}
            ),
            Package(name="torch", version="2.13.0", record_digest="sha256:" + "2" * 64),
        ],
        modules={"answers": f"{home}/answers.py"},
        loaded_from_cache=[f"/cache-of-{host}/hub/models--toy-org--tiny/snapshots/{'a' * 40}/config.json"],
        hosts=[f"{host}:443"],
    )
    return make.side(
        record=make.record(
            argv,
            home=home,
            outputs=[Output(path=output, argument=5)],
            variables={"PYTHONPATH": f"{home}/src:{home}", "HF_HOME": f"/cache-of-{host}", "PYTHONHASHSEED": "0"},
            invocation={"program": f"{prefix}/bin/lm_eval"},
            run={"started": start, "ended": start, "host": host, "resources": {"user_seconds": hash(host) % 100 / 7}},
            claims={
                "date": hash(start) % 1000,
                "total_evaluation_time_seconds": str(hash(start)),
                "config": {"model_args": {"pretrained": f"{home}/models/tiny"}, "output_path": output, "seed": 7},
                "task_hashes": {"toy": "0"},
            },
        ),
        sources=[make.source(home, branch=host, remotes={"origin": f"https://{host}/evals"})],
        environment=environment,
        tasks=[task],
    )


def test_a_faithful_reproduction_elsewhere_has_no_change_in_its_set_up(make):
    original = in_a_place(
        make, home="/home/ada/my-evals", prefix="/opt/venv", start="2026-11-23T03:15:47Z", output="out", host="box"
    )
    again = in_a_place(
        make,
        home="/tmp/ws/source",
        prefix="/tmp/ws/environment",
        start="2031-01-01T00:00:00Z",
        output="/tmp/ws/o",
        host="b",
    )

    found = set_ups(original, again).whole

    assert found.changes == ()
    assert found.not_compared == ()
    assert compare(original, again).verdict == "identical"
    assert {"place", "time", "host", "output", "address", "installed", "clone"} <= {
        r for i in found.ignored for r in i.rules
    }
    assert all(item.reason for item in found.ignored)


def test_a_folder_whose_name_only_begins_like_a_checkouts_is_another_folder(make):
    def side(home):
        record = make.record(["p", "--data", f"{home}-private/data"], home=home)
        return make.side(record=record, sources=[make.source(home)])

    found = changes(side("/home/ada/evals"), side("/home/bob/evals"))

    assert found == [
        ("invocation", "--data", "changed", "/home/ada/evals-private/data", "/home/bob/evals-private/data")
    ]


def test_another_place_in_the_same_checkout_is_a_change(make):
    a = make.side()
    b = make.side(record=make.record(invocation={"directory_in_source": "sub", "working_directory": "/x/sub"}))

    assert [(c[0], c[1]) for c in changes(a, b)] == [("working directory", "path")]


def test_a_working_directory_outside_of_checkouts_is_noise(make):
    def side(path):
        record = make.record(invocation={"source": None, "working_directory": path})
        return make.side(record=record, sources=[])

    assert changes(side("/a"), side("/b")) == []
    assert ignored(side("/a"), side("/b")) == {("working directory", "path"): ["place"]}


# --- the rules themselves ----------------------------------------------------------------------------------------------

NEVER_NOISE = (
    "seed", "random_seed", "numpy_seed", "torch_seed", "fewshot_seed", "PYTHONHASHSEED", "PL_GLOBAL_SEED", "initial_seed",
    "limit", "--limit", "offset", "version", "lm_eval_version", "transformers_version", "kernel", "driver", "cuda",
    "model_args.dtype", "batch_size", "device", "num_fewshot", "n-shot.toy", "gen_kwargs.temperature", "temperature.x",
    "VLLM_KV_CACHE_DTYPE", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "SLURM_NTASKS", "WORLD_SIZE", "imageid", "image",
    "torch", "torch, files", "torch, origin", "my-evals, commit", "my-evals, tree", "my-evals, dirty", "model_sha",
    "chat_template", "system_instruction", "revision", "max_gen_toks", "memory_bytes",
)  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "config.", "eval.", "my-evals, "])
def test_no_rule_ignores_what_can_move_a_score(prefix):
    assert [(area, name) for area in AREAS for name in NEVER_NOISE if noise.field_rule(area, prefix + name)] == []


SETTINGS = st.one_of(
    st.integers(0, 2**40),
    st.floats(0, 2).map(lambda x: round(x, 6)),
    st.from_regex(r"\d\.\d{1,2}\.\d{1,2}", fullmatch=True),
)


@settings(deadline=None)
@given(before=SETTINGS, after=SETTINGS, key=st.sampled_from(["seed", "limit", "lm_eval_version", "temperature"]))
def test_a_changed_seed_limit_or_version_is_always_told(make, before, after, key):
    def side(setting):
        record = make.record(["p", f"--{key}", str(setting)], claims={"config": {key: setting}})
        return make.side(record=record)

    a, b = side(before), side(after)
    told = {c[1] for c in changes(a, b)}
    retold = {name for (_, name), rules in ignored(a, b).items() if rules == [noise.RETOLD]}

    assert (f"--{key}" in told) == (str(before) != str(after))
    assert (f"config.{key}" in told | retold) == (str(before) != str(after))
    assert retold <= ({f"config.{key}"} if told else set())


@settings(deadline=None)
@given(st.text(alphabet="0123456789abcdefx /-_.<>at", max_size=60))
def test_text_rules_change_nothing_but_their_own_pieces(text):
    cleaned, used = noise.without_noise(text)

    assert (cleaned != text) <= bool(used)
    assert noise.without_noise(cleaned)[0] == cleaned


def test_a_number_in_base_sixteen_is_no_address():
    assert noise.without_noise("seed=0x2a") == ("seed=0x2a", frozenset())
    assert noise.without_noise("<function f at 0x7f94642d84a0>")[0] == noise.without_noise("<function f at 0x1>")[0]


def test_every_rule_has_a_reason():
    rules = {rule.name for rule in (*noise.FIELD_RULES, *noise.TEXT_RULES)}

    assert rules <= noise.REASONS.keys()
    assert {rule.area for rule in noise.FIELD_RULES} <= set(AREAS)
