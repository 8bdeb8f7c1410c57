"""A comparison as one HTML file, which needs nothing else and runs nothing.

All that comes from a bundle is data: templates escape it, no attribute holds it but the data of a picture, and the
page's own policy allows neither programs nor requests, only the one style sheet whose digest it names.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from importlib import resources

from jinja2 import Environment
from markupsafe import Markup

from reprokit.diff.difference import Difference
from reprokit.diff.shown.legible import printable
from reprokit.report import legible_value, page_templates
from reprokit.report.embedded_pictures import PictureBook, Pictures
from reprokit.report.forest_plot import forests, in_order, interval_of, sense
from reprokit.report.patch_lines import patch
from reprokit.report.sample_cards import cards
from reprokit.report.sample_filters import filters
from reprokit.report.two_texts import beside
from reprokit.report.waterfall_plot import waterfalls

_MOST_OF_A_VALUE = 2_000


def page(difference: Difference, pictures: Pictures) -> str:
    """Write a comparison as HTML. The same comparison with the same pictures is the same text.

    Args:
        difference: the comparison.
        pictures: gives the bytes of a picture, or `None` when it is not to be had. PNG, JPEG, GIF and WebP are shown,
            by what the bytes are and not by their name, up to a size of each and of all.
    """
    shown = cards(difference, PictureBook(pictures))
    chosen = filters(shown)
    style = (resources.files("reprokit.report") / "style.css").read_text(encoding="utf-8") + chosen.rules
    return (
        _environment()
        .get_template("comparison.html.j2")
        .render(
            difference=difference,
            style=Markup(style),  # noqa: S704 - our own file, and rules of our own words and numbers
            style_digest=base64.b64encode(sha256(style.encode()).digest()).decode(),
            rows=in_order(difference.scores),
            forests=forests(difference.scores),
            without_interval=[row for row in in_order(difference.scores) if not interval_of(row)],
            waterfalls=waterfalls(difference.samples, difference.scores),
            cards=shown,
            filters=chosen,
        )
    )


def _environment() -> Environment:
    environment = page_templates.environment()
    environment.filters |= {
        "line": lambda value: printable(str(value)),
        "score": legible_value.score,
    }
    environment.filters |= {"short": legible_value.short, "change": legible_value.change}
    environment.globals |= {
        "beside": lambda one, other: beside(one, other, _MOST_OF_A_VALUE),
        "patch": patch,
        "sense": sense,
    }
    return environment
