"""Comparisons made by hand, and a real browser to open their pages in."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from reprokit.bundle.sample import Medium
from reprokit.bundle.values import NotScored
from reprokit.diff.difference import (
    Asked,
    Change,
    CodeChange,
    CodeFile,
    Comparability,
    Compared,
    Difference,
    Equivalence,
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

PATCH = """diff --git a/answers.py b/answers.py
index 1111111..2222222 100644
--- a/answers.py
+++ b/answers.py
@@ -1,3 +1,3 @@ def extract
 import re
-PATTERN = "(.*)"
+PATTERN = "([A-D])"
--- a removed line of SQL
"""


def an_interval(low: float, high: float, level: float = 0.95) -> Interval:
    return Interval(low=low, high=high, level=level)


def a_row(task: str, a: float, b: float, *, metric: str = "acc", half: float = 0.02, **changes: Any) -> ScoreRow:
    """A score over 400 pairs, tested."""
    inference = Inference(
        kind="paired",
        n=400,
        clusters=120,
        clustered_by="image",
        design_effect=1.73,
        a=a,
        b=b,
        difference=b - a,
        stderr=half / 1.96,
        interval=an_interval(b - a - half, b - a + half),
        interval_by="Tango's score interval",
        test="exact McNemar",
        p=0.00312,
        p_adjusted=0.0156,
        detectable=0.0287,
        equivalence=Equivalence(
            margin=0.01, p=0.871, interval=an_interval(b - a - half * 0.84, b - a + half * 0.84, 0.9), equivalent=False
        ),
    )
    given: dict[str, Any] = {
        "task": task,
        "metric": metric,
        "higher_is_better": True,
        "a": Mark(value=a, stderr=0.0223, n=400),
        "b": Mark(value=b, stderr=0.0231, n=400),
        "difference": b - a,
        "same": False,
        "inference": inference,
    }
    return ScoreRow(**(given | changes))


def said(response: str, answer: str, correct: float, **changes: Any) -> Said:
    given: dict[str, Any] = {
        "document": {"question": "What is 2 + 2?", "choices": ["3", "4", "5"]},
        "prompt": "Question: What is 2 + 2?\nAnswer with a letter.",
        "target": "B",
        "responses": [response],
        "answer": answer,
        "scores": {"acc": correct},
    }
    return Said(**(given | changes))


def some_shown(pictured: Medium | None = None) -> list[SampleChange]:
    media = [pictured] if pictured else []
    return [
        SampleChange(
            task="toy_mc",
            id=7,
            changed=["answer", "score"],
            first="answer",
            turned={"acc": "right to wrong"},
            a=said("I think the answer is (B), since 2 + 2 is 4.", "B", 1.0, media=media),
            b=said("I think the answer is (B), since 2 + 2 is 4.", "2", 0.0, media=media),
        ),
        SampleChange(
            task="toy_mc",
            id=11,
            changed=["response", "answer", "score"],
            first="response",
            turned={"acc": "wrong to right"},
            a=said("Let me see.\nTwo and two make five.\nSo it is (C).", "C", 0.0),
            b=said("Let me see.\nTwo and two make four.\nSo it is (B).", "B", 1.0),
        ),
        SampleChange(
            task="toy_gen",
            id="doc-3",
            epoch=2,
            filter="strict-match",
            changed=["prompt", "response"],
            first="prompt",
            a=said("Paris", "Paris", 1.0, prompt="Name the capital of France."),
            b=said("Paris.", "Paris", 1.0, prompt="Name the capital city of France, please."),
        ),
        SampleChange(task="toy_gen", id="doc-4", first="other samples", a=said("Rome", "Rome", 1.0)),
        SampleChange(task="toy_gen", id="doc-5", first="other samples", b=said("Oslo", "Oslo", 1.0)),
    ]


def some_samples_of_tasks(pictured: Medium | None = None) -> list[TaskSamples]:
    shown = some_shown(pictured)
    fall = Waterfall(
        metric="acc",
        difference=-0.041,
        steps=[
            Step(origin="document", samples=0, share=0.0),
            Step(origin="prompt", samples=6, share=0.003),
            Step(origin="response", samples=9, share=-0.005),
            Step(origin="answer", samples=41, share=-0.039),
        ],
    )
    return [
        TaskSamples(
            task="toy_mc",
            saved_in="both",
            compared=400,
            identical=344,
            differing=56,
            only_in_a=0,
            only_in_b=0,
            matched_by={"id": 400},
            changed={"prompt": 6, "response": 9, "answer": 41},
            first={"prompt": 6, "response": 9, "answer": 41},
            same_score=17,
            flips=[Flips(metric="acc", right_to_wrong=28, wrong_to_right=11)],
            waterfalls=[fall],
            chosen=56,
            shown=shown[:2],
        ),
        TaskSamples(
            task="toy_gen",
            task_in_b="toy_gen_v2",
            saved_in="both",
            compared=98,
            identical=91,
            differing=7,
            only_in_a=1,
            only_in_b=1,
            matched_by={"id": 90, "document": 8},
            first={"prompt": 7},
            same_score=7,
            unknown={"answer": 3},
            waterfalls=[
                Waterfall(
                    metric="bleu",
                    filter="strict-match",
                    difference=1.25,
                    steps=[
                        Step(origin="prompt", samples=7, share=2.5),
                        Step(origin="other samples", samples=2, share=-1.25),
                    ],
                )
            ],
            chosen=9,
            shown=shown[2:],
        ),
    ]


def some_scores() -> list[ScoreRow]:
    return [
        a_row("toy_group", 0.69, 0.66, group=True, half=0.016),
        a_row("toy_mc", 0.712, 0.671),
        a_row("toy_mc", 0.703, 0.709, metric="acc_norm", half=0.011),
        a_row(
            "toy_gen",
            31.25,
            32.5,
            metric="bleu",
            half=1.9,
            filter="strict-match",
            in_b=Spelled(task="toy_gen_v2", metric="bleu", filter="strict-match"),
        ),
        a_row("toy_text", 18.4, 18.9, metric="word_perplexity", half=0.3, higher_is_better=False),
        ScoreRow(
            task="toy_new",
            metric="acc",
            higher_is_better=True,
            a=None,
            b=Mark(value=0.5),
            same=False,
            reason="only b has it",
            untested="only b has it",
        ),
        ScoreRow(
            task="toy_nan",
            metric="f1",
            a=Mark(value=NotScored(not_scored="nan")),
            b=Mark(value=0.25),
            same=False,
            reason="not scored: nan",
            untested="a is not scored",
        ),
    ]


def a_difference(**changes: Any) -> Difference:
    """A comparison in which every part of a page has something to show."""
    given: dict[str, Any] = {
        "a": Compared(
            bundle_id="20261123T031547Z-lm_eval-tiny-gpt2-1f3a9c20",
            identity="sha256:" + "1f" * 32,
            harness="lm_eval",
            models=["toy-org/tiny-gpt2"],
            started="2026-11-23T03:15:47Z",
            has_results=True,
        ),
        "b": Compared(
            bundle_id="20261124T110212Z-lm_eval-tiny-gpt2-77b0e41d",
            identity="sha256:" + "77" * 32,
            harness="lm_eval",
            models=["toy-org/tiny-gpt2"],
            started="2026-11-24T11:02:12Z",
            has_results=True,
        ),
        "asked": Asked(margin=0.01, cluster="image_id", renamed={"toy_gen": "toy_gen_v2"}),
        "verdict": "different",
        "reason": "acc of toy_mc fell by 4.1 points (95 % interval 2.1 to 6.1)",
        "headline": "different: acc of toy_mc fell by 4.1 points (95 % interval 2.1 to 6.1), 3.9 of them from answer extraction",
        "comparability": Comparability(
            status="partly",
            reason="toy_gen: 7 prompts differ",
            tasks=[
                TaskComparability(
                    task="toy_mc", status="comparable", in_common=400, reason="all 400 samples in common"
                ),
                TaskComparability(
                    task="toy_gen",
                    task_in_b="toy_gen_v2",
                    status="partly",
                    in_common=98,
                    differs=["samples", "prompts"],
                    unknown=["documents"],
                    reason="98 samples in common, 2 in only one of them; 7 prompts differ",
                ),
                TaskComparability(task="toy_new", status="not", reason="only b has it"),
            ],
        ),
        "setup": [
            Change(
                area="models",
                name="revision",
                kind="changed",
                before="main@1f3a9c20",
                after="main@77b0e41d",
                effect="likely",
                why="other weights answer differently",
            ),
            Change(
                area="invocation",
                name="--num_fewshot",
                kind="added",
                after=5,
                effect="likely",
                why="other examples stand before each question",
            ),
            Change(
                area="packages",
                name="torch",
                kind="changed",
                before="2.8.0+cu128",
                after="2.9.1+cu130",
                note="other build too",
                effect="possible",
                why="kernels round differently",
            ),
            Change(
                area="hardware",
                name="gpu",
                kind="changed",
                before={"name": "NVIDIA H100", "count": 8},
                after={"name": "NVIDIA H200", "count": 8},
                why="kernels round differently",
            ),
            Change(
                area="packages", name="rich", kind="removed", before="14.2.0", effect="unlikely", why="it only prints"
            ),
        ],
        "ignored": [
            Ignored(
                area="invocation",
                name="--output_path",
                kind="changed",
                before="out/1",
                after="out/2",
                rules=["place"],
                reason="where a run writes says nothing about it",
            )
        ],
        "not_compared": [
            NotCompared(area="environment", name="*", unknown_in="a", reason="captured from finished outputs")
        ],
        "code": [
            CodeChange(
                name="my-evals",
                before="1" * 40,
                after="2" * 40,
                learnt_from="trees",
                files=[
                    CodeFile(path="answers.py", kind="changed", added=1, removed=2),
                    CodeFile(path="weights.bin", kind="added"),
                ],
                patch=PATCH,
            )
        ],
        "scores": some_scores(),
        "samples": some_samples_of_tasks(),
    }
    return Difference(**(given | changes))


def a_png(width: int = 160, height: int = 90) -> bytes:
    """A picture of two colours."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(
        b"\0" + bytes([200, 90, y % 256]) * (width // 2) + bytes([40, 120, 200]) * (width - width // 2)
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def made() -> SimpleNamespace:
    """Give the functions that make comparisons and what they consist of."""
    return SimpleNamespace(
        difference=a_difference,
        row=a_row,
        said=said,
        tasks=some_samples_of_tasks,
        png=a_png,
        patch=PATCH,
        interval=an_interval,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give the system's own Chromium, without a window."""
    program = shutil.which("chromium")
    assert program, "these tests need Chromium: `apt-get install chromium`"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@dataclass
class Visit:
    """A page that is open in the browser, and all that went on in it."""

    page: Page
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def foreign_requests(self) -> list[str]:
        """What was asked for beside the page itself and the pictures inside of it."""
        return [url for url in self.requests if url != self.address and not url.startswith("data:image/")]

    def visible(self) -> list[str]:
        """The summaries of the samples that are to be seen."""
        return [
            text.splitlines()[0]
            for text in self.page.locator("details.sample:visible > summary .name").all_inner_texts()
        ]


Visitor = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Give a function that opens a page in a browser of its own, with the settings of Playwright's `new_context`."""
    opened: list[BrowserContext] = []

    def open_page(html: str, **settings: Any) -> Visit:
        file = tmp_path / f"page-{len(opened)}.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(**settings)
        opened.append(context)
        visit = Visit(page=context.new_page(), address=file.as_uri())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.goto(visit.address)
        return visit

    yield open_page
    for context in opened:
        context.close()
