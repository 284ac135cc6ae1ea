"""Writes docs/page.png: the page over a large fleet in trouble, and within the file what it shows.

`python -m tests.project.picture` takes the picture with Chromium. A test takes it anew and compares what both show: the
text of the page, its style and the size; pixels differ between versions of Chromium and of fonts.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from rotator.page import serve
from tests.chromium import chromium
from tests.page_fleets import a_story, many, sources

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "page.png"
_WIDTH, _HEIGHT = 1280, 800
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"Shows\x00\x00"
"""Of a compressed text within a PNG."""


def taken(browser: Browser) -> bytes:
    """Take the picture, and note in it what it shows."""
    style = (ROOT / "rotator" / "page" / "style.css").read_bytes()
    with serve(("127.0.0.1", 0), sources(many(), records=a_story())) as url, browser.new_context() as context:
        page = context.new_page()
        page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
        page.emulate_media(color_scheme="light")
        page.goto(url)
        lines = [" ".join(line.split()) for line in page.inner_text("body").splitlines()]
        note = {"title": page.title(), "text": [*filter(None, lines)], "style": sha256(style).hexdigest()}
        png = page.screenshot()
    head, *others = _chunks(png)
    noted = b"zTXt", _KEYWORD + zlib.compress(json.dumps(note).encode(), 9)
    return _SIGNATURE + b"".join(_chunk(*one) for one in (head, noted, *others))


def shown(png: bytes) -> dict[str, Any]:
    """Return what a picture shows, as noted in it, and its size."""
    chunks = dict(_chunks(png))
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    note: dict[str, Any] = json.loads(zlib.decompress(chunks[b"zTXt"].removeprefix(_KEYWORD)))
    return note | {"width": width, "height": height}


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


if __name__ == "__main__":
    with chromium() as started:
        PICTURE.write_bytes(taken(started))
