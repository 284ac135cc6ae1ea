"""What people see, drawn from plain values: `python -m tests.unit.cli.screens` writes the golden files anew.

Look at what changed before you commit it. Of a long screen the first lines are kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rotator.cli.fleet_screen import fleet_lines
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.status import Attention, FleetStatus, OldKey, SecretStatus, urgency
from tests.page_fleets import A_STATUS, DAY, HOUR, NOW

FOLDER = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 120, None)
LINES_MAX = 14
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
        next_step="The next run tries again.",
    ),
)


def _every_reason() -> list[SecretStatus]:
    out = {Reason.CURRENT_REFUSED, Reason.KEY_REVOKED}
    return [
        _in_trouble(
            number,
            reason,
            Attention.OUTAGE if reason in out else Attention.PERSON if reason.needs_person else Attention.NONE,
            old_keys=(OldKey("0a1da60a2e537fe8bb83", NOW + 23 * HOUR),) if reason is Reason.WAITING_GRACE else (),
            hold="incident 42" if reason is Reason.ON_HOLD else None,
        )
        for number, reason in enumerate(Reason)
    ]


def _fleet(statuses: list[SecretStatus]) -> Screen:
    taken = FleetStatus(NOW, tuple(sorted(statuses, key=urgency)), "", "", "1.0.0")
    return lambda columns: fleet_lines(taken, columns)


SCREENS: dict[str, tuple[Screen, int]] = {
    "status-fine": (_fleet([A_STATUS, replace(_named(3), old_keys=(OldKey("k", NOW + 23 * HOUR),))]), LINES_MAX),
    "status-reasons": (_fleet(_every_reason()), 1000),
    "status-300": (_fleet([*TROUBLES, *map(_named, range(10, 307))]), LINES_MAX),
    "status-10000": (_fleet([*TROUBLES, *map(_by_labels, range(10, 10_007))]), LINES_MAX),
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
