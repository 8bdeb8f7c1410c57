"""The page of an audit, in a real browser: it answers at once, says everything, asks for nothing and runs nothing."""

from __future__ import annotations

import io
import re
import tracemalloc
from functools import partial
from itertools import pairwise

import pytest

from reprokit.audit.shown.words import SIGN, STATES
from reprokit.audit.statements import FAMILIES, Fact, NotKnown, Outcome, outcome
from reprokit.audit.values import AREAS, Audited, Counts, Level, Past, Summary
from reprokit.bundle.finding import Finding, finding
from reprokit.report.audit_page import marked, write
from reprokit.report.audit_trend import HEIGHT, MOST_AUDITS, trend

HOSTILE = (
    "</title></style></svg><script>window.planted=1</script><img src=x onerror=window.planted=1>\"' onfocus=planted "
    "{{7*7}}{% raw %} `<b>` <!-- ]]> &lt; \u202e\x1b[31m\x00 \u05e9\u05dc\u05d5\u05dd "
)
SIZES = [(400, "light"), (400, "dark"), (1000, "light"), (1600, "light"), (1600, "dark")]
RANK = {state: place for place, state in enumerate(STATES)}


def grade(text="a second copy: 1 of 3 is whole"):
    return [Level(area=area, level=level, reason=text) for level, area in enumerate(AREAS)]


def audited(name, *, foreign="", files=3, **said):
    """A bundle of which every family but those named was found well, and one was not asked about."""
    said = {"signatures": [Fact(where="bundle", told=f"signed by ada@example.org{foreign}")]} | said
    outcomes = [outcome(family, said.get(family, [])) for family in FAMILIES]
    outcomes[FAMILIES.index("obsolescence")] = Outcome(family="obsolescence", state="not asked")
    state = min((each.state for each in outcomes if each.state != "not asked"), key=RANK.__getitem__)
    return Audited(
        bundle=name,
        identity="sha256:" + "1f" * 32,
        state=state,
        read="whole",
        files=files,
        octets=1024 * files,
        at="2026-11-23T03:15:47.123Z",
        outcomes=outcomes,
        grade=grade(f"a second copy{foreign}"),
    )


def bundle(number):
    """One of many: seven in a thousand damaged, a fifth with a warning, a tenth with something unknown."""
    name = f"20261123T{number:06}Z-lm_eval-tiny-gpt2-{number:08x}"
    if number % 143 == 7:
        return audited(name, fixity=[finding("E101", f"data/{n}.json", "cut short") for n in range(1 + number % 19)])
    if number % 5 == 0:
        return audited(name, copies=[finding("W401", "copies", "1 of 3")])
    if number % 11 == 0:
        unknown = [NotKnown(where=f"package-{n}==1.0", because="the index did not answer") for n in range(300)]
        return audited(name, recoverability=unknown)
    return audited(name)


def many(number):
    return map(bundle, range(number))


def summary(results, **changes):
    states = [each.state for each in results()]
    counts = Counts(**{state: states.count(state) for state in ("error", "warning", "unknown", "good")})
    given = {
        "archive": "/srv/evaluations",
        "started": "2026-11-23T03:00:00Z",
        "ended": "2026-11-23T03:02:04Z",
        "counts": counts,
        "read_whole": counts.all,
        "files": 3 * counts.all,
        "octets": 3_072 * counts.all,
        "grade": grade(),
    }
    return Summary(**(given | changes))


def some_past(number):
    """An audit every quarter, in an archive that grows."""
    return [
        Past(
            time=f"{2016 + n // 4}-{1 + 3 * (n % 4):02}-02T02:00:00Z",
            counts=Counts(error=n % 7 // 5, warning=3 * n, unknown=n % 4, good=40 * n),
            read_whole=40 * n,
        )
        for n in range(1, number + 1)
    ]


def page(results, past=(), *, most_in_full=200, most_rows=10_000, **changes):
    stream = io.StringIO()
    write(stream, summary(results, **changes), results, list(past), most_in_full=most_in_full, most_rows=most_rows)
    return stream.getvalue()


def hostile_page():
    nasty = Finding(code=HOSTILE, severity="error", where=HOSTILE, message=HOSTILE)
    bundles = [
        audited(
            HOSTILE,
            foreign=HOSTILE,
            fixity=[nasty, finding("E103", HOSTILE, HOSTILE), NotKnown(where=HOSTILE, because=HOSTILE)],
            identifiers=[NotKnown(where=HOSTILE, because=HOSTILE)],
        ),
        audited(HOSTILE + "2", copies=[finding("W401", HOSTILE + "x" * 5_000, HOSTILE * 20)]),
        audited("y" * 5_000),
        audited("z" * 5_000 + HOSTILE),
    ]
    return page(
        lambda: iter(bundles),
        some_past(3),
        most_in_full=2,
        archive=HOSTILE,
        remarks=[HOSTILE],
        findings=[nasty, finding("E116", HOSTILE, HOSTILE)],
        grade=grade(HOSTILE),
    )


def opened_fully(visit, html, **settings):
    opened = visit(html, **settings)
    opened.page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true; })")
    return opened


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_the_page_of_an_audit_opens_without_a_complaint_and_fits_its_window(visit, width, scheme):
    html = page(partial(many, 60), some_past(40), most_in_full=20, findings=[finding("E116", "ledger/2026.jsonl")])
    opened = opened_fully(visit, html, viewport={"width": width, "height": 900}, color_scheme=scheme)

    assert opened.complaints == []
    assert opened.foreign_requests == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_that_an_audited_bundle_holds_is_more_than_text(visit, width):
    opened = opened_fully(visit, hostile_page(), viewport={"width": width, "height": 900})
    opened.page.wait_for_timeout(200)

    def count(selector):
        return opened.page.locator(selector).count()

    assert opened.page.evaluate("window.planted") is None
    assert opened.complaints == []
    assert opened.foreign_requests == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert count("script, iframe, object, embed, link, base, form, img, textarea, frame, math, b, foreignObject") == 0
    assert count("style") == 1
    assert count("head > meta") == count("meta") == 6
    assert count("[style], [onload], [onerror], [onfocus], [onclick], [srcdoc], [title]") == 0
    assert count("a:not([href^='#'])") == 0
    attributes = opened.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name + '=' + a.value))"
    )
    assert not [text for text in attributes if "planted" in text or "7*7" in text]
    text = opened.page.locator("body").text_content()
    assert "{{7*7}}{% raw %} `<b>` <!-- ]]> &lt; \\u202e\\e[31m\\x00" in text
    assert not re.search("[\u202e\x00\x1b]", text)


