"""The screen of `status`: one line that answers, then the table, what needs people first, each with what to do.

At any width the same troubles are there; a wider terminal adds columns. Of a large fleet a terminal shows the secrets
in which something is not as it should be, and counts the others. In a pipe each has a line, and nothing is cut.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from rotator.cli.screen import alarming, counted, folded
from rotator.model.reasons import Reason
from rotator.model.status import Attention, FleetStatus, SecretStatus, next_command
from rotator.model.times import relative_text, span_text

_HEADINGS = ("SECRET", "GEN", "AGE", "DUE IN", "OLD KEYS", "STATE", "LAST RUN", "ORPHANS", "REASON", "WHAT TO DO")
_ALWAYS, _FROM_80, _FROM_120 = 6, 7, 9
_WIDE, _WIDER = 80, 120
_GAP = "  "
_IN_WORDS = {Attention.OUTAGE: "outage", Attention.PERSON: "needs you", Attention.FAILING: "failing"}
_QUIET = {"fine", "by labels"}
_ROOM = ("", "", "", "", "99 overdue", "needs you", "", "", max(Reason, key=len), "")
"""What a closer look may bring into a column whose width is settled before it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one another, for as long as they come."""

    columns: int | None
    """How wide the terminal is; None in a pipe."""
    shown: int
    """How many of the columns have room."""
    widths: tuple[int, ...]
    hides_fine: bool
    """Whether a secret in which all is well has no row."""

    @classmethod
    def of(cls, fleet: FleetStatus, columns: int | None, *, hides_fine: bool = False, more: bool = False) -> "Table":
        """Return the table that has room for a fleet; with `more`, for what closer looks bring, too."""
        shown = len(_HEADINGS) if columns is None else _shown(columns)
        rows = (_cells(status, fleet.taken_at, shown) for status in fleet.secrets)
        texts = [_HEADINGS, *rows, *([_ROOM] if more else [])]
        widths = [max(map(len, column)) for column in zip(*(text[:shown] for text in texts), strict=True)]
        if columns is not None:
            widths[0] = min(widths[0], columns - sum(widths[1:]) - len(_GAP) * (shown - 1))
        return cls(columns, shown, tuple(widths), hides_fine and columns is not None)

    def head(self) -> str:
        """Return the headings."""
        return "".join(self._line(_HEADINGS))

    def row(self, status: SecretStatus, now: datetime) -> Iterator[str]:
        """Yield a row, and below it, on a terminal, what is wrong and what to type."""
        if self.hides_fine and _is_quiet(status, now):
            return
        lines = self._line(_cells(status, now, self.shown))
        if self.columns is not None:
            lines = chain(lines, (folded(f"  {line}", self.columns) for line in _notes(status, now, self.shown)))
        yield from map(alarming, lines) if status.attention else lines

    def hidden(self, fleet: FleetStatus) -> str:
        """Say how many secrets have no row, and how to see them; empty if there is none."""
        number = sum(self.hides_fine and _is_quiet(status, fleet.taken_at) for status in fleet.secrets)
        return f"{counted(number, 'fine secret')} not shown; see `rotator status | less -S`" if number else ""

    def _line(self, cells: Sequence[str]) -> Iterator[str]:
        """Yield a line; a name that does not fit has one of its own, because a name that is cut names nothing."""
        name, *others = cells[: self.shown]
        if len(name) > self.widths[0]:
            yield name
            name = ""
        told = [text.ljust(width) for text, width in zip((name, *others), self.widths, strict=True)]
        yield _GAP.join(told).rstrip()


def fleet_lines(fleet: FleetStatus, columns: int | None, *, hides_fine: bool = False) -> Iterator[str]:
    """Yield the screen, line by line; without `columns` it goes into a pipe, where every secret has its line."""
    yield folded(answer(fleet), columns)
    table = Table.of(fleet, columns, hides_fine=hides_fine)
    rows = [line for status in fleet.secrets for line in table.row(status, fleet.taken_at)]
    if rows:
        yield from (table.head(), *rows)
    if hidden := table.hidden(fleet):
        yield folded(hidden, columns)


def answer(fleet: FleetStatus, asked: Collection[str] = ()) -> str:
    """Answer in one line: how many are fine, what is not, and when something happens next and happened last.

    Those that are `asked` about more closely meanwhile are counted apart: what labels tell of them may not hold.
    """
    now = fleet.taken_at
    states = [state(status, now) for status in fleet.secrets if status.name not in asked]
    needy, outages = states.count("needs you"), states.count("outage")
    counts = (
        (states.count("fine"), "fine"),
        (states.count("by labels"), "fine by their labels alone"),
        (states.count("due"), "due now"),
        (states.count("late"), "late"),
        (states.count("overdue"), "with an old key overdue"),
        (states.count("failing"), "failing"),
        (needy, "needs you" if needy == 1 else "need you"),
        (outages, "outage" if outages == 1 else "outages"),
        (len(asked), "being looked at closely"),
    )
    told = ", ".join(f"{number:,} {words}" for number, words in counts if number)
    due = [status.due_at for status in fleet.secrets if status.due_at and status.due_at > now]
    ran = [status.last_run_at for status in fleet.secrets if status.last_run_at]
    parts = [
        f"{counted(len(fleet.secrets), 'secret')}: {told or 'nothing is known'}",
        f"next rotation {relative_text(min(due), now)}" if due else "",
        f"last run {relative_text(max(ran), now)}" if ran else "no run is known",
    ]
    return "; ".join(filter(None, parts))


def state(status: SecretStatus, now: datetime) -> str:
    """Say in a word or two what a secret is like."""
    if status.attention:
        return _IN_WORDS[status.attention]
    if status.overdue_keys(now):
        return "overdue"
    if "Create" in (status.next_actions or ()) or (status.due_at and status.due_at <= now):
        return "due"
    if status.is_late(now):
        return "late"
    return "fine" if status.looked_at else "by labels"


def _shown(columns: int) -> int:
    return _FROM_120 if columns >= _WIDER else _FROM_80 if columns >= _WIDE else _ALWAYS


def _is_quiet(status: SecretStatus, now: datetime) -> bool:
    """Tell whether nobody has to know anything of a secret but that it is there."""
    return state(status, now) in _QUIET and status.hold is None and not status.orphans


def _cells(status: SecretStatus, now: datetime, shown: int) -> tuple[str, ...]:
    outcome = f"{status.last_outcome.replace('_', ' ')} " if status.last_outcome and shown > _FROM_80 else ""
    run = outcome + relative_text(status.last_run_at, now) if status.last_run_at else "-"
    return (
        status.name,
        str(status.generation) if status.generation else "-",
        span_text(now - status.born_at) if status.born_at else "-",
        _due_text(status, now),
        _old_keys_text(status, now),
        state(status, now),
        run,
        "?" if status.orphans is None else str(status.orphans or "-"),
        status.reason or "-",
        " | ".join(_notes(status, now, _FROM_120)) or "-",
    )


def _notes(status: SecretStatus, now: datetime, shown: int) -> Iterator[str]:
    """Yield what is told under a row: what is wrong, and what to type; what no column has room for."""
    if status.attention:
        said = (status.code, status.error) if status.error else (status.reason, status.reason and status.reason.clause)
        yield from ": ".join(filter(None, said)).splitlines()
        if status.next_step and (not status.reason or status.next_step != status.reason.clause):
            yield status.next_step
    if status.hold is not None:
        held = "on hold" + (f": {status.hold}" if status.hold else "")
        yield held + ("; the outage waits for it" if status.attention is Attention.OUTAGE else "")
    yield from (seen.text for seen in status.consumers or () if seen.is_behind)
    if status.orphans and shown < _FROM_120:
        yield f"{counted(status.orphans, 'live key')} in no version, left by runs that were cut short"
    if command := next_command(status, now):
        yield f"$ {command}"


def _due_text(status: SecretStatus, now: datetime) -> str:
    if "Create" in (status.next_actions or ()):
        return "now"
    if status.due_at is None:
        return "-"
    return "now" if status.due_at <= now else span_text(status.due_at - now)


def _old_keys_text(status: SecretStatus, now: datetime) -> str:
    if status.old_keys is None:
        return "?"
    if not status.old_keys:
        return "-"
    if overdue := status.overdue_keys(now):
        return f"{overdue} overdue"
    until = min(key.until for key in status.old_keys)
    return f"{len(status.old_keys)}, {relative_text(until, now)}"
