"""The page of a comparison, in a real browser: it says everything, asks for nothing and runs nothing."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import msgspec
import pytest

from reprokit.bundle.sample import Medium
from reprokit.diff.difference import Difference, Verdict
from reprokit.report.comparison_page import page

ROOT = Path(__file__).parents[2]
PICTURE = Medium(kind="image", digest="sha256:" + "ab" * 32, width=160, height=90, name="images/cat.png")
HOSTILE = (
    "<script>window.planted=1</script>"
    '"><img src=x onerror="window.planted=1">'
    "'><svg onload='window.planted=1'>"
    '<a href="javascript:window.planted=1">here</a>'
    "</style></title></textarea><style>*{display:none!important}</style>"
    '<meta http-equiv="refresh" content="0;url=data:text/html,planted">'
    '<iframe src="data:text/html,<script>parent.planted=1</script>"></iframe>'
    '<base href="https://planted.invalid/"><link rel="stylesheet" href="https://planted.invalid/x.css">'
    "<form action='https://planted.invalid'><input autofocus onfocus='window.planted=1'></form>"
    "{{7*7}}{% raw %}{{ d.__class__ }} <!-- ]]> &lt; \u202e\x1b[31m\x00 "
)
FIELDS = {name for part in msgspec.json.schema(Difference)["$defs"].values() for name in part.get("properties", {})}
SIZES = [(360, "light"), (768, "dark"), (1200, "light"), (1600, "dark")]


def no_pictures(_):
    return None


def containers(node):
    """Every list and every dictionary of a decoded value, the inner ones first."""
    for item in list(node.values()) if isinstance(node, dict) else node:
        if isinstance(item, dict | list):
            yield from containers(item)
    yield node


def accepted(plain):
    try:
        msgspec.convert(plain, Difference)
    except msgspec.ValidationError:
        return False
    return True


def poison_texts(plain, node):
    """Put the hostile text in front of the texts of a list or dictionary, where the schema allows any text."""
    replaced = 0
    for key, item in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(item, str):
            node[key] = HOSTILE + item
            replaced += accepted(plain)
            node[key] = node[key] if accepted(plain) else item
    return replaced


def poison_keys(plain, node):
    """Put the hostile text in front of the keys that a bundle chooses, such as the names of metrics."""
    for key in [key for key in node if key not in FIELDS]:
        node[HOSTILE + key] = node.pop(key)
        if not accepted(plain):
            node[key] = node.pop(HOSTILE + key)


def poisoned(difference):
    """Put the hostile text wherever a comparison may hold a text that a bundle chose."""
    plain = msgspec.to_builtins(difference)
    replaced = 0
    for node in list(containers(plain)):
        replaced += poison_texts(plain, node)
        if isinstance(node, dict):
            poison_keys(plain, node)
    return msgspec.convert(plain, Difference), replaced


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_the_page_opens_without_a_complaint_or_a_request_and_fits_its_window(made, visit, width, scheme):
    html = page(made.difference(samples=made.tasks(PICTURE)), lambda _: made.png())
    opened = visit(html, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for summary in opened.page.locator("summary").all():
        summary.click()

    assert opened.complaints == []
    assert opened.foreign_requests == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.locator("img").count() == 1
    assert opened.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth === 160)")


def test_nothing_that_a_bundle_holds_is_more_than_text(made, visit):
    difference, replaced = poisoned(made.difference(samples=made.tasks(PICTURE)))
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.planted=1'><script>window.planted=1</script></svg>"
    opened = visit(page(difference, lambda _: svg))
    for summary in opened.page.locator("summary").all():
        summary.click()
    opened.page.wait_for_timeout(300)

    def count(selector):
        return opened.page.locator(selector).count()

    assert replaced > 150
    assert opened.page.evaluate("window.planted") is None
    assert opened.page.url == opened.address
    assert opened.complaints == []
    assert opened.foreign_requests == []
    assert count("script, iframe, object, embed, link, base, form, img, textarea, frame, math") == 0
    assert count("style") == 1
    assert count("head > meta") == count("meta") == 6
    assert count("[style], [onload], [onerror], [onfocus], [onclick], [srcdoc], [title]") == 0
    assert count("a:not([href^='#'])") == 0
    attributes = opened.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name + '=' + a.value))"
    )
    assert not [text for text in attributes if "planted" in text or "7*7" in text]
    text = opened.page.locator("body").text_content()
    assert "{{7*7}}{% raw %}{{ d.__class__ }} <!-- ]]> &lt; \\u202e\\e[31m\\x00" in text
    assert not re.search("[\u202e\x00\x1b]", text)


def test_half_of_a_surrogate_pair_is_written_out(made):
    first, _ = made.tasks()
    shown = [msgspec.structs.replace(first.shown[0], id="\ud800", a=made.said("\udfff", "A", 1.0))]

    html = page(made.difference(samples=[msgspec.structs.replace(first, shown=shown)]), no_pictures)

    assert html.encode()
    assert "\\ud800" in html
    assert "\\udfff" in html


def test_the_policy_of_the_page_is_in_force(made, visit):
    opened = visit(page(made.difference(), no_pictures))
    policy = opened.page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")

    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; img-src data:; base-uri 'none'; form-action 'none'",
        policy,
    )
    assert opened.complaints == []
    opened.page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.planted = 1';
            document.body.append(script);
            const style = document.createElement('style');
            style.textContent = 'main { display: none }';
            document.body.append(style);
            const picture = document.createElement('img');
            picture.src = 'http://127.0.0.1:9/planted.png';
            document.body.append(picture);
        }"""
    )
    opened.page.wait_for_timeout(200)
    assert opened.page.evaluate("window.planted") is None
    assert opened.page.locator("main").is_visible()
    assert len(opened.complaints) == 3
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)


