"""What people see, drawn from plain values: `python -m tests.unit.cli.screens` writes the golden files anew.

Look at what changed before you commit it. Of a long screen the first lines are kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rotator.audit.record import Record
from rotator.cli.fleet_screen import fleet_lines
from rotator.cli.life import life_lines
from rotator.cli.plan import IDLE_SHOWN_MAX, Planned, Unplanned, entry_lines, summary, summary_text
from rotator.cli.recap import Recap
from rotator.cli.screen import folded
from rotator.engine.forecast import LaterRevocation
from rotator.fleet.strays import FEW
from rotator.model.errors import ProviderError
from rotator.model.events import Failure
from rotator.model.naming import version_id
from rotator.model.plan import Action, BackOff, Create, Outcome, OutcomeKind, Plan, Promote, ProveDead, Revoke, Verify
from rotator.model.reasons import Reason
from rotator.model.status import Attention, FleetStatus, OldKey, SecretStatus, urgency
from tests.builders import a_spec
from tests.page_fleets import A_STATUS, DAY, HOUR, NOW, a_story

FOLDER = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 120, None)
LINES_MAX, STATUS_MAX = 14, 26
Screen = Callable[[int | None], Iterator[str]]


def _named(number: int) -> SecretStatus:
    return replace(
        A_STATUS,
        name=f"tenant-{number:05}",
        secret_id=f"prod/tenants/{number:05}",
        born_at=NOW - (number % 29) * DAY - HOUR,
        due_at=NOW + (29 - number % 29) * DAY + HOUR,
    )


def _by_labels(number: int) -> SecretStatus:
    return replace(_named(number), reason=None, next_actions=None, old_keys=None, orphans=None, looked_at=None)


def _in_trouble(number: int, reason: Reason, attention: Attention, **changes: object) -> SecretStatus:
    return replace(
        _named(number),
        reason=reason,
        attention=attention,
        needs_person=attention is Attention.PERSON,
        next_step=reason.clause,
        last_outcome=OutcomeKind.HELD,
        **changes,  # type: ignore[arg-type]  # fields by name
    )


TROUBLES = (
    _in_trouble(7, Reason.CURRENT_REFUSED, Attention.OUTAGE, hold="incident 42: wait for the vendor", orphans=2),
    _in_trouble(8, Reason.DRIFTED, Attention.PERSON),
    replace(
        _named(9),
        name="a-tenant-whose-name-is-longer-than-any-column-has-room-for",
        last_outcome=OutcomeKind.FAILED,
        attention=Attention.FAILING,
        failures=3,
        error="Pinata did not answer within 10 s (create key); AWSCURRENT is unchanged",
        code="ProviderError",
        next_step="The next run tries again.",
    ),
)


MOVING = {
    *(Reason.STALLED, Reason.NO_CURRENT, Reason.NO_CREDENTIAL, Reason.CURRENT_REFUSED, Reason.ADOPTED),
    *(Reason.AGED_OUT, Reason.NEARLY_USED_UP, Reason.EXPIRING, Reason.KEY_REVOKED, Reason.FORCED, Reason.CONTAINED),
}
"""For which a new key is made in the same run."""


def _every_reason() -> list[SecretStatus]:
    out = {Reason.CURRENT_REFUSED, Reason.KEY_REVOKED}
    return [
        _in_trouble(
            number,
            reason,
            Attention.OUTAGE
            if reason in out
            else Attention.PERSON
            if reason.needs_person
            else Attention.FAILING
            if reason is Reason.BACKING_OFF
            else Attention.NONE,
            old_keys=(OldKey("0a1da60a2e537fe8bb83", NOW + 23 * HOUR),) if reason is Reason.WAITING_GRACE else (),
            hold="incident 42" if reason is Reason.ON_HOLD else None,
            next_actions=("Create", "Verify", "Promote") if reason in MOVING else (),
        )
        for number, reason in enumerate(Reason)
    ]


def _fleet(statuses: list[SecretStatus]) -> Screen:
    taken = FleetStatus(NOW, tuple(sorted(statuses, key=urgency)), "", "", "1.0.0")
    return lambda columns: fleet_lines(taken, columns, hides_fine=len(statuses) > FEW)


def _lines(*drawn: list[str]) -> Screen:
    """Return a screen of lines that are folded to the terminal."""
    lines = [line for some in drawn for line in some]
    return lambda columns: (folded(line, columns) for line in lines)


def _planned(name: str, reason: Reason, *actions: Action, later: LaterRevocation | None = None) -> Planned:
    back_off = BackOff(3, NOW + HOUR) if reason is Reason.BACKING_OFF else None
    due_at = NOW - HOUR if actions else NOW + 18 * DAY
    return Planned(name, Plan(reason, actions, due_at, back_off), (later,) if later else ())


def _plan(entries: list[Planned | Unplanned], *, shows_idle: bool = False) -> Screen:
    told = [entry_lines(entry, NOW, shows_idle=shows_idle or len(entries) <= IDLE_SHOWN_MAX) for entry in entries]
    return _lines(*told, [summary_text(summary(entries, NOW))])


VERSION = version_id(13, NOW, "0123456789")
MOVES = (Create(VERSION, None, VERSION), Verify(VERSION), Promote(VERSION, None))
PLANS: list[Planned | Unplanned] = [
    _planned("aged", Reason.AGED_OUT, *MOVES, later=LaterRevocation("0a1da60a2e537fe8bb83", NOW + DAY)),
    _planned("replica", Reason.REPLICA_BEHIND, later=LaterRevocation("90ff4e6168bb58f2139d", None)),
    Unplanned("lost", ProviderError("Pinata did not answer within 10 s (list keys)")),
]


def _run(outcomes: list[Outcome], asleep: int = 0) -> Screen:
    specs = {outcome.secret: a_spec(name=outcome.secret, secret_id=f"prod/{outcome.secret}") for outcome in outcomes}
    recap = Recap(specs | {f"asleep-{n}": a_spec() for n in range(asleep)}, tells_all=False, asleep=asleep)
    return _lines(*(recap.take(outcome, NOW) for outcome in outcomes), recap.lines())


def _ended(number: int) -> Outcome:
    return Outcome(
        f"tenant-{number:05}", "run", OutcomeKind.UP_TO_DATE, Reason.UP_TO_DATE, VERSION, "0a1da60a2e537fe8bb83"
    )


def _failed(number: int) -> Outcome:
    name = f"tenant-{number:05}"
    return Outcome.failed(name, ProviderError(f"Pinata did not answer within 10 s for prod/{name} (create key)"))


_ROTATED = Outcome(
    "aged",
    "run",
    OutcomeKind.ROTATED,
    Reason.AGED_OUT,
    VERSION,
    "0a1da60a2e537fe8bb83",
    (*MOVES, Revoke("90ff4e6168bb58f2139d"), ProveDead("90ff4e6168bb58f2139d")),
)


def _each_outcome() -> list[Outcome]:
    made = [replace(_ROTATED, secret=f"tenant-{number:05}", reason=reason) for number, reason in enumerate(Reason)]
    return [one if one.reason in MOVING else _unmoved(one) for one in made]


def _unmoved(outcome: Outcome) -> Outcome:
    reason = outcome.reason
    is_held = reason is not None and reason.needs_person
    kind = (
        OutcomeKind.HELD if is_held else OutcomeKind.UP_TO_DATE if reason is Reason.UP_TO_DATE else OutcomeKind.WAITING
    )
    back_off = BackOff(3, NOW + HOUR) if reason is Reason.BACKING_OFF else None
    return Outcome(outcome.secret, "run", kind, reason, back_off=back_off)


def _each_plan() -> list[Planned | Unplanned]:
    return [_planned(f"t-{n}", reason, *(MOVES if reason in MOVING else ())) for n, reason in enumerate(Reason)]


def _troubled_life() -> tuple[Record, ...]:
    """Return a story whose failed run left its error's code."""
    failure = Failure.of(ProviderError("Pinata did not answer within 10 s"))
    return tuple(replace(record, failure=failure) if record.result == "failed" else record for record in a_story())


