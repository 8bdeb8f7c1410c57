"""Secrets go, everything else stays.

The keys in here are made up, and put together at run time, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import time
import tracemalloc
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reprokit.bundle.source import LeftOut, Source
from reprokit.bundle.values import SecretSlot
from reprokit.errors import ExitCode, InputMissingError
from reprokit.probes import secrets
from reprokit.probes.secrets import Secrets, likeness, redaction

RECORDED = Path(__file__).parent.parent / "recorded"


def made_up(length: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 7) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


KNOWN = made_up(40, seed=1)
OTHER = made_up(32, string.hexdigits.lower()[:16], seed=2)
SECRETS = Secrets(values={"OPENAI_API_KEY": KNOWN, "WANDB_API_KEY": OTHER})
SLOT = SecretSlot(secret="OPENAI_API_KEY")

B64 = string.ascii_letters + string.digits + "+/"
VENDOR_KEYS = {
    "openai": "sk-" + "proj-" + made_up(120) + "-_" + made_up(20),
    "openai, old": "sk-" + made_up(48),
    "deepseek": "sk-" + made_up(32, "0123456789abcdef"),
    "anthropic": "sk-" + "ant-api03-" + made_up(95),
    "openrouter": "sk-" + "or-v1-" + made_up(64, "0123456789abcdef"),
    "hugging face": "hf" + "_" + made_up(34, string.ascii_letters),
    "github": "gh" + "p_" + made_up(36),
    "github, server": "gh" + "s_" + made_up(36),
    "github, fine-grained": "github" + "_pat_" + made_up(22) + "_" + made_up(59),
    "gitlab": "glp" + "at-" + made_up(20),
    "aws": "AK" + "IA" + made_up(16, string.ascii_uppercase + "234567"),
    "aws, secret": "aws_secret_access_key = " + made_up(40, B64),
    "google": "AI" + "za" + made_up(35),
    "slack": "xo" + "xb-123456789012-1234567890123-" + made_up(24),
    "npm": "np" + "m_" + made_up(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + made_up(120),
    "replicate": "r" + "8_" + made_up(37),
    "groq": "gs" + "k_" + made_up(52),
    "nvidia": "nv" + "api-" + made_up(64),
    "xai": "xa" + "i-" + made_up(80),
    "perplexity": "pp" + "lx-" + made_up(48),
    "databricks": "da" + "pi" + made_up(32, "0123456789abcdef"),
    "stripe": "sk" + "_live_" + made_up(24),
    "sendgrid": "S" + "G." + made_up(22) + "." + made_up(43),
    "wandb": '{"WANDB_API_KEY": "' + made_up(40, "0123456789abcdef") + '"}',
    "wandb, netrc": "machine api.wandb.ai\n  login user\n  password " + made_up(40, "0123456789abcdef"),
    "azure": "AccountKey=" + made_up(86, B64) + "==",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiJhZGEifQ." + made_up(43),
    "bearer": "Authorization: Bearer " + made_up(40),
    "bearer, json": json.dumps(json.dumps({"Authorization": "Bearer " + made_up(40)})),
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + made_up(600, B64) + "\n-----END RSA PRIVATE KEY-----",
    "url": "https://ada:" + made_up(20) + "@example.org/x.git",
    "webhook": "https://hooks.slack.com/services/T" + made_up(9) + "/B" + made_up(9) + "/" + made_up(24),
}  # fmt: skip


# --- which values are secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "", "EMPTY", "none", "test", "changeme", "true", "secret", "not-a-real-key", "my-secret-password", "placeholder",
        "please_change_me_now", "thisisnotarealsecret", "MySecretPassword", "password123456", "000000000000000000000000",
        "xxxxxxxxxxxxxxxxxxxxxxxx", "/home/ada/.config/keys/openai.txt", "~/.ssh/id_ed25519", "./secrets/api_key.json",
        "/tmp/ssh-XXXXaBcD1234/agent.4711", "https://login.example.org/oauth2/v2.0/token", "2.13.0+cpu.git1a2b3c4",
        "1.10.0a0+git36449ea", "2026-11-23T03:15:47Z", "20261123T031547Z", "meta-llama/Llama-3.1-8B-Instruct",
        "gpt-4o-2024-08-06", "local0000000000000000000000000000000000000000", "<|end_of_text|>", "short1A!",
    ],
)  # fmt: skip
def test_words_paths_versions_and_dates_are_no_secrets(value):
    assert not likeness.random_enough(value)


@pytest.mark.parametrize(
    "value",
    [
        KNOWN, OTHER, made_up(20), made_up(24, string.hexdigits.lower()[:16], seed=3), "Tr0ub4dor&3xyz!", "p4ssw0rd!s3cure",
        "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d", made_up(40, B64, seed=4),
    ],
)  # fmt: skip
def test_long_random_values_are_secrets(value):
    assert likeness.random_enough(value)


@pytest.mark.parametrize(
    ("alphabet", "length", "missed"),
    [
        (string.ascii_letters + string.digits, 20, 0.01), (string.ascii_letters + string.digits, 40, 0.001),
        (string.ascii_letters + string.digits + "-_", 32, 0.01), (string.ascii_letters, 34, 0.03),
        (string.ascii_lowercase + string.digits, 32, 0.01), (string.hexdigits.lower()[:16], 32, 0.001),
    ],
)  # fmt: skip
def test_hardly_a_random_key_is_missed(alphabet, length, missed):
    keys = [made_up(length, alphabet, seed=seed) for seed in range(3000)]

    assert sum(not likeness.random_enough(key) for key in keys) <= missed * len(keys)


# --- collecting ------------------------------------------------------------------------------------------------------


def test_secrets_are_collected_from_telling_variables_only(tmp_path):
    environ = {
        "OPENAI_API_KEY": KNOWN,
        "DB_PASSWORD": "Tr0ub4dor&3xyz!",
        "MYSERVICE_APIKEY": made_up(30, seed=5),
        "HUGGING_FACE_HUB_TOKEN": made_up(34, seed=6),
        "VLLM_API_KEY": "EMPTY",
        "MAX_TOKENS": "1024",
        "SSH_AUTH_SOCK": "/tmp/ssh-XXXXaBcD1234/agent.4711",
        "RUN_DIGEST": OTHER,
        "HTTPS_PROXY": f"http://ada:{made_up(16, seed=8)}@proxy:3128",
    }

    found = secrets.collect(environ, tmp_path)

    assert set(found.values) == {
        "OPENAI_API_KEY", "DB_PASSWORD", "MYSERVICE_APIKEY", "HUGGING_FACE_HUB_TOKEN", "HTTPS_PROXY_PASSWORD",
    }  # fmt: skip


def test_secrets_are_collected_from_token_files(tmp_path):
    keys = {name: made_up(36, seed=index + 20) for index, name in enumerate("abcdefgh")}
    files = {
        ".netrc": f"machine api.wandb.ai\n login user\n password {keys['a']}\nmachine git.example.org login x password {keys['b']}\n",
        ".cache/huggingface/token": keys["c"] + "\n",
        ".git-credentials": f"https://ada:{keys['d']}@example.org\nhttps://{keys['e']}@example.com\n",
        ".pypirc": f"[distutils]\nindex-servers = pypi\n[pypi]\nusername = __token__\npassword = {keys['f']}\n",
        ".aws/credentials": f"[default]\naws_access_key_id = x\naws_secret_access_key = {keys['g']}\n",
        ".kaggle/kaggle.json": json.dumps({"username": "ada", "key": keys["h"]}),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    found = secrets.collect({"HF_TOKEN": keys["c"]}, tmp_path)

    assert sorted(found.values.values()) == sorted(keys.values())
    assert found.values["WANDB_API_KEY"] == keys["a"]
    assert found.values["HF_TOKEN"] == keys["c"]


@pytest.mark.parametrize("variable", ["HF_TOKEN_PATH", "HF_HOME"])
def test_the_hugging_face_token_is_found_where_the_variables_say(tmp_path, variable):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "token").write_text(KNOWN)
    place = tmp_path / "elsewhere"

    found = secrets.collect({variable: str(place / "token" if variable == "HF_TOKEN_PATH" else place)}, tmp_path)

    assert found.values == {"HF_TOKEN": KNOWN}


def test_damaged_token_files_hold_no_secrets(tmp_path):
    (tmp_path / ".netrc").write_bytes(b"machine \xff\xfe password\n")
    (tmp_path / ".pypirc").write_text("no section\n")
    (tmp_path / ".cache").write_text("a file, not a folder")
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text("{")
    (tmp_path / ".git-credentials").write_text("https://[::1/\n")

    assert secrets.collect({}, tmp_path).values == {}


def test_a_value_never_shows_in_the_text_form():
    shown = f"{SECRETS} {SECRETS!r} {[SECRETS]}"

    assert "OPENAI_API_KEY" in shown
    assert KNOWN not in shown
    assert OTHER not in shown


# --- command lines ---------------------------------------------------------------------------------------------------


def slots(*parts):
    return [SecretSlot(secret=part[1:]) if part.startswith("$") else part for part in parts]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["lm_eval", "--api-key", "hunter2"], ["lm_eval", "--api-key", slots("$API_KEY")]),
        (["--api_key=hunter2,x y"], [slots("--api_key=", "$API_KEY")]),
        (["--api_key", KNOWN], ["--api_key", slots("$OPENAI_API_KEY")]),
        (["--model_args", f"model=gpt,api_key={KNOWN},base_url=http://x:8000/v1"],
         ["--model_args", slots("model=gpt,api_key=", "$OPENAI_API_KEY", ",base_url=http://x:8000/v1")]),
        (["--model_args=a=b,api_key=hunter2,c=d"], [slots("--model_args=a=b,api_key=", "$API_KEY", ",c=d")]),
        (["--model_args", '{"api_key": "hunter 2", "n": 1}'],
         ["--model_args", slots('{"api_key": "', "$API_KEY", '", "n": 1}')]),
        (["--wandb_args", r'project=x,config="{\"authToken\": \"hunter2\"}"'],
         ["--wandb_args", slots(r'project=x,config="{\"authToken\": \"', "$AUTH_TOKEN", r'\"}"')]),
        (["-H", "Authorization: Bearer hunter2hunter2"], ["-H", slots("Authorization: Bearer ", "$AUTHORIZATION")]),
        (["https://ada:pw1@host/x?token=hunter2&b=1"],
         [slots("https://ada:", "$URL_PASSWORD", "@host/x?token=", "$TOKEN", "&b=1")]),
        (["bash", "-c", "export API_KEY=hunter2; run"], ["bash", "-c", slots("export API_KEY=", "$API_KEY", "; run")]),
        (["env", f"X={KNOWN}suffix"], ["env", slots("X=", "$OPENAI_API_KEY", "suffix")]),
        ([VENDOR_KEYS["hugging face"]], [slots("$HF_TOKEN")]),
        (["--token", "hunter2", "--token=hunter3"], ["--token", slots("$TOKEN"), slots("--token=", "$TOKEN_2")]),
        (["--key", made_up(24, seed=30)], ["--key", slots("$KEY")]),
    ],
)  # fmt: skip
def test_secrets_of_a_command_line_become_named_slots(argv, expected):
    assert secrets.redact_argv(argv, SECRETS) == expected


@pytest.mark.parametrize(
    "argv",
    [
        ["--model_args", "base_url=http://localhost:8000/v1,api_key=EMPTY,tokenized_requests=False,max_tokens=256"],
        ["--api-key", "none"], ["--api_key", "$OPENAI_API_KEY"], ["--api_key_env", "OPENAI_API_KEY"],
        ["--api-key", "--verbose"], ["--key", "accuracy"], ["--sort-key=exact_match,none"], ["--tokenizer", "gpt2"],
        ["--pad_token", "<pad>", "--stop_token=###"], ["--token_limit", "4096"], ["--num-keys=12"],
        ["--password-file", "/run/secrets/db"], ["git@github.com:org/repo.git"], ["ssh://git@host/repo.git"],
        ["--tasks", "a,b", "--seed", "1234", "--output_path", "out/20261123T031547Z"],
        ["--gen_kwargs", '{"until": ["Author:", "key: value"], "temperature": 0}'],
        ["--revision", "5f91d94bd9cd7190a9f3216ff93cd1dd95f2c7be"],
    ],
)  # fmt: skip
def test_what_is_no_secret_stays_in_a_command_line(argv):
    assert secrets.redact_argv(argv, SECRETS) == argv


fragments = st.sampled_from(
    ["--api_key", "--token=", "api_key=", '{"password": "', '"', "'", ",", " ", "=", ": ", "\\", "https://u:", "@h/", "?key=",
     "Bearer ", "Authorization: ", KNOWN, OTHER, KNOWN[:20], "hunter2", "EMPTY", "\udcff", "ü", quote("a/b"),
     base64.b64encode(KNOWN.encode()).decode(), *VENDOR_KEYS.values()]
)  # fmt: skip
arguments = st.lists(fragments | st.text(max_size=8), max_size=8).map("".join)


@settings(max_examples=250, deadline=None)
@given(st.lists(arguments, max_size=5))
@example(["--token", base64.b64encode(KNOWN.encode()).decode()])
def test_filling_the_slots_gives_the_command_line_back(argv):
    redacted, values = redaction._redact_argv(argv, SECRETS)

    assert [secrets.fill(argument, values) for argument in redacted] == argv
    assert redacted == secrets.redact_argv(argv, SECRETS)
    assert not any(KNOWN in part for argument in redacted for part in argument if isinstance(part, str))


def test_a_missing_secret_is_asked_for_by_name():
    with pytest.raises(InputMissingError) as told:
        secrets.fill(["api_key=", SLOT], {"OTHER": KNOWN})

    assert "`OPENAI_API_KEY`" in told.value.message
    assert told.value.exit_code == ExitCode.INPUT_MISSING
    assert KNOWN not in f"{told.value} {told.value.hint}"


def test_secrets_of_the_command_line_are_looked_for_elsewhere(tmp_path):
    given_only_here = made_up(28, seed=40)
    argv = ["--model_args", f"api_key={given_only_here},password=hunter2"]

    more = secrets.with_argv(SECRETS, argv)

    (tmp_path / "results.json").write_text(json.dumps({"config": {"model_args": argv[1]}}))
    assert secrets.names_in_file(tmp_path / "results.json", SECRETS) == set()
    assert secrets.names_in_file(tmp_path / "results.json", more) == {"API_KEY"}
    assert set(more.values) == {"OPENAI_API_KEY", "WANDB_API_KEY", "API_KEY"}


# --- records ---------------------------------------------------------------------------------------------------------


def test_records_lose_their_secrets_and_nothing_else():
    claims = {
        "model_args": f"model=gpt,api_key={KNOWN},n=1",
        "other_args": "api_key=hunter2",
        "wandb_args": {"project": "x", "api_key": "hunter2", "entity": None, "apiKey": KNOWN},
        "resolved_cli_args": [
            "--token",
            {"hf_token": "hunter2", "eos_token": "</s>", "max_tokens": 256, "api_key": "EMPTY"},
        ],
        "authors": ["Ada"],
        "password": 7,
        "tokens": [KNOWN, "plain"],
        "digest": hashlib.sha256(b"x").hexdigest(),
        KNOWN: 1,
    }

    assert secrets.redact_json(claims, SECRETS) == {
        "model_args": 'model=gpt,api_key={"secret": "OPENAI_API_KEY"},n=1',
        "other_args": 'api_key={"secret": "API_KEY"}',
        "wandb_args": {
            "project": "x", "api_key": {"secret": "API_KEY"}, "entity": None, "apiKey": {"secret": "OPENAI_API_KEY"},
        },
        "resolved_cli_args": [
            "--token", {"hf_token": {"secret": "HF_TOKEN"}, "eos_token": "</s>", "max_tokens": 256, "api_key": "EMPTY"},
        ],
        "authors": ["Ada"],
        "password": 7,
        "tokens": [{"secret": "OPENAI_API_KEY"}, "plain"],
        "digest": hashlib.sha256(b"x").hexdigest(),
        '{"secret": "OPENAI_API_KEY"}': 1,
    }  # fmt: skip


def test_a_source_record_loses_a_known_secret_and_keeps_its_digests():
    tree, commit = hashlib.sha1(b"tree").hexdigest(), hashlib.sha1(b"commit").hexdigest()
    source = Source(
        name="my-evals", root=f"/home/ada/{KNOWN}", commit=commit, branch=f"try-{KNOWN}", tree=tree,
        remotes={"origin": f"https://example.org/{KNOWN}.git", "token": "git@example.org:auth.git"},
        swhid=f"swh:1:dir:{tree}", dirty=True, patch="source/my-evals.patch",
        submodules={"libs/auth": commit, "secrets": tree, "api_key": commit}, tree_after=commit,
        left_out=[LeftOut(path="api_key/token", reason="untracked and 12.0 GiB large")],
    )  # fmt: skip
    slot = '{"secret": "OPENAI_API_KEY"}'

    redacted = msgspec.convert(secrets.redact_json(msgspec.to_builtins(source), SECRETS), Source)

    assert redacted == msgspec.structs.replace(
        source, root=f"/home/ada/{slot}", branch=f"try-{slot}",
        remotes={"origin": f"https://example.org/{slot}.git", "token": "git@example.org:auth.git"},
    )  # fmt: skip


apart = st.lists(fragments | st.text(max_size=8), max_size=8).map(" ".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | apart,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["api_key", "key", "secret", "x", "token"]) | apart, inner, max_size=4)
    ),
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_a_redacted_record_holds_no_known_secret_and_is_left_alone_from_then_on(value):
    once = secrets.redact_json(value, SECRETS)

    assert KNOWN not in json.dumps(once)
    assert OTHER not in json.dumps(once)
    assert secrets.redact_json(once, SECRETS) == once


# --- files -----------------------------------------------------------------------------------------------------------

ODD = 'a"b\\c/d é+' + made_up(16, seed=50)
FORMS = {
    "plain": ODD,
    "json": json.dumps(ODD),
    "json, not ascii": json.dumps(ODD, ensure_ascii=False),
    "json within json": json.dumps(json.dumps({"k": ODD})),
    "url": quote(ODD, safe=""),
    "base64": base64.b64encode(f"user:{ODD}".encode()).decode(),
    "base64, shifted": base64.b64encode(f"users:{ODD}!".encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(f"a{ODD}".encode()).decode(),
    "json, escaped": "".join(f"\\u{ord(character):04X}" for character in ODD),
    "json, one escaped": json.dumps(ODD).replace("+", "\\u002B"),
    "json within json, one escaped": json.dumps(json.dumps(ODD).replace("+", "\\u002b")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_found_in_every_form(tmp_path, form):
    (tmp_path / "file").write_text(f"some text, {FORMS[form]} and more\n", encoding="utf-8")

    assert secrets.names_in_file(tmp_path / "file", Secrets(values={"ODD": ODD})) == {"ODD"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [str, str.encode], ids=["text", "bytes"])
def test_a_known_secret_is_found_in_a_line_in_every_form(form, kind):
    line = kind(f"some text, {FORMS[form]} and more")

    assert secrets.names_in_text(line, Secrets(values={"ODD": ODD, "OTHER": OTHER})) == {"ODD"}
    assert secrets.names_in_text(line, SECRETS) == set()


def test_a_services_key_is_found_in_a_line():
    assert secrets.names_in_text(f'{{"a":"{VENDOR_KEYS["github"]}"}}', Secrets()) == {"GITHUB_TOKEN"}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [ODD, json.dumps(ODD), json.dumps(ODD, ensure_ascii=False)])
@pytest.mark.parametrize("before", [b"", b"?"])
def test_a_known_secret_is_found_in_utf_16(tmp_path, encoding, text, before):
    (tmp_path / "file").write_bytes(before + f"some text, {text} and more".encode(encoding))

    assert secrets.names_in_file(tmp_path / "file", Secrets(values={"ODD": ODD})) == {"ODD"}


@pytest.mark.parametrize("end", ["", "-----END PRIVATE KEY-----\n"])
@pytest.mark.parametrize("part", ["-----BEGIN " + "PRIVATE KEY-----", "-----BEGIN " + "PRIVATE KEY-----\n-----END",
                                  "-----BEGIN " + "PRIVATE KEY-----\nexample\n", "api_key=", "Authorization", 'api_key="'])  # fmt: skip
def test_a_log_that_repeats_itself_is_cleaned_in_no_time(part, end):
    data = (part * (500_000 // len(part)) + end).encode()

    started = time.process_time()
    secrets.redact_text(data, SECRETS)

    assert time.process_time() - started < 5  # seconds, where quadratic work takes ten times as many


def test_the_last_of_many_private_keys_goes_though_the_others_have_no_end():
    begin, body = "-----BEGIN " + "PRIVATE KEY-----\n", made_up(600, B64)
    text = begin * 3000 + body + "\n-----END PRIVATE KEY-----\n" + begin + "...\n-----END PRIVATE KEY-----\n"

    redacted, names = secrets.redact_text(text.encode(), Secrets())

    assert names == {"PRIVATE_KEY"}
    assert body.encode() not in redacted
    assert redacted.endswith(b"-----END PRIVATE KEY-----\n" + begin.encode() + b"...\n-----END PRIVATE KEY-----\n")


def test_a_private_key_after_an_example_of_one_goes():
    begin, body = "-----BEGIN " + "PRIVATE KEY-----\n", made_up(600, B64)

    redacted, _ = secrets.redact_text(f"{begin}example\n{begin}{body}\n-----END".encode(), Secrets())

    assert redacted.decode() == f'{begin}example\n{begin.rstrip()}{{"secret": "PRIVATE_KEY"}}-----END'


@pytest.mark.parametrize("vendor", VENDOR_KEYS)
def test_a_key_of_a_known_service_is_found_and_goes(tmp_path, vendor):
    text = f"before {VENDOR_KEYS[vendor]} after\n"
    (tmp_path / "file").write_text(text)

    names = secrets.names_in_file(tmp_path / "file", Secrets())
    redacted, redacted_names = secrets.redact_text(text.encode(), Secrets())

    assert len(names) == 1
    assert redacted_names
    assert redacted.startswith(b"before ")
    assert redacted.endswith(b" after\n")
    longest = max(VENDOR_KEYS[vendor].replace('"', " ").replace("@", " ").split(), key=len)
    assert longest[-20:].encode() not in redacted


def _things_that_look_like_secrets():
    data = random.Random(3).randbytes(3_000_000)
    yield from (hashlib.sha256(bytes([i])).hexdigest() for i in range(50))
    yield from ("sha256:" + hashlib.sha256(bytes([i])).hexdigest() for i in range(50))
    yield from (hashlib.sha1(bytes([i])).hexdigest() for i in range(50))
    yield "data:image/png;base64," + base64.b64encode(data).decode()
    yield base64.urlsafe_b64encode(data).decode()
    yield "550e8400-e29b-41d4-a716-446655440000"
    yield "task-specific-long-hyphenated-identifier-with-words sk-learn disk-usage-of-the-whole-machine"
    yield "hf_hub_download_with_a_long_python_name get_model_for_sequence_classification_hf_transformers"
    yield "api_key: str | None = None; password: required; Authorization: Bearer <token>"
    yield "OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    yield "AKIA" + "IOSFODNN7EXAMPLE"
    yield "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"
    yield "https://ada:password@example.org mailto:ada@example.org http://localhost:8000/v1 user@host:/path"
    yield "swh:1:dir:4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_digests_uuids_images_and_documentation_are_no_secrets(tmp_path):
    file = tmp_path / "samples.jsonl"
    with file.open("w") as stream:
        for index, text in enumerate(_things_that_look_like_secrets()):
            stream.write(json.dumps({"doc_id": index, "doc_hash": text, "doc": {"key": text, "token": text}}) + "\n")

    assert secrets.names_in_file(file, Secrets()) == set()


def test_the_samples_of_real_harnesses_hold_no_secrets():
    files = [path for path in RECORDED.rglob("*") if path.suffix in {".json", ".jsonl"} and path.is_file()]

    assert len(files) > 0
    assert {path.name: names for path in files if (names := secrets.names_in_file(path, Secrets()))} == {}


@pytest.mark.parametrize("shift", [0, 1, 7, 39, 40, 41, 300, 70_000])
def test_secrets_across_borders_of_reading_are_found_and_go(tmp_path, shift):
    border = redaction._WINDOW
    text = bytearray(b"word \xff " * (border * 3 // 7))
    places = {
        border - shift: KNOWN,
        2 * border - shift: VENDOR_KEYS["github"] + " ",
        border // 2: "api_key=Tr0ub4dor&3xyz!",
    }
    for place, secret in places.items():
        text[place : place + len(secret) + 1] = b" " + secret.encode()
    (tmp_path / "log").write_bytes(text)

    names = secrets.names_in_file(tmp_path / "log", SECRETS)
    redacted_names = secrets.redact_file(tmp_path / "log", tmp_path / "clean", SECRETS)

    assert names == {"OPENAI_API_KEY", "GITHUB_TOKEN"}
    assert redacted_names == {"OPENAI_API_KEY", "GITHUB_TOKEN", "API_KEY"}
    assert (tmp_path / "clean").read_bytes() == secrets.redact_text(bytes(text), SECRETS)[0]
    assert KNOWN.encode() not in (tmp_path / "clean").read_bytes()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.binary(max_size=30) | arguments.map(lambda text: text.encode("utf-8", "surrogateescape")), max_size=6)
)
def test_a_log_without_secrets_stays_byte_for_byte_and_one_with_them_loses_them(parts):
    data = b" ".join(parts)

    redacted, names = secrets.redact_text(data, SECRETS)

    assert (redacted == data) == (names == set())
    assert KNOWN.encode() not in redacted
    assert OTHER.encode() not in redacted


@settings(max_examples=30, deadline=None)
@given(
    st.lists(fragments | st.text(max_size=8).map(lambda text: text * 400), min_size=1, max_size=20),
    st.sampled_from([5_000, 40_000]),
)
def test_reading_in_parts_gives_what_reading_at_once_gives(tmp_path_factory, parts, window):
    folder = tmp_path_factory.mktemp("parts")
    data = " ".join(parts * 6).encode("utf-8", "surrogateescape")
    (folder / "log").write_bytes(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_WINDOW", window)
        names = secrets.redact_file(folder / "log", folder / "clean", SECRETS)
        found = secrets.names_in_file(folder / "log", SECRETS)

    whole, whole_names = secrets.redact_text(data, SECRETS)
    assert ((folder / "clean").read_bytes(), names) == (whole, whole_names)
    assert not found or names


def test_a_log_full_of_one_secret_is_cleaned_in_no_time(tmp_path):
    line = f"INFO request with key {KNOWN} sent\n".encode()
    (tmp_path / "log").write_bytes(line * 30_000)

    started = time.process_time()
    secrets.redact_file(tmp_path / "log", tmp_path / "clean", SECRETS)

    assert time.process_time() - started < 60  # seconds, where quadratic work would take many minutes
    clean = (tmp_path / "clean").read_bytes()
    assert clean == line.replace(KNOWN.encode(), b'{"secret": "OPENAI_API_KEY"}') * 30_000


@pytest.mark.parametrize("text", ["1.0" + "a" * 25_000 + "!", "eyJ" * 12_000, "-----BEGIN PRIVATE KEY-----" + "A" * 25_000,
                                  "k" * 25_000 + "=", "https://" + "a:" * 12_000, '"key": ' * 5_000, "\\" * 25_000 + '"=',
                                  "api_key=" * 12_000, "sk-" * 8_000, "a_" * 12_000 + "=" * 12_000])  # fmt: skip
def test_no_text_makes_the_search_slow(text):
    started = time.process_time()
    likeness.random_enough(text)
    secrets.redact_text(text.encode(), SECRETS)
    secrets.redact_json({"token": text, "x": text}, SECRETS)
    secrets.redact_argv(["--token", text, text], SECRETS)

    assert time.process_time() - started < 60  # seconds, where quadratic work would take many minutes


def test_memory_does_not_grow_with_the_file(tmp_path):
    file = tmp_path / "samples.jsonl"
    file.write_bytes(b'{"doc_id": 1, "text": "quite ordinary"}\n' * 600_000)

    tracemalloc.start()
    secrets.names_in_file(file, SECRETS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 12 << 20 < file.stat().st_size