def test_the_facts_are_there_without_scripts(made, visit):
    difference = made.difference()
    opened = visit(page(difference, no_pictures), java_script_enabled=False)
    text = " ".join(opened.page.locator("body").text_content().replace("\N{MINUS SIGN}", "-").split())

    assert [fact for fact in FACTS if fact not in text] == []
    assert difference.headline in text
    assert difference.b.identity in text
    assert f"reprokit diff {difference.a.bundle_id} {difference.b.bundle_id} --json" in text


FACTS = """
toy_gen of a is toy_gen_v2 of b
image_id
margin0.01
partly comparable
98 samples in common, 2 in only one of them; 7 prompts differ
0.712 ± 0.0223
0.671 ± 0.0231
-0.041 ▼ worse
-0.061 to -0.021
0.00312
0.0156
0.0287
exact McNemar
Tango's score interval
400 pairs: 0.712 → 0.671, -0.041 ± 0.0102
120 clusters by image, design effect 1.73
within ± 0.01: p 0.871, 90 % -0.0578 to -0.0242
toy_new acc: only b has it
not scored (nan)
of -4.1 points, -3.9 come from answer extraction (41 samples)
71.2
67.1
of +1.25 in bleu, +2.5 come from prompt (7 samples)
31.25
32.5
▲ likely
other weights answer differently
other build too
captured from finished outputs
where a run writes says nothing about it
weights.bin added, binary
28 right → wrong, 11 wrong → right
5 samples shown, of 65 that differ or were asked for
Two and two make five.
doc-5
epoch 2
""".strip().splitlines()


def test_the_lines_of_a_patch_say_what_they_are(made, visit):
    opened = visit(page(made.difference(), no_pictures))
    lines = {
        kind: [text.strip("\n") for text in opened.page.locator(f".patch .{kind}").all_text_contents()]
        for kind in ("header", "added", "removed", "same")
    }

    assert lines["added"] == ['+PATTERN = "([A-D])"']
    assert lines["removed"] == ['-PATTERN = "(.*)"', "--- a removed line of SQL"]
    assert lines["header"][-1] == "+++ b/answers.py"
    assert lines["same"] == [" import re"]


def test_what_differs_in_a_response_is_marked_on_each_side(made, visit):
    opened = visit(page(made.difference(), no_pictures))
    card = opened.page.locator("details.sample").nth(1)

    assert card.locator("del").all_text_contents() == ["five", "C", "C"]
    assert card.locator("ins").all_text_contents() == ["four", "B", "B"]
    assert card.locator(".field").nth(1).locator(".text").count() == 1


