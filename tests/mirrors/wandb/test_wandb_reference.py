"""References to what W&B keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.errors import UsageError
from reprokit.mirrors.wandb.reference import parse

names = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(names, names, names, names)
def test_a_whole_reference_is_read_back(entity, project, name, alias):
    text = f"wandb:{entity}/{project}/{name}:{alias}"
    assert str(parse(text, entity=None, project="other")) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("wandb:lab/evals/name:v3", "wandb:lab/evals/name:v3"),
        ("wandb:evals/name:v3", "wandb:mine/evals/name:v3"),
        ("wandb:name:v3", "wandb:mine/ours/name:v3"),
        ("wandb:name", "wandb:mine/ours/name:latest"),
        ("wandb:lab/my project/name:final run", "wandb:lab/my project/name:final run"),
    ],
)
def test_what_is_left_out_is_filled_up(text, meant):
    assert str(parse(text, entity="mine", project="ours")) == meant


def test_without_an_entity_it_is_left_to_the_key():
    found = parse("wandb:name:v3", entity=None, project="ours")
    assert (found.entity, found.collection, found.qualified) == (None, "ours/name", "ours/name:v3")


@pytest.mark.parametrize(
    "text",
    [
        *("", "wandb", "wandb:", "wandb::", "wandb:a:", "wandb:/a:b", "wandb:a//b:c", "wandb:a/b/c/d:e", "other:a:b"),
        *(
            "wandb:../../etc/passwd",
            "wandb:a/../b:c",
            "wandb:..:c",
            "wandb:a/b/..:c",
            "wandb:a/b/c:d:e",
            "wandb:a/b/c:d/e",
        ),
        *(
            "wandb:a/b/c\n:d",
            "wandb:a/b/c:d\n",
            "wandb:a/b/c:\x00",
            "wandb:a b/c/d:e",
            "wandb:a/b?c/d:e",
            "wandb:a/b#c/d:e",
        ),
        *(
            "wandb:a/b%2f/d:e",
            "wandb:" + "x" * 2000,
            "wandb:a/b/" + "x" * 129 + ":c",
            "wandb:ä/b/c:d",
            "wandb:a/b/c: d",
        ),
        *("WANDB:a/b/c:d", " wandb:a/b/c:d", "wandb:a\\b:c", "wandb:file://etc:c"),
    ],
)
def test_what_is_none_is_refused_with_its_form(text):
    with pytest.raises(UsageError) as raised:
        parse(text, entity="mine", project="ours")
    assert len(raised.value.message) < 400


@given(st.text(max_size=60))
def test_no_text_leads_out_of_its_names(text):
    try:
        found = parse("wandb:" + text, entity="mine", project="ours")
    except UsageError:
        return
    assert found.qualified.count("/") == 2
    assert found.qualified.count(":") == 1
    assert not {".", ".."} & set(found.collection.split("/"))
    assert not any(character in found.qualified for character in "\n\r\x00?#%\\")
