"""The page in a real browser: layout, keyboard, colours, accessibility, Content-Security-Policy, no scripts.

They need Chromium (Debian: `apt-get install chromium`). Without it they are skipped with these words, and on CI, where
`CI` is set, they fail.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request

from rotator.page import serve
from tests.chromium import MISSING, chromium, installed
from tests.page_fleets import THREE, a_fleet, a_story, hostile_fleet, many, sources
from tests.project import picture

CHECKS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
WIDTHS = (320, 375, 768, 1280)
BOARDS = {"three": THREE, "fleet": many(10_000), "some": many(30), "empty": a_fleet(), "hostile": hostile_fleet()}
PATHS = {
    "three": ("/", "/secret/uploader", "/?q=nothing", "/nowhere"),
    "fleet": ("/", "/?page=100", "/?state=late", "/secret/tenant-00002", "/secret/tenant-00017"),
    "some": ("/", "/?state=late"),
    "empty": ("/",),
    "hostile": ("/", "/secret/evil-3", "/secret/evil-9"),
}
VIEWS = [(fleet, path) for fleet, paths in PATHS.items() for path in paths]


LONG = [("fleet", "/"), ("fleet", "/?page=100")]
"""A hundred rows are checked one by one; `some` has the same kinds of them."""


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium once."""
    if installed() is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Serve every fleet."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(serve(("127.0.0.1", 0), sources(fleet, records=a_story())))
            for name, fleet in BOARDS.items()
        }


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page that fails its test if anything is blocked, fails to load, or talks to somebody else."""
    complaints: list[str] = []

    def note_failure(request: Request) -> None:
        # Leaving a page while its icon is still loading is no failure.
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"{request.url}: {request.failure}")

    def note_stranger(request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            complaints.append(request.url)

    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", note_failure)
        page.on("request", note_stranger)
        yield page
    # A page that does not exist is loaded on purpose.
    assert [text for text in complaints if "404 (Not Found)" not in text] == []


@pytest.mark.parametrize(("fleet", "path"), VIEWS)
def test_nothing_sticks_out(page: Page, urls: dict[str, str], fleet: str, path: str) -> None:
    """On a phone and on a desk the page is as wide as its window, and everything stays inside it."""
    page.goto(urls[fleet] + path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        outside = page.evaluate(
            """() => [...document.querySelectorAll("main *, header *, footer *")]
                .filter(e => !e.closest("svg, pre, thead, .unseen-text"))
                .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
                .map(e => e.outerHTML.slice(0, 100))"""
        )
        assert outside == [], width


@pytest.mark.parametrize(("scheme", "width"), [("dark", 375), ("light", 1280)])
@pytest.mark.parametrize(("fleet", "path"), [view for view in VIEWS if view not in LONG])
def test_accessibility(  # noqa: PLR0913, PLR0917 - every parameter is a circumstance of one reader
    page: Page, urls: dict[str, str], fleet: str, path: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    """Automatic checks (axe: WCAG 2.2 AA and best practice, contrast included) find nothing, light and dark."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.goto(urls[fleet] + path)
    results = Axe().run(page, options=CHECKS)
    assert results.violations_count == 0, results.generate_report()


