r"""Times, counts and texts from outside as people read them.

Key names, error texts and requests are written by others. Whatever a template puts out goes through `visible` first,
and is escaped after that.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from rotator.audit.redaction import redacted
from rotator.model.times import relative_text, span_text

_NARROW = "\N{NARROW NO-BREAK SPACE}"
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
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char for char in text
    )


def span(length: timedelta) -> str:
    """Write a length of time as `span_text` does, and keep number and unit on one line."""
    return span_text(length).replace(" ", _NARROW)


def relative(moment: datetime, now: datetime) -> str:
    """Write an instant as seen from now, as `relative_text` does, and keep number and unit on one line."""
    return re.sub(r"(\d) ", rf"\1{_NARROW}", relative_text(moment, now))


def exact(moment: datetime) -> str:
    """Write an instant in UTC, to the second, for people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def counted(number: int, one: str, many: str) -> str:
    """Write a number with its noun: `1 key`, `10,000 keys`."""
    return f"{number:,} {one if number == 1 else many}"
