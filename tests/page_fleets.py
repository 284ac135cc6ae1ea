"""Boards and audit records for tests of the status page: three secrets, ten thousand, and texts meant to do harm."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.audit.record import EventKind, Record, Writer
from rotator.model.events import Operation, Result, Subject
from rotator.model.naming import version_id
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.status import Attention, FleetStatus, OldKey, SecretStatus
from rotator.page import Sources
from rotator.page.sources import Told

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

A_STATUS = SecretStatus(
    name="uploader",
    secret_id="prod/pinata/uploader",
    arn="arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/pinata/uploader-AbCdEf",
    generation=12,
    born_at=NOW - 12 * DAY,
    max_age=30 * DAY,
    due_at=NOW + 18 * DAY,
    window="",
    window_open=True,
    old_keys=(),
    consumers=(),
    orphans=0,
    hold=None,
    last_outcome=OutcomeKind.UP_TO_DATE,
    reason=Reason.UP_TO_DATE,
    next_actions=None,
    looked_at=NOW - timedelta(minutes=4),
    last_run_at=NOW - timedelta(minutes=4),
    last_success_at=NOW - timedelta(minutes=4),
    failures=0,
    error="",
    code="",
    next_step="",
    attention=Attention.NONE,
    needs_person=False,
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b[0m\x00\r\n\tend",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "half \ud800 a pair",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    "x" * 5_000,
)
"""Texts as a holder of the managing key could put them into key names, and a provider into errors."""


def a_status(person: str = "", **changes: Any) -> SecretStatus:  # noqa: ANN401 - any field
    """Return a secret that is fine, with changes; `person` is what a person has to do, if anything."""
    return changed(A_STATUS, person, **changes)


def changed(status: SecretStatus, person: str = "", **changes: Any) -> SecretStatus:  # noqa: ANN401 - any field
    """Return a status with changes, and with the attention that follows from them."""
    failing = changes.get("error") or changes.get("failures") or changes.get("last_outcome") is OutcomeKind.FAILED
    attention = Attention.PERSON if person else Attention.FAILING if failing else Attention.NONE
    return replace(status, attention=attention, needs_person=bool(person), next_step=person, **changes)


def a_fleet(*statuses: SecretStatus, **changes: Any) -> FleetStatus:  # noqa: ANN401 - any field
    """Return a fleet that was taken just now, with changes."""
    return replace(FleetStatus(NOW - timedelta(seconds=12), statuses, "", "", "1.0.0"), **changes)


THREE = a_fleet(
    a_status(
        name="gateway",
        secret_id="prod/pinata/gateway",
        born_at=NOW - 20 * HOUR,
        due_at=NOW + 29 * DAY,
        generation=4,
        old_keys=(OldKey("3f1f0f0e5d6c", NOW + 4 * HOUR),),
        last_outcome=OutcomeKind.WAITING,
        reason=Reason.UP_TO_DATE,
    ),
    a_status(due_at=NOW + 18 * DAY),
    a_status(
        name="thumbnails",
        secret_id="prod/pinata/thumbnails",
        generation=31,
        born_at=NOW - 28 * DAY,
        due_at=NOW + 2 * DAY,
        window="Mon-Fri 09:00-17:00 Europe/Berlin",
    ),
)
"""A small installation where all is well."""


def _troubled(index: int) -> SecretStatus:  # noqa: PLR0911 - one return per kind of trouble
    name = f"tenant-{index:05}"
    status = a_status(
        name=name,
        secret_id=f"prod/tenants/{index // 100:03}/pinata-{name}",
        generation=1 + index % 40,
        born_at=NOW - (index % 30) * DAY - (index % 24) * HOUR,
        due_at=NOW + (30 - index % 30) * DAY - (index % 24) * HOUR,
        window="Sat-Sun 01:00-05:00 UTC" if index % 4 == 0 else "",
        window_open=index % 4 != 0,
    )
    match index:
        case 0:
            return changed(
                status,
                last_outcome=OutcomeKind.HELD,
                reason=Reason.ROLLED_BACK,
                person="ROLLED_BACK: AWSCURRENT was moved back to an older version; `rotator rotate` moves on",
            )
        case 1:
            return changed(
                status,
                last_outcome=OutcomeKind.HELD,
                reason=Reason.ON_HOLD,
                hold="migration of the image service",
                person="ON_HOLD: the tag rotator:hold is set (migration of the image service)",
            )
        case 2:
            return changed(
                status,
                arn="",
                generation=None,
                born_at=None,
                due_at=None,
                last_outcome=OutcomeKind.FAILED,
                reason=None,
                failures=3,
                last_success_at=None,
                error="secret prod/tenants/000/pinata-tenant-00002 was not found in eu-central-1",
                person="Compare `secret_id`, `[aws] region` and the account.",
            )
        case _ if index < 15:
            return changed(
                status,
                last_outcome=OutcomeKind.FAILED,
                reason=Reason.AGED_OUT,
                born_at=NOW - 33 * DAY,
                due_at=NOW - 3 * DAY,
                failures=index,
                error="Pinata did not answer within 10 s (create key); AWSCURRENT is unchanged",
            )
        case _ if index < 20:
            return changed(
                status,
                reason=Reason.AGED_OUT,
                born_at=NOW - 32 * DAY,
                due_at=NOW - 2 * DAY,
                old_keys=(OldKey(f"old-{index}", NOW - DAY),),
                orphans=index % 3,
                window="",
                window_open=True,
            )
        case _ if index % 97 == 0:
            return changed(
                status,
                last_outcome=OutcomeKind.WAITING,
                reason=Reason.OUTSIDE_WINDOW,
                born_at=NOW - 31 * DAY,
                due_at=NOW - DAY,
                window="Sat-Sun 01:00-05:00 UTC",
                window_open=False,
            )
        case _ if index % 23 == 0:
            return changed(
                status,
                born_at=NOW - 7 * HOUR,
                due_at=NOW + 29 * DAY,
                old_keys=(OldKey(f"old-{index}", NOW + 17 * HOUR),),
                last_outcome=OutcomeKind.ROTATED,
                reason=Reason.AGED_OUT,
            )
        case _:
            return status


def many(number: int = 10_000) -> FleetStatus:
    """Return a large fleet with a bit of everything, in the order the daemon promises."""
    statuses = sorted(map(_troubled, range(number)), key=lambda s: (not s.needs_person, not s.error, s.due_at or NOW))
    return a_fleet(*statuses)


def hostile_fleet() -> FleetStatus:
    """Return a fleet whose every text is meant to do harm."""
    return a_fleet(
        *(
            a_status(
                name=f"evil-{number}",
                secret_id=text,
                arn=text,
                window=text,
                old_keys=(OldKey(text, NOW + HOUR),),
                hold=text,
                error=text,
                person=text if number % 2 else "",
            )
            for number, text in enumerate(HOSTILE)
        ),
        audit_error=HOSTILE[0],
        config_error=HOSTILE[3],
        version=HOSTILE[1],
    )


def a_record(kind: EventKind, time: datetime, run_id: str = "run-1", **changes: Any) -> Record:  # noqa: ANN401 - any field
    """Return an audit record of the secret `uploader`."""
    record = Record(
        kind=kind,
        operation="",
        result="",
        run_id=run_id,
        sequence=1,
        uid=f"{run_id}.1",
        time_ms=int(time.timestamp() * 1000),
        call_uid=f"{run_id}.1",
        writer=Writer("rotator", "1.0.0", "daemon", "arn:aws:iam::111122223333:role/rotator", "host"),
        secret="uploader",
        arn=A_STATUS.arn,
    )
    return replace(record, **changes)


def a_rotation(generation: int, time: datetime) -> list[Record]:
    """Return what a run records that makes a generation current."""
    run_id, key_id = f"{generation:08x}-run", f"key-{generation}"
    subject = Subject(version_id(generation, time, "0123456789"), key_id)
    second = timedelta(seconds=1)
    steps = (Operation.CREATE_KEY, Operation.PUT_PENDING, Operation.VERIFY_KEY, Operation.PROMOTE)
    return [
        a_record(EventKind.STARTED, time, run_id, operation="StartRun"),
        a_record(EventKind.DECIDED, time, run_id, operation="Decide", reason=Reason.AGED_OUT),
        *(
            a_record(
                EventKind.DONE,
                time + number * second,
                run_id,
                operation=operation,
                result=Result.SUCCESS,
                subject=subject,
            )
            for number, operation in enumerate(steps, start=1)
        ),
        a_record(
            EventKind.ENDED,
            time + 5 * second,
            run_id,
            operation="EndRun",
            result=OutcomeKind.ROTATED,
            reason=Reason.AGED_OUT,
            subject=subject,
        ),
    ]


def a_retirement(key_id: str, time: datetime) -> list[Record]:
    """Return what a run records that revokes a key and proves it dead."""
    run_id, subject = f"retire-{key_id}", Subject(key_id=key_id)
    second = timedelta(seconds=1)
    return [
        a_record(EventKind.STARTED, time, run_id, operation="StartRun"),
        a_record(EventKind.DECIDED, time, run_id, operation="Decide", reason=Reason.UP_TO_DATE),
        a_record(
            EventKind.DONE,
            time + second,
            run_id,
            operation=Operation.REVOKE_KEY,
            result=Result.SUCCESS,
            subject=subject,
        ),
        a_record(
            EventKind.DONE,
            time + 4 * second,
            run_id,
            operation=Operation.PROVE_DEAD,
            result=Result.SUCCESS,
            subject=subject,
            detail="refused after 2.8 s",
        ),
        a_record(
            EventKind.ENDED,
            time + 5 * second,
            run_id,
            operation="EndRun",
            result=OutcomeKind.UP_TO_DATE,
            reason=Reason.UP_TO_DATE,
            revoked=(key_id,),
        ),
    ]


def an_idle_run(time: datetime) -> list[Record]:
    """Return what a run records that found nothing to do."""
    run_id = f"idle-{time:%m%d%H}"
    return [
        a_record(EventKind.STARTED, time, run_id, operation="StartRun"),
        a_record(EventKind.DECIDED, time, run_id, operation="Decide", reason=Reason.UP_TO_DATE),
        a_record(EventKind.ENDED, time, run_id, operation="EndRun", result=OutcomeKind.UP_TO_DATE),
    ]


def a_failed_run(time: datetime, detail: str = "Pinata did not answer within 10 s") -> list[Record]:
    """Return what a run records that could not create a key."""
    run_id = f"fail-{time:%m%d%H}"
    subject = Subject(key_name="rotator/111122223333/eu-central-1/uploader/g000013")
    return [
        a_record(EventKind.STARTED, time, run_id, operation="StartRun"),
        a_record(EventKind.DECIDED, time, run_id, operation="Decide", reason=Reason.AGED_OUT),
        a_record(
            EventKind.DONE,
            time,
            run_id,
            operation=Operation.CREATE_KEY,
            result=Result.UNKNOWN,
            subject=subject,
            detail=detail,
        ),
        a_record(
            EventKind.ENDED,
            time,
            run_id,
            operation="EndRun",
            result=OutcomeKind.FAILED,
            reason=Reason.AGED_OUT,
            detail=detail,
        ),
    ]


def a_story() -> tuple[Record, ...]:
    """Return the records of a secret's first months: a take-over, three rotations, a failure, much idleness."""
    births = {9: NOW - 101 * DAY, 10: NOW - 71 * DAY, 11: NOW - 42 * DAY, 12: NOW - 12 * DAY}
    records: list[Record] = []
    for generation, birth in births.items():
        records += a_rotation(generation, birth)
    records += a_retirement("made-by-hand", births[9] + 6 * DAY)
    for generation in (9, 10, 11):
        records += a_retirement(f"key-{generation}", births[generation + 1] + 5 * DAY)
    records += a_failed_run(births[12] - 5 * HOUR)
    for number in range(40):
        records += an_idle_run(NOW - number * 6 * HOUR - HOUR)
    return tuple(sorted(records, key=lambda record: record.time))


def sources(
    fleet: FleetStatus | Callable[[], FleetStatus] = THREE,
    *,
    records: Sequence[Record] = (),
    **changes: Any,  # noqa: ANN401 - any field
) -> Sources:
    """Return sources over a fleet, with changes."""
    made = Sources(
        status=fleet if callable(fleet) else lambda: fleet,
        live=lambda: "",
        ready=lambda: "",
        metrics=lambda: ("text/plain; version=0.0.4", b"rotator_secrets 3\n"),
        timeline=lambda name: Told([replace(record, secret=name) for record in records]),
        now=lambda: NOW,
    )
    return replace(made, **changes)
