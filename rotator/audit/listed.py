"""Whether the ledger of a place and the runs that lie there agree.

Read the entries first, then the runs, and then compare: a run that ended in between is in the second and not in the
first, so it is looked for once more. What was moved away is said with `since`: entries before it need no run.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rotator.audit.ledger import DIGITS, Entry, parse_entry
from rotator.audit.signers import SealError, verify
from rotator.audit.verify import Finding, Flaw, RunEnding, Terms, VerificationReport
from rotator.model.errors import SealsUncheckedError
from rotator.model.signing import Seal

_DIGEST_BYTES = hashlib.sha256().digest_size
_NUMBER = re.compile("[1-9][0-9]{0,15}", re.ASCII)


@dataclass(slots=True)
class LedgerJudge:
    """Judges the entries of one ledger, in the order of their numbers."""

    report: VerificationReport
    where: str
    """The ledger's file, or folder in the bucket."""
    terms: Terms
    last: Entry | None = None
    later: list[Entry] = field(default_factory=list)
    """Those that were added while the runs were judged."""
    _listed: dict[str, bytes] = field(default_factory=dict)
    """By run: fingerprint of the last event, number, and time in ms; once its end was seen, without the time."""
    _odd: dict[str, RunEnding] = field(default_factory=dict)
    """Runs that end otherwise than they are listed, or are not listed at all."""
    _hashes: bytearray = field(default_factory=bytearray)
    """The beginning of the hash of each entry, as in a head."""
    _remains: bytes = b""
    _remains_line: int = 0
    _latest_ms: int = 0
    """The latest time of an entry so far."""
    _unchecked: str = ""
    """Why seals could not be checked."""
    _expected: set[str] = field(default_factory=set)
    """Heads that were not met yet."""

    def __post_init__(self) -> None:
        self._expected = set(self.terms.expected)

    def line(self, line: bytes, number: int) -> None:
        """Judge a line of a ledger's file."""
        entry = parse_entry(line)
        if entry is None:
            self._remains += line
            self._remains_line = self._remains_line or number
            return
        torn = (entry.torn.length, entry.torn.sha256) if entry.torn else (0, "")
        found = (len(self._remains), hashlib.sha256(self._remains).hexdigest()) if self._remains else (0, "")
        if torn != found:
            self._add(Flaw.LEDGER, self._remains_line or number, "what stands above it is not what it accounts for")
        self._remains, self._remains_line = b"", 0
        self.entry(entry, number)

    def entry(self, entry: Entry, line: int | None = None) -> None:
        """Judge an entry."""
        last = self.last
        if last is None and (entry.number, entry.prev) != (1, ""):
            self._add(Flaw.LEDGER, line, f"its first entry has the number {entry.number}")
        elif last and (entry.place, entry.number, entry.prev) != (last.place, last.number + 1, last.hash):
            self._add(Flaw.LEDGER, line, f"entry {entry.number} does not follow from entry {last.number}")
        run, fingerprint = entry.listing, bytes.fromhex(entry.listing.fingerprint)
        earlier = self._listed.setdefault(run.run_id, fingerprint + b"%d %d" % (entry.number, run.time_ms))
        if not earlier.startswith(fingerprint):
            number, _ = _number_and_time(earlier)
            self._add(Flaw.LEDGER, line, f"entry {entry.number} lists another end of a run than entry {number}")
        self.last = entry
        self._hashes += bytes.fromhex(entry.hash[:DIGITS])
        self.report.place = self.report.place or entry.place
        self.report.listed_from_ms = self.report.listed_from_ms or run.time_ms
        self._latest_ms = max(self._latest_ms, run.time_ms)
        self.report.listed += 1
        self._expected = {head for head in self._expected if not _is_head_of(head, entry)}
        if entry.seal:
            self._seal(entry, entry.seal, line)

    def _seal(self, entry: Entry, seal: Seal, line: int | None) -> None:
        try:
            signer = verify(seal, entry.message)
        except SealError as error:
            self._add(Flaw.BAD_SEAL, line, f"entry {entry.number}: {error}")
        except SealsUncheckedError as error:
            self._unchecked = error.message
        else:
            # A key is lost from its time on: what it seals after an entry of that time was made with a false date.
            if not _is_trusted(signer, self.terms, self._latest_ms):
                self._add(Flaw.UNKNOWN_SIGNER, line, f"entry {entry.number}: {signer}")
                return
            self.report.sealed_up_to = entry.number
            self.report.signers.add(signer)

    def unread(self, line: int | None, detail: str) -> None:
        """Note an entry that is none."""
        self._add(Flaw.LEDGER, line, detail)

    def settle(self) -> None:
        """Compare the ends of runs so far, and keep only those that are not as they are listed."""
        for run_id, end in self.report.ends.items():
            listed = self._listed.get(run_id, b"")
            if end.fingerprint and listed.startswith(end.fingerprint):
                self._listed[run_id] = end.fingerprint + b"%d" % _number_and_time(listed)[0]
                self._odd.pop(run_id, None)
            else:
                self._odd[run_id] = end
        self.report.ends.clear()

    def close(self) -> None:
        """Compare with the runs that were judged."""
        self.settle()
        if self._remains:
            self.report.add(Finding(Flaw.UNFINISHED, self.where, self._remains_line, "", None, "an entry was cut off"))
        for flaw, run_id, detail in (*self._absent(), *self._unlisted(), *self._short(), *self._unmet()):
            self.report.add(Finding(flaw, self.where, None, run_id, None, detail))
        self.report.head = self.last.head if self.last else ""

    def _short(self) -> Iterator[tuple[Flaw, str, str]]:
        """Yield heads that are not there, and how far the seals do not reach."""
        place, newest = (self.last.place, self.last.head) if self.last else ("", "none")
        for head in sorted(self._expected):
            if head.partition("@")[2] in {"", place}:
                yield Flaw.NOT_REACHED, "", f"{head}; the newest entry here is {newest}"
        left = self.report.listed - self.report.sealed_up_to
        if self._unchecked:
            yield Flaw.UNSEALED, "", self._unchecked
        elif self.terms.signers and left:
            yield Flaw.UNSEALED, "", f"the newest {left}; the next run that is signed seals them, too"

    def _unmet(self) -> Iterator[tuple[Flaw, str, str]]:
        """Yield heads that were noted outside when a run began, and that are not, or no longer, what is here."""
        size, later = DIGITS // 2, {f"{entry.head}@{entry.place}" for entry in self.later}
        for head, run_id in self.report.noted.items():
            number, _, digits = head.partition("@")[0].partition(":")
            at = size * (int(number) - 1) if _NUMBER.fullmatch(number) else -1
            if head not in later and (at < 0 or self._hashes[at : at + size].hex() != digits):
                yield Flaw.NOT_REACHED, run_id, f"{head} was noted on its secret when this run began"

    def _absent(self) -> Iterator[tuple[Flaw, str, str]]:
        since = self.terms.since
        since_ms = int(since.timestamp() * 1000) if since else 0
        for run_id, listed in self._listed.items():
            number, time_ms = _number_and_time(listed)
            if run_id not in self.report.seen:
                if time_ms is None or time_ms >= since_ms:
                    yield Flaw.MISSING_RUN, run_id, f"entry {number}"
                else:
                    self.report.excused += 1
            elif time_ms is not None or run_id in self._odd:
                yield Flaw.NOT_AS_LISTED, run_id, f"entry {number}"

    def _unlisted(self) -> Iterator[tuple[Flaw, str, str]]:
        known = {entry.listing.run_id for entry in self.later}
        for run_id, end in self._odd.items():
            if run_id in self._listed or run_id in known:
                continue
            if end.may_follow:
                yield (Flaw.UNFINISHED, run_id, "it has ended, and is not listed yet; the next run lists it")
            else:
                yield Flaw.UNLISTED, run_id, "its end says that it is listed"

    def _add(self, flaw: Flaw, line: int | None, detail: str) -> None:
        self.report.add(Finding(flaw, self.where, line, "", None, detail))


def _number_and_time(listed: bytes) -> tuple[int, int | None]:
    number, _, time_ms = listed[_DIGEST_BYTES:].partition(b" ")
    return int(number), int(time_ms) if time_ms else None


def _is_head_of(head: str, entry: Entry) -> bool:
    number, _, digits = head.partition("@")[0].partition(":")
    return number == str(entry.number) and len(digits) >= DIGITS and entry.hash.startswith(digits)


def _is_trusted(signer: str, terms: Terms, time_ms: int) -> bool:
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return not terms.signers or any(
        pinned.fingerprint == signer and (pinned.until is None or at < pinned.until) for pinned in terms.signers
    )