def test_dark_mode(page: Page, urls: dict[str, str]) -> None:
    """The page is dark for readers who prefer that, and light for the others."""
    schemes: dict[Literal["light", "dark"], bool] = {"light": False, "dark": True}
    for scheme, is_dark in schemes.items():
        page.emulate_media(color_scheme=scheme)
        page.goto(urls["three"])
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        parts = [int(part) for part in re.findall(r"[0-9]+", colour)[:3]]
        assert (sum(parts) < 3 * 60) is is_dark


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("fleet", "path"), [("fleet", "/"), ("hostile", "/"), ("fleet", "/secret/tenant-00001")])
def test_commands_can_be_copied(page: Page, urls: dict[str, str], fleet: str, path: str, width: int) -> None:
    """One click selects a command, the whole command and nothing else, and no cell lies over another."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(urls[fleet] + path)
    command = page.locator(".command, pre code").first
    command.click()
    assert page.evaluate("getSelection().toString().trim()") == command.inner_text().strip()
    overlaps = page.evaluate(
        """() => [...document.querySelectorAll("tbody tr")].slice(0, 20).flatMap(row => {
            const boxes = [...row.children].map(cell => [...cell.children].map(e => e.getBoundingClientRect()));
            return boxes.flatMap((mine, i) => boxes.slice(i + 1).flatMap(others => mine.flatMap(a => others.filter(b =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5).map(() => row.innerText))));
        })"""
    )
    assert overlaps == []


def test_the_picture_shows_the_page(browser: Browser) -> None:
    """The picture in the README shows what the page shows now: its words, its style, at its size."""
    kept = picture.shown(picture.PICTURE.read_bytes())
    assert kept == picture.shown(picture.taken(browser)), "run `python -m tests.project.picture`"
    readme = (picture.ROOT / "README.md").read_text()
    assert "](docs/page.png)" in readme


def focused(page: Page) -> tuple[str, bool]:
    """Return the name of what has the focus, and whether it is seen to have it."""
    name, style, width = page.evaluate(
        """() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.innerText || e.name || e.id, s.outlineStyle, parseFloat(s.outlineWidth)]; }"""
    )
    return " ".join(name.split()), style == "solid" and width >= 2


def test_keyboard(page: Page, urls: dict[str, str]) -> None:
    """From the skip link to a secret and back, by keyboard alone, the focus is always seen."""
    page.goto(urls["three"])
    page.keyboard.press("Tab")
    assert focused(page) == ("Skip to the content", True)
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    walked = []
    for _ in range(20):
        page.keyboard.press("Tab")
        name, is_seen = focused(page)
        assert is_seen, name
        walked.append(name)
        if name == "uploader":
            break
    assert walked[:3] == ["All 3", "Old key in grace 1", "Up to date 2"]
    assert walked[3:5] == ["q", "Filter"]
    page.keyboard.press("Enter")
    page.wait_for_url("**/secret/uploader")
    assert page.get_by_role("heading", level=1).inner_text() == "uploader"
    page.get_by_role("link", name="All secrets").press("Enter")
    page.wait_for_url("**/")


def test_filter_and_pages_by_hand(page: Page, urls: dict[str, str]) -> None:
    """A reader filters by text and state and turns pages, without a script."""
    page.goto(urls["fleet"])
    page.get_by_role("link", name="Up to date").click()
    page.get_by_role("searchbox").fill("tenant-09")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=tenant-09**")
    assert "state=fresh" in page.url
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2**")
    assert "state=fresh" in page.url
    assert "q=tenant-09" in page.url
    assert page.get_by_role("row").count() == 101
    assert page.get_by_text(re.compile(r"Page 2 of \d+")).is_visible()


@pytest.mark.parametrize("width", [375, 1280])
def test_the_table_is_a_table(page: Page, urls: dict[str, str], width: int) -> None:
    """Also where rows look like cards, assistive technology finds a table with headers."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(urls["three"])
    table = page.get_by_role("table")
    assert table.get_by_role("row").count() == 4
    assert table.get_by_role("columnheader").count() == 7
    assert table.get_by_role("rowheader").all_inner_texts()[0].startswith("gateway")
    assert table.get_by_role("cell").count() == 18


def test_landmarks(page: Page, urls: dict[str, str]) -> None:
    """Each page has one banner, one main part, one footer, and one first heading."""
    for path in ("/", "/secret/uploader", "/nowhere"):
        page.goto(urls["three"] + path)
        for role in ("banner", "main", "contentinfo"):
            assert page.get_by_role(role).count() == 1
        assert page.get_by_role("heading", level=1).count() == 1


def test_it_works_without_scripts(browser: Browser, urls: dict[str, str]) -> None:
    """With scripts switched off everything is there."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(urls["three"] + "/secret/uploader")
        assert page.get_by_role("img", name="Keys of uploader over time").is_visible()
        assert page.get_by_text("It is not known whether it could create a key").is_visible()


def test_hostile_texts_do_nothing(page: Page, urls: dict[str, str]) -> None:
    """No dialog, no image, no script comes of texts that are meant to do harm."""
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path in PATHS["hostile"]:
        page.goto(urls["hostile"] + path)
        assert page.locator("script, main img, iframe, object, embed").count() == 0
        assert page.locator("[onerror], [onmouseover], [style]").count() == 0


def test_the_policy_is_in_force(browser: Browser, urls: dict[str, str]) -> None:
    """A script that somehow got into the page would not run."""
    with browser.new_context() as context:
        page = context.new_page()
        blocked: list[str] = []
        page.on("console", lambda message: blocked.append(message.text))
        page.goto(urls["three"])
        page.evaluate(
            """() => { const s = document.createElement("script");
                s.textContent = "document.title = 'taken'"; document.body.append(s); }"""
        )
        assert page.title() != "taken"
        assert any("Content Security Policy" in text for text in blocked)
