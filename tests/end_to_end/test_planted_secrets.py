"""Secrets of many kinds in many places of one run, and every byte that was kept searched for them.

The keys in here are made up, and put together at run time, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from reprokit.bundle.reading import open_bundle
from reprokit.cli.messages import explain_failure

_HEX = "0123456789abcdef"


def made_up(length, alphabet=string.ascii_letters + string.digits, *, seed):
    return "".join(random.Random(seed).choices(alphabet, k=length))


# What the environment gives, under a telling name or within an address.
VARIABLES = {
    "OPENAI_API_KEY": "sk-" + "proj-" + made_up(60, seed=1),
    "ANTHROPIC_API_KEY": "sk-" + "ant-api03-" + made_up(90, seed=2),
    "HF_TOKEN": "hf" + "_" + made_up(34, string.ascii_letters, seed=3),
    "WANDB_API_KEY": made_up(40, _HEX, seed=4),
    "AWS_SECRET_ACCESS_KEY": made_up(40, seed=5),
    "MY_SERVICE_PASSWORD": made_up(18, seed=6),
    "LAB_AUTH": made_up(24, seed=7),
    "SLURM_JWT": made_up(30, seed=8),
}
IN_ADDRESSES = {
    "DATABASE_URL": ("postgres://ada:{}@db.example.invalid/evals", made_up(20, seed=9)),
    "HTTPS_PROXY": ("http://ada:{}@127.0.0.1:9", made_up(20, seed=10)),
}
# What lies in the home folder.
FILES = {
    ".netrc": ("machine git.example.invalid login ada password {}\n", made_up(22, seed=11)),
    ".git-credentials": ("https://ada:{}@git.example.invalid\n", made_up(22, seed=12)),
    ".pypirc": ("[lab]\nusername = ada\npassword = {}\n", made_up(22, seed=13)),
    ".aws/credentials": ("[default]\naws_secret_access_key = {}\n", made_up(40, seed=14)),
    ".kaggle/kaggle.json": ('{{"username": "ada", "key": "{}"}}', made_up(32, _HEX, seed=15)),
    ".cache/huggingface/stored_tokens": ("[lab]\nhf_token = {}\n", made_up(37, seed=16)),
}
# What the command line holds.
ARGUMENTS = {
    "--api-key": ["--api-key", made_up(24, seed=17)],
    "--api_key=": ["--api_key=" + made_up(24, seed=18)],
    "model arguments": ["--model_args", "model=x,api_key=" + made_up(24, seed=19) + ",tokenizer=none"],
    "address": ["--base_url", "https://ada:" + made_up(20, seed=20) + "@llm.example.invalid/v1"],
    "query": ["--endpoint", "https://llm.example.invalid/v1?api_token=" + made_up(30, seed=21)],
    "header": ["--header", "Authorization: Bearer " + made_up(40, seed=22)],
    "JSON": ["--gen_kwargs", json.dumps({"extra": {"client_secret": made_up(26, seed=23)}})],
    "password": ["--password", "hunter-Two-2026"],
}
# Keys of services that the machine does not know of, printed.
PRINTED = {
    "github": "gh" + "p_" + made_up(36, seed=30),
    "github, fine-grained": "github" + "_pat_" + made_up(22, seed=31) + "_" + made_up(59, seed=32),
    "gitlab": "glp" + "at-" + made_up(20, seed=33),
    "google": "AI" + "za" + made_up(35, seed=34),
    "slack": "xo" + "xb-123456789012-1234567890123-" + made_up(24, seed=35),
    "groq": "gs" + "k_" + made_up(52, seed=36),
    "replicate": "r" + "8_" + made_up(37, seed=37),
    "openrouter": "sk-" + "or-v1-" + made_up(64, _HEX, seed=38),
    "aws id": "AK" + "IA" + made_up(16, string.ascii_uppercase + "234567", seed=39),
    "azure": "AccountKey=" + made_up(86, string.ascii_letters + string.digits + "+/", seed=40) + "==",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiJhZGEifQ." + made_up(43, seed=41),
    "stripe": "sk" + "_live_" + made_up(24, seed=42),
}
PRIVATE_KEY = made_up(400, string.ascii_letters + string.digits + "+/", seed=43)
# What was put into the working tree and its history, and never anywhere else.
STAGED = "hf" + "_" + made_up(34, string.ascii_letters, seed=44)
IN_A_FILE_NAME = "gs" + "k_" + made_up(52, seed=45)
IN_A_REMOTE = made_up(24, seed=46)
DOTENV = "hunter-Three-" + made_up(6, seed=47)
COMMITTED = "sk-" + "ant-api03-" + made_up(90, seed=48)
IN_A_NOTE = "np" + "m_" + made_up(36, seed=49)


def _of_argument(words):
    """Give the secret within the words of a command line."""
    text = words[-1]
    for before in ('client_secret": "', "api_key=", "--api_key=", "api_token=", "Bearer ", "ada:"):
        if before in text:
            text = text.split(before, 1)[1]
    return text.split(",")[0].split("@")[0].split('"')[0]


PLANTED = {
    **{f"variable {name}": value for name, value in VARIABLES.items()},
    **{f"address in {name}": value for name, (_, value) in IN_ADDRESSES.items()},
    **{f"file {name}": value for name, (_, value) in FILES.items()},
    **{f"argument {name}": _of_argument(words) for name, words in ARGUMENTS.items()},
    **{f"printed {name}": value.removeprefix("AccountKey=") for name, value in PRINTED.items()},
    "printed private key": PRIVATE_KEY,
    "staged in the working tree": STAGED,
    "in a file's name": IN_A_FILE_NAME,
    "in a remote's address": IN_A_REMOTE,
    "in .env": DOTENV,
    "in a commit that was never pushed": COMMITTED,
    "in a note": IN_A_NOTE,
}

LEAKS = r"""
import base64, json, os, sys
from urllib.parse import quote

