"""Which lines of an audit file are worth parsing: told from their bytes, before any JSON is read.

A line that is passed over cannot be what was asked for, whatever wrote it: each text that is asked for stands in a line
as JSON writes it, or with an escape that JSON does not need, and a line with such an escape is kept. A line that is
kept may still be anything; `Criteria.fit` decides.

A file is read in blocks and searched as a whole, so that most lines cost nothing of their own.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from rotator.audit.directory.files import lines
from rotator.audit.event import LINE_MAX_BYTES
from rotator.audit.record import RUN_ENDS
from rotator.audit.sources import Criteria

BLOCK_BYTES = 1 << 18
"""Read at one go: what fits into a processor's cache."""
_FEW = 4
"""Texts that are looked for one by one."""
_ESCAPE = b"\\"
_TIME = re.compile(rb'"time":(\d{1,15})[,}]')
_EARLIEST_MS, _LATEST_MS = -(1 << 63), 1 << 63


@dataclass(frozen=True, slots=True)
class Sieve:
    """What a line must have."""

    groups: tuple[frozenset[bytes], ...] = ()
    """One text of each group, as it stands between the quotation marks."""
    from_ms: int = _EARLIEST_MS
    to_ms: int = _LATEST_MS

    @classmethod
    def of(cls, criteria: Criteria) -> "Sieve":
        """Return what a record that fits has; an empty text stands in no particular place."""
        wanted = filter(None, (criteria.secret, criteria.key_id, criteria.run_id))
        groups = tuple(frozenset({_in_json(text)}) for text in wanted)
        return cls(groups, _ms(criteria.since, _EARLIEST_MS), _ms(criteria.until, _LATEST_MS))

    @classmethod
    def of_ends(cls, secrets: Collection[str] = (), since: datetime | None = None) -> "Sieve":
        """Return what the end of a run has: of these secrets, or of any if none is named."""
        groups = [frozenset(map(_in_json, RUN_ENDS))]
        if secrets and all(secrets):
            groups.append(frozenset(map(_in_json, secrets)))
        return cls(tuple(groups), _ms(since, _EARLIEST_MS))

    def lines(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield the lines of a file that may be what is asked for, in their order."""
        rarest = min(self.groups, key=len, default=frozenset())
        texts = (*map(_quoted, rarest), _ESCAPE)
        return filter(self._keeps, _lines_with(texts, stream) if 0 < len(rarest) <= _FEW else lines(stream))

    def _keeps(self, line: bytes) -> bool:
        if _ESCAPE in line and (b"\\u" in line or b"\\/" in line):
            return True
        return all(_has(group, line) for group in self.groups) and self._is_in_time(line)

    def _is_in_time(self, line: bytes) -> bool:
        # Only if nothing else in the line can be its time.
        if (self.from_ms, self.to_ms) == (_EARLIEST_MS, _LATEST_MS) or line.count(b'"time"') != 1:
            return True
        found = _TIME.search(line)
        return found is None or self.from_ms - 1 <= int(found[1]) <= self.to_ms + 1


def _in_json(text: str) -> bytes:
    # Half a surrogate pair has no UTF-8 form, so a line can hold it only as an escape.
    return json.dumps(text, ensure_ascii=False)[1:-1].encode(errors="surrogatepass")


def _quoted(text: bytes) -> bytes:
    return b'"' + text + b'"'


def _ms(moment: datetime | None, default: int) -> int:
    return default if moment is None else int(moment.timestamp() * 1000)


def _has(group: frozenset[bytes], line: bytes) -> bool:
    if len(group) <= _FEW:
        return any(_quoted(text) in line for text in group)
    # Without an escape, the texts of a line are what stands between its quotation marks.
    return _ESCAPE in line or not group.isdisjoint(line.split(b'"'))


def _lines_with(texts: tuple[bytes, ...], stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that hold one of some texts, in their order; lines as `files.lines` cuts them."""
    for buffer, end in _blocks(stream):
        at = 0
        hits = {text: buffer.find(text, 0, end) for text in texts}
        while (hit := min((hit for hit in hits.values() if hit >= 0), default=-1)) >= 0:
            start = buffer.rfind(b"\n", at, hit) + 1 or at
            at = buffer.find(b"\n", hit, end) + 1 or end
            for piece in range(start, at, LINE_MAX_BYTES):
                yield bytes(buffer[piece : min(piece + LINE_MAX_BYTES, at)])
            for text, before in hits.items():
                if 0 <= before < at:
                    hits[text] = buffer.find(text, at, end)


def _blocks(stream: BinaryIO) -> Iterator[tuple[bytearray, int]]:
    """Yield a buffer and how much of it is whole lines, again and again; what is longer than a line may be is cut."""
    buffer = bytearray(LINE_MAX_BYTES + BLOCK_BYTES)
    view, held = memoryview(buffer), 0
    while read := stream.readinto(view[held : held + BLOCK_BYTES]):  # type: ignore[attr-defined]  # the stub lacks it
        filled = held + read
        end = buffer.rfind(b"\n", 0, filled) + 1
        if not end and filled >= LINE_MAX_BYTES:
            end = LINE_MAX_BYTES
        if end:
            yield buffer, end
        held = filled - end
        view[:held] = view[end:filled]
    if held:
        yield buffer, held
