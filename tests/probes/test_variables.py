import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle import canonical
from reprokit.bundle.record import Variable
from reprokit.bundle.values import SecretSlot
from reprokit.probes import launcher, variables
from reprokit.probes.interpreter import child_environment
from reprokit.probes.secrets import Secrets


@pytest.mark.parametrize(
    "name",
    [
        "HF_HUB_OFFLINE",
        "CUDA_VISIBLE_DEVICES",
        "TOKENIZERS_PARALLELISM",
        "PYTHONHASHSEED",
        "LC_ALL",
        "TZ",
        "TORCH_HOME",
        "CUBLAS_WORKSPACE_CONFIG",
        "OPENAI_BASE_URL",
        "LMEVAL_HASHMM",
        "VLLM_ATTENTION_BACKEND",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "OPENAI_MAX_TOKENS",
    ],
)
def test_what_matters_to_an_evaluation_is_kept(name):
    assert variables.observe({name: "value"}) == [Variable(name=name, value="value")]


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "USER", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "TF_VAR_password", "SLURM_JOB_ID", "PS1"]
)
def test_what_does_not_matter_is_not_even_named(name):
    assert variables.observe({name: "value"}) == []


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "OPENAI_API_KEY",
        "VLLM_API_KEY",
        "HF_HUB_TOKEN",
        "LMMS_EVAL_PASSWORD",
        "OPENAI_APIKEY",
        "ANTHROPIC_AUTH_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "AZURE_OPENAI_KEY",
        "INSPECT_CREDENTIALS",
        "NCCL_COOKIE",
    ],
)
def test_a_secret_leaves_a_slot_of_its_name(name):
    assert variables.observe({name: "hunter2"}) == [Variable(name=name, value=[SecretSlot(secret=name)])]


def test_an_empty_secret_is_no_secret():
    assert variables.observe({"HF_TOKEN": ""}) == [Variable(name="HF_TOKEN", value="")]


def test_a_password_inside_an_address_leaves_a_slot():
    (found,) = variables.observe({"OPENAI_BASE_URL": "https://ada:hunter2@example.org/v1"})

    assert found.value == ["https://", SecretSlot(secret="OPENAI_BASE_URL"), "@example.org/v1"]


KNOWN = "qT7" + "xW2mZ9" + "bK4vR8nL"


def test_every_password_in_a_list_of_addresses_leaves_a_slot_of_its_own():
    (found,) = variables.observe({"OPENAI_BASE_URL": "http://ada:p@ss1@a/v1,http://eve:pass2@b/v1"})

    assert found.value == [
        "http://", SecretSlot(secret="OPENAI_BASE_URL"), "@a/v1,http://", SecretSlot(secret="OPENAI_BASE_URL_2"), "@b/v1",
    ]  # fmt: skip


@pytest.mark.parametrize("parameter", ["token", "api_key", "access_token"])
def test_a_secret_parameter_of_an_address_leaves_a_slot(parameter):
    (found,) = variables.observe({"OPENAI_BASE_URL": f"https://example.org/v1?a=1&{parameter}=hunter2&b=2"})

    expected = [f"https://example.org/v1?a=1&{parameter}=", SecretSlot(secret=parameter.upper()), "&b=2"]
    assert found.value == expected


def test_a_known_secret_leaves_a_slot_wherever_it_stands():
    secrets = Secrets(values={"MY_KEY": KNOWN})

    (found,) = variables.observe({"HF_HOME": f"/cache/{KNOWN}/hub"}, secrets)

    assert found.value == ["/cache/", SecretSlot(secret="MY_KEY"), "/hub"]


def test_a_launchers_values_are_told_without_known_secrets():
    secrets = Secrets(values={"MY_KEY": KNOWN})

    told = launcher.observe({"SLURM_JOB_PARTITION": f"p-{KNOWN}", "RANK": "0"}, secrets)

    assert told == {"RANK": "0", "SLURM_JOB_PARTITION": 'p-{"secret": "MY_KEY"}'}


def test_the_probe_leaves_no_trace(tmp_path):
    own = {"PYTHONPATH": "/x:/y", "HF_HOME": "/hf"}

    assert variables.observe(child_environment(own, tmp_path)) == variables.observe(own)
    assert variables.observe(child_environment({}, tmp_path)) == []


@given(
    st.dictionaries(st.sampled_from(["HF_TOKEN", "OPENAI_API_KEY", "VLLM_SECRET", "TZ", "LANG", "HF_HOME"]), st.text())
)
def test_variables_are_sorted_and_never_tell_a_secret(environ):
    marked = {name: f"<{name}>{value}" for name, value in environ.items()}
    found = variables.observe(marked)

    assert [each.name for each in found] == sorted(environ)
    written = canonical.line(found).decode()
    assert all((f"<{name}>" in written) == (not variables.looks_secret(name)) for name in environ)


def test_bytes_that_are_no_text_can_be_written():
    (found,) = variables.observe({"HF_HOME": os.fsdecode(b"/caf\xe9")})

    assert canonical.line(found)


def test_a_launcher_is_told_without_its_secrets():
    environ = {
        "SLURM_JOB_ID": "42",
        "SLURM_ARRAY_TASK_ID": "7",
        "SLURM_JWT": "hunter2",
        "RANK": "0",
        "WORLD_SIZE": "8",
        "ACCELERATE_MIXED_PRECISION": "bf16",
        "ACCELERATE_HUB_TOKEN": "hunter2",
        "HOME": "/home/ada",
    }

    assert launcher.observe(environ) == {
        "ACCELERATE_MIXED_PRECISION": "bf16",
        "RANK": "0",
        "SLURM_ARRAY_TASK_ID": "7",
        "SLURM_JOB_ID": "42",
        "WORLD_SIZE": "8",
    }


def test_a_run_started_by_hand_has_no_launcher():
    assert launcher.observe({"HOME": "/home/ada"}) == {}
