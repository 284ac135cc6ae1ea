"""One file of an audit directory, judged; and how far all of them were read."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from rotator.audit.directory import files
from rotator.audit.event import parse
from rotator.audit.pieces import read
from rotator.audit.progress import Progress
from rotator.audit.verify import Finding, Flaw, Judge, VerificationReport

WRITABLE = "others than its owner may write to it"
_LINES_AT_ONCE = 1000
"""Lines between two reports of the progress."""
Lines: TypeAlias = Callable[[BinaryIO], Iterator[bytes]]
"""Yields the lines of a file."""


@dataclass(slots=True)
class CheckedFile:
    """One file, read once and judged; a second time to find its repairs, if a line in it is not an event."""

    path: Path
    report: VerificationReport
    judge: Judge
    lines: Lines
    at: int = 0
    """How far it was read, in bytes."""
    trusted_from: int = -1
    """Where the last part ends that a repair accounts for."""

    def check(self) -> None:
        """Judge the file. Raises OSError if it cannot be opened."""
        is_open = files.is_open_name(self.path)
        with files.opened(self.path) as stream:
            if files.is_writable_by_others(stream.fileno()):
                self._add(Flaw.UNTRUSTED_FILE, None, WRITABLE)
                return
            is_live = is_open and files.has_live_writer(stream)
            self.judge.may_follow = is_open
            self._read(stream, is_dead=is_open and not is_live, is_live=is_live)
        if is_live:
            self.judge.close(None, self.path.name)
            return
        left = Flaw.UNFINISHED, "its process died; the next run closes it"
        cut = Flaw.NO_END, "the file was closed; its last events are gone"
        self.judge.close(left if is_open else cut, self.path.name)

    def _read(self, stream: BinaryIO, *, is_dead: bool, is_live: bool) -> None:
        number, line, stray = 0, b"\n", 0
        repairs: dict[int, int] | None = None
        for number, line in enumerate(self.lines(stream), start=1):
            begins, self.at = self.at, self.at + len(line)
            if begins < self.trusted_from:
                continue
            if stored := read(line) or parse(line):
                if stray or (stored.record.torn and begins != self.trusted_from):
                    self._add(Flaw.NO_EVENT, stray or number, "and no repair accounts for it")
                stray = 0
                self.judge.event(line, stored, self.path.name, number)
                continue
            repairs = _repairs(self.path) if repairs is None else repairs
            self.trusted_from = repairs.get(begins, -1)
            if begins >= self.trusted_from:
                stray = stray or number
                if is_dead:  # from here on the next process believes nothing
                    self._add(Flaw.UNFINISHED, number, "the next run accounts for the rest of the file")
                    return
        if is_live:
            return
        if stray:
            self._add(Flaw.NO_EVENT, stray, "the file ends in it")
        elif not is_dead and not line.endswith(b"\n"):
            self._add(Flaw.ALTERED, number, "the last line break is missing")

    def _add(self, flaw: Flaw, line: int | None, detail: str) -> None:
        self.report.add(Finding(flaw, self.path.name, line, "", None, detail))


def _repairs(path: Path) -> dict[int, int]:
    """Return which parts of a file repairs account for: where each begins, and where it ends."""
    found: dict[int, int] = {}
    at, end = 0, 0
    with files.opened(path) as stream, files.opened(path) as again:
        for line in files.lines(stream):
            torn = stored.record.torn if (stored := parse(line)) else None
            # They do not overlap, so that no more is read than twice the file.
            if torn and end <= (begins := at - torn.length) and torn.offset in {None, begins}:
                again.seek(begins)
                if hashlib.sha256(again.read(torn.length)).hexdigest() == torn.sha256:
                    found[begins], end = at, at
            at += len(line)
    return found


class ReadingProgress:
    """Reports how far the files of a directory were read."""

    def __init__(self, tell: Callable[[Progress], None], paths: Sequence[Path]) -> None:
        self._tell = tell
        self._so_far = Progress(0, len(paths), 0, sum(map(_size, paths)))

    def lines(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield the lines of the next file."""
        done, before = self._so_far.files, self._so_far.size
        for number, line in enumerate(files.lines(stream)):
            if number % _LINES_AT_ONCE == 0:
                self._say(done, before + stream.tell())
            yield line
        self._say(done + 1, before + stream.tell())

    def _say(self, done: int, size: int) -> None:
        self._so_far = self._so_far._replace(files=done, size=size)
        self._tell(self._so_far)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0