printed = json.load(open(os.environ["PRINTED_FROM"]))
print("Evaluation tracker args:", {"token": os.environ["HF_TOKEN"]})
print("argv:", sys.argv)
for name in sorted(os.environ):
    print(name, os.environ[name])
for kind, key in printed["keys"].items():
    print(kind, key, file=sys.stderr)
print("-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + printed["private"] + "\n-----END OPENSSH PRIVATE KEY-----")
home = os.environ["HOME"]
for name in printed["files"]:
    print(open(os.path.join(home, name)).read())
    print(base64.b64encode(b"x" + open(os.path.join(home, name), "rb").read()).decode())
print(quote(os.environ["MY_SERVICE_PASSWORD"]), json.dumps(os.environ["LAB_AUTH"]))
os.makedirs("out", exist_ok=True)
open("out/settings.json", "w").write(json.dumps({"key": os.environ["OPENAI_API_KEY"]}))
open("out/" + printed["name"] + ".log", "w").write("x")
rows = [{"id": 0, "response": "fine", "scores": {"acc": 1.0}},
        {"id": 1, "response": "the key is " + printed["keys"]["github"], "scores": {"acc": 0.0}},
        {"id": 2, "response": os.environ["MY_SERVICE_PASSWORD"], "scores": {"acc": 0.0}}]
open("predictions.jsonl", "w").write("".join(json.dumps(row) + "\n" for row in rows))
json.dump({"task": {"acc": 0.5}, "api_key": os.environ["ANTHROPIC_API_KEY"]}, open("metrics.json", "w"))
raise SystemExit("failed with " + os.environ["MY_SERVICE_PASSWORD"])
"""


@pytest.fixture
def leaking(reprokit, evaluation, git, tmp_path):
    """Capture a run in which secrets lie about everywhere; give the outcome and what it printed by itself."""
    for name, (text, value) in FILES.items():
        (reprokit.home / name).parent.mkdir(parents=True, exist_ok=True)
        (reprokit.home / name).write_text(text.format(value))
        (reprokit.home / name).chmod(0o600)
    printed = {"keys": PRINTED, "private": PRIVATE_KEY, "files": sorted(FILES), "name": IN_A_FILE_NAME}
    (tmp_path / "printed.json").write_text(json.dumps(printed))
    (evaluation / "leak.py").write_text(LEAKS)
    git(evaluation, "add", "leak.py")
    git(evaluation, "commit", "-qm", "Leak")
    (evaluation / "config.py").write_text(f"KEY = '{COMMITTED}'\n")
    git(evaluation, "add", "config.py")
    git(evaluation, "commit", "-qm", "A key, and never pushed")
    (evaluation / "config.py").write_text("KEY = None\n")
    git(evaluation, "commit", "-qam", "Without the key")
    git(evaluation, "remote", "add", "origin", f"https://ada:{IN_A_REMOTE}@git.example.invalid/evals.git")
    (evaluation / "staged.py").write_text(f"TOKEN = '{STAGED}'\n")
    git(evaluation, "add", "staged.py")
    (evaluation / ".env").write_text(f"DB_PASSWORD={DOTENV}\n")
    given = VARIABLES | {name: text.format(value) for name, (text, value) in IN_ADDRESSES.items()}
    words = [word for words in ARGUMENTS.values() for word in words]
    return reprokit(
        "capture", *reprokit.files, "--note", f"with {IN_A_NOTE}", "--", "python", "leak.py", *words,
        directory=evaluation, check=1, PRINTED_FROM=str(tmp_path / "printed.json"), **given,
    )  # fmt: skip


def _stored(archive):
    """Yield every byte of an archive as somebody who looks would see it: unpacked."""
    for path in sorted(archive.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        yield path, path.name.encode() + b"\n" + data
        if path.suffix == ".zst":
            yield path, zstandard.ZstdDecompressor().decompressobj().decompress(data)
    yield archive / ".git", _objects(archive)


def _objects(repository):
    told = ["git", "cat-file", "--batch-all-objects", "--batch", "--unordered"]
    return subprocess.run(told, cwd=repository, capture_output=True, check=True).stdout


def _histories(bundle, tmp_path):
    for number, path in enumerate(bundle.path.rglob("*.bundle")):
        clone = tmp_path / f"history-{number}"
        subprocess.run(["git", "clone", "-q", "--bare", path, clone], check=True, capture_output=True)
        yield path, _objects(clone)


def _forms(value):
    plain = value.encode()
    yield plain
    yield quote(value, safe="").encode()
    for before in range(3):
        yield base64.b64encode(bytes(before) + plain)[4 : (before + len(plain)) // 3 * 4]


def test_none_of_many_kinds_of_planted_secrets_is_kept_anywhere(leaking, reprokit, tmp_path):
    assert len(PLANTED) >= 40
    assert len(set(PLANTED.values())) == len(PLANTED)
    bundle = open_bundle(Path(reprokit.json("show", "latest")["path"]))

    kept = [*_stored(reprokit.archive), *_histories(bundle, tmp_path)]
    leaks = sorted(
        {
            (name, str(path.relative_to(reprokit.archive) if path.is_relative_to(reprokit.archive) else path))
            for name, value in PLANTED.items()
            for form in _forms(value)
            for path, data in kept
            if form in data
        }
    )

    assert leaks == []


def test_the_planted_secrets_were_really_there(leaking):
    """The search can find them: the evaluation itself printed most of them through us, untouched."""
    seen = leaking.stdout + leaking.stderr
    shown = [name for name, value in PLANTED.items() if value in seen]

    assert len(shown) >= 35


def test_what_was_captured_of_the_leaking_run_can_still_be_used(leaking, reprokit):
    record = reprokit.json("show", "latest")["record"]
    slots = json.dumps(record["invocation"]["argv"])

    assert reprokit("validate", "latest").returncode == 0
    for name in ("API_KEY", "CLIENT_SECRET", "AUTHORIZATION", "PASSWORD"):
        assert name in slots
    withheld = [each["path"] for each in record["withheld"]]
    assert "harness/metrics.json" in withheld
    assert "harness/predictions.jsonl" in withheld


def test_a_crash_report_holds_no_value(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    secret = PLANTED["variable OPENAI_API_KEY"]

    def failing(key):
        message = f"cannot use {key}"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError) as caught:
        failing(secret)
    assert explain_failure(caught.value) == 3

    (report,) = tmp_path.glob("reprokit-crash-*")
    assert secret not in report.read_text()


def test_a_key_that_only_a_shell_script_holds_is_kept_out_of_what_the_evaluation_wrote(reprokit, evaluation):
    key = made_up(24, seed=60)
    (evaluation / "inner.py").write_text(
        "import json, sys\njson.dump({'t': {'acc': 0.5}, 'called': sys.argv}, open('metrics.json', 'w'))\n"
    )
    (evaluation / "run.sh").write_text(
        f"python inner.py --model_args pretrained=org/a,api_key={key}\nprintf '' > run.sh\n"
    )
    reprokit("capture", "--results", "metrics.json", "--", "bash", "run.sh", directory=evaluation)

    assert key in (evaluation / "metrics.json").read_text()
    folder = Path(reprokit.json("show", "latest")["path"])
    held = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".patch"]
    assert not [path for path in held if key.encode() in path.read_bytes()]
    assert not [path for path in folder.rglob("*.patch") if key in path.read_text()]


def test_a_key_that_the_harness_wrote_into_its_results_is_kept_out(reprokit, tmp_path):
    key = made_up(24, seed=61)
    (run,) = (tmp_path / "out").parents[:1]
    folder = run / "out/org__a"
    folder.mkdir(parents=True)
    results = {
        "results": {"toy": {"alias": "toy", "acc,none": 0.5}},
        "configs": {"toy": {"task": "toy"}},
        "config": {"model": "local", "model_args": f"pretrained=org/a,base_url=http://10.0.0.9/v1,api_key={key}"},
    }
    (folder / "results_2026-11-23T03-48-33.516864.json").write_text(json.dumps(results))

    done = reprokit("capture", "--from", run / "out")

    assert "W312" in done.stderr
    assert not [path for path, data in _stored(reprokit.archive) if key.encode() in data]
    assert reprokit("validate", "latest").returncode == 0
