"""What command lines and claims ask for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.probes.subject.asked import Named, arguments, from_claims, from_command


@pytest.mark.parametrize(
    "argv",
    [
        ["lm_eval", "--model", "hf", "--model_args", "pretrained=org/m,revision=abc,dtype=float32"],
        ["lm-eval", "run", "-M", "hf", "-a", "pretrained=org/m", "revision=abc", "--tasks", "x"],
        ["lm_eval", "-M", "hf", "-apretrained=org/m,revision=abc"],
        ["python", "-m", "lm_eval", "--model=hf", "--model_args=pretrained=org/m,revision=abc"],
        ["lm_eval", "-M", "hf", "-a", '{"pretrained": "org/m", "revision": "abc", "chat_template_args": {"a": 1}}'],
        ["accelerate", "launch", "-m", "lmms_eval", "--model", "hf", "--model_args", "model_id=org/m,revision=abc"],
    ],
)
def test_a_harness_is_told_its_model_in_many_ways(argv):
    asked = from_command(argv)

    assert asked.model == Named(name="org/m", revision="abc")
    assert asked.kind in {"hf", None}


def test_adapters_and_tokenizers_are_models_of_their_own():
    asked = from_command(["lm_eval", "--model_args", "pretrained=base,peft=org/lora,tokenizer=org/tok,revision=v1"])

    assert asked.models == (
        Named(name="base", revision="v1"),
        Named(name="org/lora", role="peft"),
        Named(name="org/tok", role="tokenizer", revision="v1"),
    )


def test_a_script_is_read_by_the_usual_names_of_flags():
    argv = ["python", "e.py", "--model-name-or-path", "org/m", "--revision=r", "--dataset", "org/d", "--adapter", "a"]
    argv += ["--base-url", "http://127.0.0.1:1/v1", "--system_prompt", "Be brief."]
    asked = from_command(argv)

    assert asked.models == (Named(name="org/m", revision="r"), Named(name="a", role="adapter"))
    assert asked.datasets == (Named(name="org/d"),)
    assert asked.endpoint == "http://127.0.0.1:1/v1"
    assert asked.system_prompt == "Be brief."


def test_the_kind_of_a_harness_s_model_is_no_model():
    assert from_command(["lm_eval", "--model", "dummy", "--tasks", "x"]).models == ()


@pytest.mark.parametrize(
    "form", [{"pretrained": "org/m", "base_url": "http://h:1"}, "pretrained=org/m,base_url=http://h:1"]
)
def test_claims_are_read_as_a_table_and_as_text(form):
    asked = from_claims({"config": {"model": "hf", "model_args": form}, "system_instruction": "Be brief."})

    assert asked.model == Named(name="org/m")
    assert (asked.kind, asked.endpoint, asked.system_prompt) == ("hf", "http://h:1", "Be brief.")


@given(st.lists(st.text(max_size=20) | st.sampled_from(["--model", "--model_args", "-a", "lm_eval", "{", "a=b", "="])))
def test_no_command_line_is_too_odd(argv):
    from_command(argv)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["config", "model", "model_args", "pretrained", "revision"]), x)
        ),
    )
)
def test_no_claims_are_too_odd(claims):
    from_claims(claims if isinstance(claims, dict) else {"config": claims})
    arguments(claims)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9./:-]{0,8}", fullmatch=True),
        max_size=4,
    )
)
def test_a_table_and_its_two_spellings_are_read_alike(table):
    assert arguments(",".join(f"{key}={value}" for key, value in table.items())) == table
    assert arguments(json.dumps(table)) == table
