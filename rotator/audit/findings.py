"""What verification reports: what is wrong, where, and how grave it is."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array

FINDINGS_MAX = 1000
"""Findings kept in a report; further ones are only counted."""


class Verdict(IntEnum):
    """What a trail comes to; the highest of its findings decides."""

    INTACT = 0
    UNFINISHED = 1
    """A process died and none has run since: the next run closes its file. No sign of tampering."""
    BROKEN = 2


class Flaw(Enum):
    """What can be wrong."""

    UNTRUSTED_FILE = "the file cannot be trusted or read"
    NO_EVENT = "a line is no event"
    ALTERED = "an event is not as it was written"
    MISSHAPEN = "an event has fields it should not have, or lacks some"
    OUT_OF_SEQUENCE = "an event is missing, repeated or out of place"
    UNLINKED = "an event does not follow from the one before it"
    BACKWARDS = "time goes back"
    NO_START = "a run does not begin with its start"
    NO_END = "a run does not end, and no crash explains it"
    AFTER_END = "an event follows the end of its run"
    STRANGER = "an event names another secret than its run"
    NO_INTENT = "a call has an outcome, but no intent"
    NO_OUTCOME = "a call has an intent, but no outcome"
    REPEATED_RUN = "a run is in two files"
    EXPOSED = "an event holds what looks like secret material"
    CONTRADICTED = "the two places of the trail tell a run differently"
    UNFINISHED = "a run or a line was cut off when its process died"

    @property
    def verdict(self) -> Verdict:
        """How grave it is."""
        return Verdict.UNFINISHED if self is Flaw.UNFINISHED else Verdict.BROKEN


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    flaw: Flaw
    file: str
    line: int | None
    run_id: str
    sequence: int | None
    detail: str


@dataclass(slots=True)
class VerificationReport:
    """What was looked at, and what was found."""

    where: str
    """The directory or the bucket."""
    verdict: Verdict = Verdict.INTACT
    files: int = 0
    """Files, or objects of a bucket."""
    runs: int = 0
    events: int = 0
    in_progress: int = 0
    """Runs that a living process is at."""
    findings: list[Finding] = field(default_factory=list)
    chains: dict[str, "array[int]"] = field(default_factory=dict, repr=False)
    """By run: a hash of each event's fingerprint, to compare one place with another."""
    cut_short: set[str] = field(default_factory=set, repr=False)
    """Runs that a later process closed."""
    findings_left_out: int = 0

    @property
    def recovered(self) -> int:
        """How many runs a crash cut off and a later process closed."""
        return len(self.cut_short)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.verdict = max(self.verdict, finding.flaw.verdict)
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1
