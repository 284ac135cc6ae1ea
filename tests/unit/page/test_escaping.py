"""Texts from outside: on no page do they become markup, controls, or anything but text."""

import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from rotator.model.events import Result
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.status import FleetStatus, OldKey
from rotator.page.words import visible
from tests.page_fleets import HOSTILE, NOW, a_failed_run, a_fleet, a_retirement, a_status, hostile_fleet, sources
from tests.unit.page.wsgi import ask

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZWRLZXkiOiJhYmMifQ.c2lnbmF0dXJl"
HARMLESS = "harmless"
WORDS = frozenset[str]({*Reason, *OutcomeKind, *Result})


class Shape(HTMLParser):
    """The tags and attribute names of a page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag with the names of its attributes."""
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def evil(text: str) -> FleetStatus:
    """Return a fleet of one secret with a text everywhere a text can be."""
    return a_fleet(
        a_status(
            name=text,
            secret_id=f"id {text}",
            arn=text,
            window=text,
            hold=text,
            error=text,
            person=text,
            old_keys=(OldKey(text, NOW),),
        ),
        audit_error=text,
        config_error=text,
        version=text,
    )


def hidden(text: str) -> set[str]:
    """Return the characters of a page that no reader can see."""
    return {char for char in text if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Cs"}}


texts = st.one_of(
    st.text(st.characters(codec=None), min_size=1, max_size=60),
    st.text("<>&\"'`{}%#/\\ \x00\x1b\x7f\u202e\u200b\ud800aé", min_size=1, max_size=30),
    st.sampled_from(HOSTILE),
).filter(lambda text: "`" not in text and text not in WORDS)
"""Any text but what changes a page on purpose: a backtick sets code apart, and our own words have a meaning."""


@given(texts)
def test_a_text_changes_nothing_but_text(text: str) -> None:
    """With a hostile text the list has the same tags and attributes as with a harmless one."""
    with_evil = ask(sources(evil(text)))
    assert with_evil.status == 200
    assert Shape(with_evil.text).tags == Shape(ask(sources(evil(HARMLESS))).text).tags
    assert not hidden(with_evil.text)


@given(texts)
def test_a_text_in_the_trail_changes_nothing_but_text(text: str) -> None:
    """Key ids and details of audit records are text on a secret's page, too."""

    def page(told: str) -> str:
        records = [
            replace(record, reason=told, writer=replace(record.writer, trigger=told))
            for record in (*a_failed_run(NOW, told), *a_retirement(told, NOW))
        ]
        fleet = evil(told)
        name = replace(fleet.secrets[0], name="uploader")
        return ask(sources(replace(fleet, secrets=(name,)), records=records), "/secret/uploader").text

    text_page = page(text)
    assert Shape(text_page).tags == Shape(page(HARMLESS)).tags
    assert not hidden(text_page)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_what_a_reader_searches_is_text(text: str) -> None:
    """The text of the filter comes back as text, or is refused."""
    answer = ask(sources(), f"/?q={quote(text)}")
    assert answer.status in {200, 400}
    tags = {tag for tag, _ in Shape(answer.text).tags}
    assert "script" not in tags
    assert "img" not in tags
    assert not hidden(answer.text)


@given(st.binary(max_size=300))
def test_any_path_is_answered_politely(path: bytes) -> None:
    """Whatever bytes a path has, the answer is a refusal and not a failure."""
    assert ask(sources(), "/" + quote(path)).status in {200, 400, 404, 414}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
def test_any_query_is_answered_politely(query: str) -> None:
    """Whatever a query string holds, the answer is a page or a refusal."""
    assert ask(sources(), f"/?{query}").status in {200, 400}


@given(st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=80))
def test_any_host_is_answered_politely(host: str) -> None:
    """Whatever a Host header holds, the answer is a page or a refusal."""
    assert ask(sources(), host=host).status in {200, 400, 421}


def test_the_hostile_fleet_is_readable() -> None:
    """Escapes, overrides and zero-width characters are written out where a reader sees them."""
    text = ask(sources(hostile_fleet())).text
    assert r"\x1b[31mred\x1b[0m\x00\r\n\tend" in text
    assert r"\u202egnp.exe\u2066\u200b\ufeff" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text
    assert len(text) < 100_000


@pytest.mark.parametrize("target", ["/", "/secret/uploader"])
def test_what_looks_secret_is_removed(target: str) -> None:
    """A token that slipped into an error is not shown."""
    fleet = a_fleet(a_status(error=f"refused {TOKEN}", person=f"look {'0f' * 32}"))
    records = a_failed_run(NOW, f"refused {TOKEN}")
    text = ask(sources(fleet, records=records), target).text
    assert "&lt;removed&gt;" in text
    assert not re.search(r"eyJ|(0f){32}", text)


def test_visible_leaves_the_rest_alone() -> None:
    """Readable text, markup of our own, and what is no text stay as they are."""
    assert visible("prod/pinata é 日本") == "prod/pinata é 日本"
    assert visible(12) == 12
    assert visible(Markup("<b>\x1b</b>")) == Markup("<b>\x1b</b>")
