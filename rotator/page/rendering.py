"""Templates to bytes: every value is made visible and escaped, and a name that is missing is an error."""

from datetime import datetime, timedelta
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from rotator.model.status import FleetStatus
from rotator.model.times import time_text
from rotator.page import words
from rotator.page.query import REFRESH_S, TEXT_MAX_CHARS, Query
from rotator.page.states import LABELS, State
from rotator.page.views import Listing, SecretPage


@cache
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("rotator.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters.update(
        counted=words.counted,
        exact=words.exact,
        machine=time_text,
        relative=words.relative,
        span=words.span,
        seconds=lambda number: words.span(timedelta(seconds=number)),
        path=lambda text: quote(text, safe="", errors="replace"),
    )
    env.globals.update(State=State, labels=LABELS, refresh_s=REFRESH_S, text_max=TEXT_MAX_CHARS)
    return env


def template(kind: str) -> Template:
    """Return the template of a kind of page."""
    return _environment().get_template(f"{kind}.html")


class Renderer:
    """Renders the three kinds of page; a template that cannot be read shows at once."""

    def __init__(self) -> None:
        self._templates = {kind: template(kind) for kind in ("listing", "secret", "error")}

    def listing(self, found: Listing, query: Query, fleet: FleetStatus, now: datetime) -> bytes:
        """Render one page of the list."""
        return self._templates["listing"].render(found=found, query=query, fleet=fleet, now=now).encode()

    def secret(self, secret_page: SecretPage, fleet: FleetStatus, now: datetime) -> bytes:
        """Render one secret."""
        return self._templates["secret"].render(secret_page=secret_page, fleet=fleet, now=now).encode()

    def error(self, title: str, text: str) -> bytes:
        """Render what is said instead of a page."""
        return self._templates["error"].render(title=title, text=text).encode()

    @staticmethod
    def plain(text: str) -> str:
        """Return a text for an answer that is no HTML."""
        return str(words.visible(text))
