"""A comparison as a comment on a pull request: what it says, and that nothing foreign in it acts."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reprokit.diff.difference import (
    Asked,
    Change,
    CodeChange,
    CodeFile,
    Comparability,
    Compared,
    Difference,
    Flips,
    Ignored,
    Inference,
    Interval,
    Mark,
    NotCompared,
    Said,
    SampleChange,
    ScoreRow,
    Spelled,
    Step,
    TaskComparability,
    TaskSamples,
    Waterfall,
)
from reprokit.diff.shown.legible import printable
from reprokit.diff.shown.markdown import LONGEST, markdown
from reprokit.diff.shown.quoted_samples import quoted_samples

READER = MarkdownIt("commonmark").enable("table")
SHAPE = {"text", "code_inline", "softbreak"}


def side(name="20261123T031547Z-lm_eval-tiny", **more):
    return Compared(bundle_id=name, identity="sha256:1", harness="lm_eval", has_results=True, **more)


def a_row(task="toy", metric="acc", **more):
    inference = Inference(
        kind="paired",
        n=100,
        a=0.5,
        b=0.459,
        difference=-0.041,
        interval=Interval(low=-0.062, high=-0.02, level=0.95),
        test="exact McNemar",
        p=0.0004,
        p_adjusted=0.0004,
    )
    row = ScoreRow(
        task=task,
        metric=metric,
        higher_is_better=True,
        a=Mark(value=0.5, stderr=0.05),
        b=Mark(value=0.459, stderr=0.04),
        difference=-0.041,
        same=False,
        inference=inference,
        outcome="different",
    )
    return msgspec.structs.replace(row, **more)


def a_task(task="toy", **more):
    found = TaskSamples(
        task=task,
        saved_in="both",
        compared=100,
        identical=95,
        differing=5,
        only_in_a=0,
        only_in_b=1,
        flips=[Flips(metric="acc", right_to_wrong=5, wrong_to_right=1)],
        waterfalls=[
            Waterfall(
                metric="acc",
                difference=-0.041,
                steps=[
                    Step(origin="answer", samples=39, share=-0.039),
                    Step(origin="response", samples=2, share=-0.002),
                ],
            )
        ],
        shown=[
            SampleChange(
                task=task,
                id=3,
                changed=["response", "answer", "score"],
                first="response",
                a=Said(responses=["It is A."], answer="A", scores={"acc": 1.0}),
                b=Said(responses=["It is B."], answer="B", scores={"acc": 0.0}),
            ),
            SampleChange(task=task, id="new", first="other samples", b=Said()),
        ],
        chosen=2,
    )
    return msgspec.structs.replace(found, **more)


def a_difference(**more):
    found = Difference(
        a=side(models=["toy-org/tiny"]),
        b=side("20261124T031547Z-lm_eval-tiny"),
        asked=Asked(),
        verdict="different",
        reason="1 of 1 scores differ",
        headline="different: 1 of 1 scores differ, `toy` acc by more than chance explains",
        comparability=Comparability(status="partly", reason="100 samples in common, 1 in only one of them"),
        setup=[
            Change(
                area="invocation",
                name="--model_args",
                kind="changed",
                before="dtype=float32",
                after="dtype=bfloat16",
                note="dtype: float32 → bfloat16",
                effect="likely",
                why="other precision rounds every number in the model, and near ties fall the other way",
            ),
            Change(area="packages", name="torch", kind="added", after="2.9.0", effect="possible", why="it may round"),
            Change(area="packages", name="rich", kind="removed", before="1", effect="unlikely", why="it shows"),
        ],
        ignored=[Ignored(area="run", name="host", kind="changed", rules=["host"], reason="x")],
        not_compared=[NotCompared(area="hardware", name="gpus", unknown_in="b", reason="x")],
        code=[
            CodeChange(
                name="my-evals",
                before="1" * 40,
                after="2" * 40,
                learnt_from="trees",
                files=[CodeFile(path="a.py", kind="changed", added=1, removed=1)],
                patch="--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n",
            )
        ],
        scores=[a_row()],
        samples=[a_task()],
    )
    return msgspec.structs.replace(found, **more)


# --- what it says ------------------------------------------------------------------------------------------------------


def test_a_comment_says_the_verdict_first_and_then_why():
    assert (
        markdown(a_difference())
        == """\
**different: 1 of 1 scores differ, `toy` acc by more than chance explains**

a: `20261123T031547Z-lm_eval-tiny`, `lm_eval`, `toy-org/tiny`<br>
b: `20261124T031547Z-lm_eval-tiny`, `lm_eval`

Partly comparable: 100 samples in common, 1 in only one of them

#### Scores: 1 of 1 differ

| task | metric | a | b | b - a [95 % interval] | p (Holm) | verdict |
| --- | --- | --- | --- | --- | --- | --- |
| `toy` | `acc` | 0.5 ± 0.05 | 0.459 ± 0.04 | -4.1 points [-6.2 to -2.0] | 0.0004 | different, worse |

- tested by exact McNemar (1)

#### What changed in the set-up