@pytest.mark.parametrize("scripts", [True, False])
def test_the_filters_hide_and_show_samples_by_style_alone(made, visit, scripts):
    opened = visit(page(made.difference(), no_pictures), java_script_enabled=scripts)
    every = ["toy_mc 7", "toy_mc 11", "toy_gen doc-3 strict-match epoch 2", "toy_gen doc-4", "toy_gen doc-5"]

    def press(row, label):
        opened.page.get_by_role("group", name=row, exact=True).get_by_text(label).click()
        return opened.visible()

    assert opened.visible() == every
    assert press("task", "toy_mc") == every[:2]
    assert press("score", "wrong to right") == [every[1]]
    assert press("begins to differ in", "prompt") == []
    assert press("task", "any") == []
    assert press("score", "any") == [every[2]]
    assert press("begins to differ in", "any") == every
    assert press("score", "only in a") == [every[3]]
    assert press("score", "only in b") == [every[4]]
    assert press("score", "same score") == [every[2]]
    assert press("begins to differ in", "other samples") == []


def test_a_filter_with_nothing_to_part_is_not_there(made, visit):
    first, _ = made.tasks()
    single = msgspec.structs.replace(first, shown=first.shown[:1])

    opened = visit(page(made.difference(samples=[single]), no_pictures))
    assert opened.page.locator("fieldset, input").count() == 0
    assert opened.page.locator("details.sample").count() == 1
    bare = visit(page(made.difference(samples=[], scores=[], setup=[], code=[], ignored=[]), no_pictures))
    assert "No sample differs" in bare.page.locator("#samples").inner_text()
    assert bare.complaints == []


@pytest.mark.parametrize("verdict", Verdict.__args__)
def test_every_verdict_has_a_word_and_a_shape(made, verdict):
    html = page(made.difference(verdict=verdict, headline=f"{verdict}: because"), no_pictures)

    assert f"<h1>{verdict}: because</h1>" in html
    assert re.search(r'<span class="shape" aria-hidden="true">[=≈?≠⊘]</span>', html)


def test_the_same_comparison_is_the_same_page(made):
    def write():
        return page(made.difference(samples=made.tasks(PICTURE)), lambda _: made.png())

    assert write() == write()


def test_text_has_enough_contrast_in_light_and_dark(made, visit):
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    for scheme in ("light", "dark"):
        opened = visit(page(made.difference(), no_pictures), color_scheme=scheme)
        for summary in opened.page.locator("summary").all():
            summary.click()
        poor = opened.page.evaluate(CONTRAST)

        assert poor == []


CONTRAST = """() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = element => {
        for (let e = element; e; e = e.parentElement) {
            const found = parts(getComputedStyle(e).backgroundColor);
            if (found.length === 3 || found[3] === 1) return found;
        }
        return [255, 255, 255];
    };
    return [...document.querySelectorAll('body *')]
        .filter(e => e.getClientRects().length && !(e instanceof SVGElement))
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .map(e => {
            const [one, other] = [light(parts(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
            return [e.className, e.textContent.slice(0, 30), (one + 0.05) / (other + 0.05)];
        })
        .filter(([, , ratio]) => ratio < 4.5);
}"""


def test_long_texts_are_cut_and_a_thousand_of_them_open(made, visit):
    first, _ = made.tasks()
    long = "word " * 5_000
    shown = [
        msgspec.structs.replace(
            first.shown[1],
            id=number,
            a=made.said(f"{long}{number}", "A", 0.0),
            b=made.said(f"{number}{long}", "B", 1.0),
        )
        for number in range(1_000)
    ]
    html = page(made.difference(samples=[msgspec.structs.replace(first, shown=shown)]), no_pictures)
    opened = visit(html)
    opened.page.locator("details.sample > summary").last.click()

    assert opened.page.locator("details.sample").count() == 1_000
    assert "characters left out" in opened.page.locator("details.sample").last.inner_text()
    assert len(html) < 60_000_000


def test_the_wheel_holds_the_templates_and_the_style(tmp_path):
    subprocess.run(
        [ROOT / ".venv/bin/python", "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name for name in archive.namelist() if name.startswith("reprokit/report/") and not name.endswith(".py")
        }
    there = (path for path in (ROOT / "reprokit/report").rglob("*") if path.suffix in {".j2", ".css"})

    assert packed == {path.relative_to(ROOT).as_posix() for path in there}
    assert "reprokit/report/templates/comparison.html.j2" in packed
    assert "reprokit/report/style.css" in packed
