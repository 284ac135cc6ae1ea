"""What a reader asks of the list, as GET parameters: a text, a state, a page, and whether to refresh."""

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from rotator.page.states import State

QUERY_MAX_CHARS = 512
TEXT_MAX_CHARS = 100
_PAGE = re.compile("0*[1-9][0-9]{0,5}")
FIELDS_MAX = 8
REFRESH_S = 60


class BadQueryError(ValueError):
    """Parameters that this page does not take; the message says which."""


@dataclass(frozen=True, slots=True)
class Query:
    """One view of the list."""

    text: str = ""
    state: State | None = None
    page: int = 1
    refresh_s: int = 0
    """Seconds after which the browser loads the page again; 0 if never. Off unless a reader asks for it."""

    def narrows(self) -> bool:
        """Tell whether some secrets are left out."""
        return bool(self.text or self.state)

    def url(self) -> str:
        """Return the address of this view."""
        fields = {
            "q": self.text,
            "state": self.state or "",
            "page": str(self.page) if self.page > 1 else "",
            "refresh": str(self.refresh_s or ""),
        }
        shown = urlencode({name: value for name, value in fields.items() if value})
        return f"/?{shown}" if shown else "/"

    def but(self, **changes: Any) -> "Query":  # noqa: ANN401 - its own fields, checked by dataclasses
        """Return another view that differs in some fields."""
        return replace(self, **changes)


def parse(text: str) -> Query:
    """Read a query string.

    Raises BadQueryError if it is too long, or a parameter is unknown, repeated, or has no value this page takes.
    """
    if len(text) > QUERY_MAX_CHARS:
        raise BadQueryError("the query is too long")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError:
        raise BadQueryError("the query is not readable") from None
    fields = dict(pairs)
    if len(fields) < len(pairs) or not fields.keys() <= {"q", "state", "page", "refresh"}:
        raise BadQueryError("the parameters are q, state, page and refresh, each at most once")
    wanted, state, page, refresh = (fields.get(name, "") for name in ("q", "state", "page", "refresh"))
    if len(wanted) > TEXT_MAX_CHARS:
        raise BadQueryError(f"q takes at most {TEXT_MAX_CHARS} characters")
    if state not in {"", *State}:
        raise BadQueryError(f"state is one of {', '.join(State)}")
    if page and not _PAGE.fullmatch(page):
        raise BadQueryError("page is a number from 1 on")
    if refresh not in {"", str(REFRESH_S)}:
        raise BadQueryError(f"refresh is {REFRESH_S}, or left out")
    return Query(wanted.strip(), State(state) if state else None, int(page or 1), int(refresh or 0))