- likely: `--model_args` (invocation) `dtype=float32` → `dtype=bfloat16` (dtype: float32 → bfloat16): other precision \
rounds every number in the model, and near ties fall the other way
- possible: `torch` (packages) added `2.9.0`: it may round

Besides: 1 change unlikely to move a score, 1 fact not compared, 1 fact ignored as noise.

#### Where it begins

- `toy` `acc`: of -4.1 points, -3.9 from answer extraction (39 samples), -0.2 from the response (2 samples)

#### Samples: 95 of 100 identical

- `toy`: 100 compared, 5 differ; 1 only in b; `acc` 5 right → wrong, 1 wrong → right

<details>
<summary>Samples: 2 of 6 that are not the same</summary>

`[-only in a-], {+only in b+}`

```text
toy, id 3: response, answer, score
  response:
    It is [-A-]{+B+}.
  answer:
    [-A-]{+B+}
  score: acc 1 → 0

toy, id "new": only in b
```

</details>

<details>
<summary>Code: 1 file changed in 1 checkout</summary>

```diff
# my-evals
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x = 1
+x = 2
```

</details>
"""
    )


def test_two_runs_without_a_difference_need_a_few_lines():
    nothing = a_difference(
        headline="identical: 1 score and 4 samples equal, set-up equal",
        comparability=Comparability(status="comparable", reason="4 samples in common"),
        setup=[], ignored=[], not_compared=[], code=[], samples=[],
        scores=[a_row(same=True, difference=0.0, inference=None, outcome="same", b=Mark(value=0.5))],
    )  # fmt: skip

    assert markdown(nothing).splitlines()[7:] == [
        "#### Scores: all equal",
        "",
        "| task | metric | a | b | b - a [95 % interval] | p (Holm) | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| `toy` | `acc` | 0.5 ± 0.05 | 0.5 | = |  | same |",
        "",
        "Set-up: no change.",
    ]


def test_tasks_that_are_not_comparable_are_named_each_with_its_reason():
    tasks = [
        TaskComparability(task="one", status="comparable", reason="4 samples in common"),
        TaskComparability(task="two", status="not", reason="only one of them evaluated it"),
    ]
    found = a_difference(comparability=Comparability(status="partly", reason="1 of each", tasks=tasks))

    assert "- `two`: not comparable, only one of them evaluated it\n" in markdown(found)
    assert "- `one`" not in markdown(found)


def test_a_change_that_several_tasks_share_is_told_once():
    def change(task, after):
        name = f"{task}, definition num_fewshot"
        return Change(area="tasks", name=name, kind="changed", before=0, after=after, effect="likely", why="w")

    found = a_difference(setup=[change("one", 5), change("two", 5), change("three", 6)])

    assert "- likely: `num_fewshot` (2 tasks) `0` → `5`: w\n" in markdown(found)
    assert "- likely: `three, definition num_fewshot` (tasks) `0` → `6`: w\n" in markdown(found)


def test_other_names_in_b_stand_beside_those_of_a():
    row = a_row(filter="strict", in_b=Spelled(task="toy2", metric="acc", filter=None))

    assert "| `toy` (in b `toy2`) | `acc` `strict` (in b no filter) |" in markdown(a_difference(scores=[row]))


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (a_row(inference=None, untested="too few"), "| -4.1 points |  | different, worse |"),
        (a_row(b=None, difference=None, reason="b has none", outcome="not compared"), "| absent | b has none |"),
        (a_row(outcome="inconclusive"), "| 0.0004 | inconclusive |"),
        (a_row(difference=0.0), "| differs in its details |"),
        (
            a_row(a=Mark(value=10.0), b=Mark(value=12.0), difference=2.0, inference=None),
            "| +2 |  | different, better |",
        ),
    ],
)
def test_a_score_that_cannot_be_tested_or_compared_says_so(row, cells):
    assert cells in markdown(a_difference(scores=[row]))


def test_code_that_is_not_known_says_why():
    change = CodeChange(name="x", before="1", after="2", learnt_from="nothing", reason="the commit is not to be had")

    assert "# x: what changed is not known: the commit is not to be had" in markdown(a_difference(code=[change]))


# --- what it leaves out ------------------------------------------------------------------------------------------------


def test_long_texts_and_lists_are_cut_and_say_so():
    long = "word " * 4000
    sample = SampleChange(
        task="toy", id=1, changed=["response"], first="response", a=Said(responses=[f"a\n{long}"]), b=Said(responses=["b\n"])
    )  # fmt: skip
    found = a_difference(
        scores=[a_row(f"task-{n}") for n in range(300)],
        setup=[
            Change(area="packages", name=f"p{n}", kind="added", after=long, effect="likely", why="w") for n in range(300)
        ],
        samples=[a_task(f"task-{n}", shown=[sample] * 20, differing=30) for n in range(300)],
        code=[msgspec.structs.replace(a_difference().code[0], patch=f"+{'x' * 99}\n" * 2000)],
    )  # fmt: skip

    written = markdown(found)

    assert len(written) <= LONGEST
    assert re.search(r"- … and \d+ more changes\n", written)
    assert re.search(r"- \d+ more scores, of which \d+ differ\n", written)
    assert re.search(r"\n\d+ more lines left out\.\n", written)
    assert re.search(r"<summary>Samples: [1-9] of 9300 that are not the same</summary>", written)
    assert "more lines\n" in written


def test_a_comment_on_two_runs_with_hostile_names_is_no_longer_than_github_takes():
    names = ["`|" * 2000 + str(n) for n in range(60)]
    found = a_difference(
        scores=[a_row(name, metric=name) for name in names],
        samples=[a_task(name) for name in names],
        setup=[Change(area=name, name=name, kind="changed", before=name, after=1, why=name) for name in names],
    )

    written = markdown(found)

    assert len(written) <= LONGEST
    assert "+x = 2" in written


def test_samples_that_have_no_room_are_said_to_be_left_out():
    folded = quoted_samples([a_task()], 500)

    assert "<summary>Samples: 0 of 6 that are not the same</summary>" in folded
    assert "2 samples left out: there is no room for them." in folded
    assert quoted_samples([a_task(shown=[])], 500) == ""


# --- that nothing foreign acts -----------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>", "<!--", "</details>", "[x](javascript:alert(1))", "![x](http://evil.example/x.png)",
    "https://evil.example/a", "www.evil.example", "me@evil.example", "@octocat", "#12", "org/repo#12", "a" * 40, ":tada:",
    "$`x`$", "`", "```", "~~~", "\n```\n", "\n\n# heading\n\n", "\n- item", "|", "\\|", "\\", "**", "_x_", "\r\n", "\x1b[31m",
    "\u202e", "\u200b", "\ud800", " ", "", "a", "b c", "1. ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=5).map("".join)
RISKY = re.compile(r"@|#\d|://|www\.|:\w+:|\bGH-\d|[0-9a-f]{7}|[$<>|\\`*_\[\]~]", re.IGNORECASE)


def tokens(text):
    for token in READER.parse(text):
        yield token
        yield from token.children or ()


def hostile(text):
    """A comparison with a text in every place that is not our own."""
    said = Said(document=text, prompt=text, target=text, responses=[text], answer=text, scores={text: 1.0})
    other = Said(document=[text], prompt=f"{text}x", target=1, responses=[], answer=None, scores={text: 0.0})
    sample = SampleChange(
        task=text, id=text, id_in_b=text, filter=text, first="prompt", a=said, b=other,
        changed=["document", "prompt", "target", "response", "answer", "score"],
    )  # fmt: skip
    return Difference(
        a=side(text, models=[text, text]),
        b=side(text),
        asked=Asked(),
        verdict="different",
        reason=text,
        headline=f"different: {text}",
        comparability=Comparability(
            status="partly",
            reason=text,
            tasks=[TaskComparability(task=f"{text}{n}", status="not", reason=f"{text}{n}") for n in range(2)],
        ),
        setup=[
            Change(area=text, name=text, kind="changed", before=text, after=[text], note=text, why=text),
            Change(area="tasks", name=f"{text}, version", kind="added", after=text, note=text, why=text),
        ],
        code=[
            CodeChange(name=text, learnt_from="trees", patch=text, reason=text),
            CodeChange(name=text, learnt_from="nothing", files=[CodeFile(path=text, kind="added")]),
        ],
        scores=[
            a_row(text, text, filter=text, in_b=Spelled(task=f"{text}b", metric=f"{text}b", filter=f"{text}b")),
            a_row(text, text, difference=None, reason=text, inference=None, untested=text),
        ],
        samples=[
            a_task(text, shown=[sample], flips=[Flips(metric=text, filter=text, right_to_wrong=1, wrong_to_right=0)])
        ],
    )


PLAIN = markdown(hostile("plain"))


@settings(deadline=None, max_examples=40)
@given(TEXTS)
def test_nothing_foreign_in_a_comment_becomes_markup_a_link_or_a_reference(text):
    written = markdown(hostile(text))
    found, expected = list(tokens(written)), list(tokens(PLAIN))

    assert [t.type for t in found if t.type not in SHAPE] == [t.type for t in expected if t.type not in SHAPE]
    assert {token.content for token in found if token.type == "html_inline"} == {"<br>"}
    assert [t.content for t in found if t.type == "html_block"] == [
        t.content for t in expected if t.type == "html_block"
    ]
    outside = [token.content for token in found if token.type == "text"]
    assert [piece for piece in outside if RISKY.search(piece) and piece != "b - a [95 % interval]"] == [
        piece for piece in outside if re.fullmatch(r"-4\.1 points \[-6\.2 to -2\.0\]", piece)
    ]
    assert all(printable(part) == part for line in written.split("\n") for part in line.split("\t"))
    assert len(written) <= LONGEST


def test_each_hostile_text_is_inert_on_its_own():
    for text in HOSTILE:
        types = {token.type for token in tokens(markdown(hostile(text)))}

        assert not types & {
            "link_open",
            "image",
            "em_open",
            "s_open",
            "blockquote_open",
            "hr",
            "ordered_list_open",
            "code_block",
        }
