"""New contents for some fields of a JSON object, with every other character of its text as it was.

So a compact value stays compact, an indented one indented, and a number keeps its digits.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_WHITE_SPACE = re.compile(r"[ \t\n\r]*")


class _Member(NamedTuple):
    """Where a field of the object stands in the text."""

    name: str
    name_end: int
    start: int
    """Of its content."""
    end: int


def spliced(raw: str, fields: Mapping[str, str]) -> str:
    """Return the text of a JSON object with new contents of some fields; those that it lacks are appended.

    The text is known to be an object whose fields differ. A quoted text that holds half a surrogate pair, which has no
    UTF-8 form, must be escaped in it, as JSON that came as UTF-8 is.
    """
    members = list(_members(raw))
    left, done, at = dict(fields), [], 0
    for member in members:
        if member.name in left:
            done += [raw[at : member.start], json.dumps(left.pop(member.name))]
            at = member.end
    end = members[-1].end if members else raw.index("{") + 1
    colon = raw[members[0].name_end : members[0].start] if members else ": "
    comma = ", " if colon.endswith(" ") else ","
    added = [f"{json.dumps(name)}{colon}{json.dumps(content)}" for name, content in left.items()]
    return "".join([*done, raw[at:end], comma if members and added else "", comma.join(added), raw[end:]])


def _members(raw: str) -> Iterator[_Member]:
    decoder = json.JSONDecoder()
    at = _past_space(raw, raw.index("{") + 1)
    while raw[at] != "}":
        name, name_end = decoder.raw_decode(raw, at)
        start = _past_space(raw, raw.index(":", name_end) + 1)
        _, end = decoder.raw_decode(raw, start)
        yield _Member(name, name_end, start, end)
        at = _past_space(raw, end)
        if raw[at] == ",":
            at = _past_space(raw, at + 1)


def _past_space(raw: str, at: int) -> int:
    space = _WHITE_SPACE.match(raw, at)
    return space.end() if space else at
