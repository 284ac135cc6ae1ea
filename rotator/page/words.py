r"""Times, counts and texts from outside as people read them.

Key names, error texts and requests are written by others. Whatever a template puts out goes through `visible` first,
and is escaped after that.
"""

import unicodedata
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from rotator.audit.redaction import redacted

_NARROW = "\N{NARROW NO-BREAK SPACE}"
_UNITS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=1), timedelta(hours=1), "h"),
    (timedelta(minutes=1), timedelta(minutes=1), "min"),
    (timedelta(0), timedelta(seconds=1), "s"),
)
"""From which span on a unit is used, how long it is, and its sign."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories without a glyph of their own: control, format (such as bidi overrides), surrogates, line separators."""


def visible(value: object) -> object:
    r"""Return a text with what has no glyph written out, such as `\x1b` or `\u202e`; anything else as it is.

    What looks like secret material is removed, although none can get here: the last line of defence.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = str(redacted(value))
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char
        for char in text
    )


def span(length: timedelta) -> str:
    """Write a length of time in its largest unit, rounded down: `42 s`, `12 min`, `47 h`, `30 d`."""
    for least, unit, sign in _UNITS:
        if length >= least:
            return f"{length // unit:,}{_NARROW}{sign}"
    return span(-length)


def relative(moment: datetime, now: datetime) -> str:
    """Write an instant as seen from now: `in 3 d`, `12 min ago`, `now`."""
    away = moment - now
    if abs(away) < timedelta(seconds=1):
        return "now"
    return f"in {span(away)}" if away > timedelta(0) else f"{span(away)} ago"


def exact(moment: datetime) -> str:
    """Write an instant in UTC, to the second, for people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine(moment: datetime) -> str:
    """Write an instant for the `datetime` attribute."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(number: int, one: str, many: str) -> str:
    """Write a number with its noun: `1 key`, `10,000 keys`."""
    return f"{number:,} {one if number == 1 else many}"