def test_the_mark_that_the_page_is_ours_stands_at_its_beginning():
    assert '<meta name="generator" content="reprokit">' in hostile_page()[:4_096]


def test_the_policy_of_an_audit_s_page_is_in_force(visit):
    opened = visit(page(partial(many, 9)))
    policy = opened.page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")

    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'", policy
    )
    assert opened.page.evaluate("getComputedStyle(document.querySelector('.tiles')).display") == "grid"


@pytest.mark.parametrize(
    ("number", "changes", "shape", "answer"),
    [
        (1, {}, "!", "whole: every byte of its one bundle was read, and is what was captured; 1 has warnings"),
        (9, {}, SIGN["error"], "not whole: 1 of 9 bundles is not as it was captured"),
        (0, {}, SIGN["good"], "there is no bundle to audit"),
        (0, {"not_reached": 3}, "?", "not known to be whole: no bundle was checked"),
    ],
)
def test_the_head_answers_in_a_sentence_with_a_shape(visit, number, changes, shape, answer):
    opened = visit(page(partial(many, number), **changes), java_script_enabled=False)

    assert opened.page.locator("h1").text_content() == answer
    assert opened.page.locator(".verdict .shape").text_content() == shape


def test_an_archive_in_order_has_nothing_to_do(visit):
    opened = visit(page(lambda: iter([audited("one")])))

    assert opened.page.locator(".verdict.good h1").count() == 1
    assert opened.page.locator(".first").count() == 0
    assert "Nothing was found that asks for anything." in opened.page.locator("#to-do").inner_text()
    assert "first audit that the archive has a record of" in opened.page.locator("#trend").inner_text()
    assert opened.page.locator(".bars").count() == 0


def test_the_facts_of_an_audit_are_there_without_scripts(visit):
    html = page(
        partial(many, 60),
        some_past(2),
        most_in_full=20,
        findings=[finding("E116", "ledger/2026.jsonl", "line 3")],
        resumed=4,
        not_reached=12,
        remarks=["`nas` did not answer"],
    )
    text = " ".join(visit(html, java_script_enabled=False).page.locator("body").text_content().split())

    assert [fact for fact in FACTS if fact not in text] == []


FACTS = """
ended2026-11-23T03:02:04Z
180 files, 180.0 KiB; the audit took 2 min 4 s; every byte of 60 bundles
4 bundles had been done by an interrupted call
12 bundles, by the budget or the sample
nas did not answer
the archive itself: a file of the ledger is damaged, or does not belong there
ledger/2026.jsonl: line 3
metadata 3 of 4 a second copy: 1 of 3 is whole
3 audits from 2016-04-02 to 2026-11-23.
E101 in 1 bundle: restore it from another copy: reprokit audit --repair
1 bundle, 8 findings; for example data/0.json in 20261123T000007Z-lm_eval-tiny-gpt2-00000007
there are fewer whole copies than there should be
4 bundles, 1,200 times; for example package-0==1.0 in
8 errors
data/0.json: cut short
bundle: signed by ada@example.org
not known: the index did not answer 300 times
… and 290 more
2026-11-23 03:15:47 UTC: every byte was read; 3 files, 3.0 KiB. Identity: sha256:1f1f
""".strip().splitlines()


def test_the_worst_are_told_in_full_and_every_other_bundle_is_one_row(visit):
    opened = visit(page(partial(many, 300), most_in_full=50))
    full = opened.page.locator("details.bundle .id").all_text_contents()
    rows = opened.page.locator(".matrix tbody th").all_text_contents()

    assert sorted(full + rows) == [each.bundle for each in many(300)]
    assert len(full) == 50
    found = {each.bundle: each.state for each in many(300)}
    ranks = [RANK[found[name]] for name in full + rows]
    assert ranks == sorted(ranks)