def _life(records: Sequence[Record]) -> Screen:
    return _lines(list(life_lines("uploader", records, NOW)))


SCREENS: dict[str, tuple[Screen, int]] = {
    "status-fine": (_fleet([A_STATUS, replace(_named(3), old_keys=(OldKey("k", NOW + 23 * HOUR),))]), LINES_MAX),
    "status-reasons": (_fleet(_every_reason()), 1000),
    "status-300": (_fleet([*TROUBLES, *map(_named, range(10, 307))]), STATUS_MAX),
    "status-10000": (_fleet([*TROUBLES, *map(_by_labels, range(10, 10_007))]), STATUS_MAX),
    "plan-fine": (_plan([_planned("uploader", Reason.UP_TO_DATE)]), LINES_MAX),
    "plan-reasons": (_plan(_each_plan(), shows_idle=True), 1000),
    "plan-300": (_plan([*PLANS, *(_planned(f"t-{n}", Reason.UP_TO_DATE) for n in range(297))]), LINES_MAX),
    "plan-10000": (_plan([_planned(f"t-{n}", Reason.UP_TO_DATE) for n in range(10_000)]), LINES_MAX),
    "run-fine": (_run([_ended(1)]), LINES_MAX),
    "run-reasons": (_run(_each_outcome()), 1000),
    "run-300": (_run([_ROTATED, *map(_failed, range(2)), *map(_ended, range(2, 299))]), LINES_MAX),
    "run-10000": (_run([_ROTATED, *map(_failed, range(30))], asleep=9_969), LINES_MAX),
    "status-10000-fine": (_fleet([*map(_by_labels, range(10_000))]), LINES_MAX),
    "history": (_life(_troubled_life()), LINES_MAX),
    "history-nothing": (_life([]), LINES_MAX),
}
"""By name: how the screen is drawn, and how many of its lines are kept."""


def text(name: str) -> str:
    """Return what a golden file holds: the screen at each width, and in a pipe."""
    draw, kept = SCREENS[name]
    parts = []
    for columns in WIDTHS:
        shown = list(islice(draw(columns), kept))
        parts += [f"==== {columns or 'piped'}", *shown]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    for screen in SCREENS:
        (FOLDER / f"{screen}.txt").write_text(text(screen), encoding="utf-8")
