"""The report for an auditor as one HTML file: no script, nothing from outside, and fit to be printed.

It is no part of what a daemon serves; it shares that page's templates, style and words.
"""

from collections.abc import Mapping
from importlib.resources import files

from markupsafe import Markup

from rotator.page.rendering import template


def render_report(report: Mapping[str, object]) -> bytes:
    """Render a report, given as `rotator report` prints it, but with its times and parts as they are in memory."""
    assets = files("rotator.page")
    style = "".join(assets.joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "report.css"))
    own = Markup(style)  # noqa: S704 - both files are our own, and hold no value
    return template("report").render(style=own, **report).encode()