def test_the_cells_of_a_row_say_their_state_in_a_word_and_a_sign_in_both_widths(visit):
    for width in (400, 1600):
        opened = visit(page(partial(many, 24), most_in_full=0), viewport={"width": width, "height": 900})
        row = opened.page.locator(".matrix tbody tr").first
        cells = row.locator("td").all_inner_texts()
        named = row.locator("td").evaluate_all("found => found.map(e => getComputedStyle(e, '::before').content)")

        assert cells[0] == f"{SIGN['error']} error 8"
        assert cells[FAMILIES.index("format")] == f"{SIGN['good']} good"
        assert cells[FAMILIES.index("obsolescence")] == f"{SIGN['not asked']} not asked"
        assert named == ([f'"{family} "' for family in FAMILIES] if width == 400 else ["none"] * len(FAMILIES))


def test_three_thousand_bundles_open_and_those_without_a_row_are_counted(visit):
    html = page(partial(many, 3_000), some_past(12), most_rows=1_500)
    opened = visit(html, viewport={"width": 400, "height": 900})

    assert opened.page.locator("details.bundle").count() == 200
    assert opened.page.locator(".matrix tbody tr").count() == 1_500
    assert "and 1,300 bundles more, which --json tells of" in opened.page.locator("#bundles").text_content()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_writing_a_page_keeps_does_not_grow_with_the_archive():
    class Nowhere(io.TextIOBase):
        def write(self, text):
            return len(text)

    def peak(number):
        results = partial(map, lambda n: audited(f"{n:06}", copies=[finding("W401", "copies")]), range(number))
        head = summary(results)
        tracemalloc.start()
        write(Nowhere(), head, results, [], most_in_full=20)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(60)
    assert peak(600) < 1.1 * peak(60)


def test_the_same_audit_is_the_same_page():
    assert page(partial(many, 60), some_past(5)) == page(partial(many, 60), some_past(5))


def test_an_audit_has_enough_contrast_in_light_and_dark(visit):
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    for scheme in ("light", "dark"):
        html = page(partial(many, 60), some_past(40), most_in_full=20, findings=[finding("E116", "ledger/2026.jsonl")])
        assert opened_fully(visit, html, color_scheme=scheme).page.evaluate(CONTRAST) == []


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


def now(**counts):
    return Past(time="2026-11-23T03:02:04Z", counts=Counts(**counts), read_whole=1)


@pytest.mark.parametrize("number", [0, 1, 7, 39, 200])
def test_every_audit_is_a_bar_within_the_chart_and_none_touches_another(number):
    drawn = trend(some_past(number), now(error=1, good=40 * number))

    assert drawn.left_out == max(number + 1 - MOST_AUDITS, 0)
    for row in drawn.rows:
        assert len(row.bars) == number + 1 - drawn.left_out
        assert all(one.x + one.width < other.x for one, other in pairwise(row.bars))
        assert all(bar.x >= 0 and bar.x + bar.width <= 100 and bar.y >= 14 for bar in row.bars)
        assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in row.bars)


def test_one_error_beside_three_thousand_good_bundles_can_be_seen():
    error, *_, good, _ = trend([], now(error=1, good=3_000)).rows

    assert error.bars[0].height == good.bars[0].height > 20


def test_no_error_is_no_bar_and_few_among_many_are_a_low_one():
    past = [
        Past(time=f"2026-0{n + 1}-01T00:00:00Z", counts=Counts(error=error), read_whole=0)
        for n, error in enumerate((0, 1, 5_000))
    ]
    none, few, most, _ = trend(past, now()).rows[0].bars

    assert [none.height, few.height] == [0, 2]
    assert most.height > 20


def test_the_numbers_of_a_chart_stand_beside_it():
    row = trend(some_past(6), now(error=1)).rows[1]

    assert (row.word, row.now, row.before, row.most) == ("warning", "0", "18", "18 on 2017-07-02")


@pytest.mark.parametrize("number", [1, 7, 40, 200])
def test_the_dates_under_the_charts_have_room(number):
    ticks = trend(some_past(number), now()).ticks

    assert all(other.at - one.at >= 9 for one, other in pairwise(ticks))
    assert all(re.fullmatch(r"\d{4}", tick.label) for tick in ticks)


def test_audits_of_one_year_are_dated_by_month():
    past = [Past(time=f"2026-{n:02}-02T00:00:00Z", counts=Counts(), read_whole=0) for n in range(1, 11)]

    assert [tick.label for tick in trend(past, now()).ticks] == [
        "2026-01",
        "2026-03",
        "2026-05",
        "2026-07",
        "2026-09",
        "2026-11",
    ]


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup():
    assert marked("see `git log` of <b>`<i>`") == "see <code>git log</code> of &lt;b&gt;<code>&lt;i&gt;</code>"
    assert marked("one ` <") == "one ` &lt;"
