"""Foreign text in GitHub's Markdown: all of it is shown, and none of it acts."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reprokit.diff.shown.legible import printable
from reprokit.diff.shown.markup import code, fenced, prose

READER = MarkdownIt("commonmark").enable("table")

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--", "-->", "</details>", "<details open>", "&lt;b&gt;",
    "[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "[x]: http://evil.example", "<http://evil.example>",
    "https://evil.example/a", "www.evil.example", "me@evil.example", "@octocat", "@org/team", "#12", "GH-12", "org/repo#12",
    "fixes #1", "0123456789abcdef0123456789abcdef01234567", "PROJ-123", ":tada:", "$x$", "$$", "`", "``", "```", "~~~", "~~x~~",
    "\n```\n", "\n\n# heading\n\n", "\n- item", "\n> quote", "\n---\n", "|", "a|b", "\\|", "\\\\|", "\\", "\\`", "*x*", "**", "_x_",
    "__", "[^1]", "[!NOTE]", "- [x] ", "1. ", "\r\n", "\t", "\x00", "\x1b[31m", "\u202e", "\u2066", "\u200b", "\ud800", " ", "  ",
    "```suggestion\nx\n```", "$`x`$", "^[note]", "é漢字", "", "a", "b c", ". ", ",",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=5).map("".join)
RISKY = re.compile(r"@|#\d|://|www\.|:\w+:|\bGH-\d|[0-9a-f]{7}|[$<>|\\`*_\[\]~]", re.IGNORECASE)


def tokens(text):
    for token in READER.parse(text):
        yield token
        yield from token.children or ()


@settings(deadline=None)
@given(TEXTS)
def test_code_shows_a_text_as_it_is_and_nothing_else(text):
    shown = [token.content for token in tokens(f"x {code(text)} y") if token.type in {"code_inline", "text"}]

    assert shown == (["x ", printable(text), " y"] if text else ["x (empty) y"])


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=3, max_size=3))
def test_code_in_a_table_stays_in_its_cell(texts):
    row = " | ".join(code(text, in_table=True) for text in texts)
    shown = [
        token.children for token in tokens(f"| a | b | c |\n| --- | --- | --- |\n| {row} |") if token.type == "inline"
    ]

    cells = [[each.content for each in cell] for cell in shown[3:]]
    assert [cell[0].replace("\\x7c", "|") for cell in cells] == [
        (printable(text) or "(empty)").replace("\\x7c", "|") for text in texts
    ]
    assert all(len(cell) == 1 for cell in cells)


@settings(deadline=None)
@given(TEXTS, st.booleans())
def test_a_sentence_keeps_its_words_and_has_no_markup_outside_of_code(text, in_table):
    found = list(tokens(f"x {prose(text, in_table=in_table)}"))

    assert {token.type for token in found} <= {"paragraph_open", "inline", "paragraph_close", "text", "code_inline"}
    assert not any(RISKY.search(token.content) for token in found if token.type == "text")
    if not in_table:
        shown = "".join(token.content for token in found if token.type in {"text", "code_inline"})
        assert re.sub(r"[\s`]", "", shown) in {
            re.sub(r"[\s`]", "", f"x {printable(text)}"),
            re.sub(r"[\s`]", "", f"x {printable(text)}(empty)"),
        }


@given(st.lists(TEXTS, max_size=4))
def test_nothing_within_a_fence_ends_it(texts):
    lines = [line for text in texts for line in text.split("\n")]
    found = READER.parse(fenced([printable(line) for line in lines], "text"))

    assert [token.type for token in found] == ["fence"]
    assert found[0].content == "".join(f"{printable(line)}\n" for line in lines) or not lines
