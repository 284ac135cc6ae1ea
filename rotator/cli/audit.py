"""`history` and `audit show`: reading the audit trail."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from rotator.audit.directory.source import DirectorySource
from rotator.audit.record import IDLE, EventKind, Record
from rotator.audit.sources import Criteria, Source, records_of
from rotator.cli.context import chosen, load_config, print_json
from rotator.cli.exits import Exit
from rotator.cli.life import life_lines
from rotator.cli.screen import show
from rotator.config.file import Config
from rotator.config.values import duration, quoted
from rotator.model.errors import ConfigError
from rotator.model.times import time_from, time_text


def show_history(config_option: str | None, name: str, *, everything: bool, as_json: bool) -> int:
    """Print the life of one secret, a line per generation; as JSON or with `everything`, the events behind it."""
    config = load_config(config_option)
    (spec, *_) = chosen(config, (name,))
    records = list(records_of(sources_of(config), Criteria(secret=spec.name)))
    if not records and not as_json:
        show([f"{spec.name}: nothing yet; `rotator run` is the first to write about it"])
    elif as_json or everything:
        idle = set() if everything else _idle_runs(records)
        for record in records:
            if record.run_id not in idle:
                _print_record(record, as_json=as_json)
    else:
        show(life_lines(spec.name, records, datetime.now(UTC)))
    return Exit.OK


def show_events(config_option: str | None, filters: Mapping[str, str | None], *, as_json: bool) -> int:
    """Print the events that fit: `secret`, `key_id`, `run_id`, `since` and `until`."""
    since, until = (moment(text) if (text := filters[name]) is not None else None for name in ("since", "until"))
    criteria = Criteria(filters["secret"], filters["key_id"], filters["run_id"], since, until)
    fits = False
    for record in records_of(sources_of(load_config(config_option)), criteria):
        fits = True
        _print_record(record, as_json=as_json)
    if not fits and not as_json:
        click.echo("no event fits", err=True)
    return Exit.OK


def sources_of(config: Config) -> Sequence[Source]:
    """Return what the configured trail is read from."""
    if config.audit.s3 is None and config.audit.directory:
        return (DirectorySource(config.audit.directory),)
    from rotator.wiring import environment, logs  # noqa: PLC0415 - boto3 takes long to import, and a directory needs none
    from rotator.wiring.trail import trail_locations  # noqa: PLC0415 - as above

    logs.configure(os.environ, default_level="WARNING")
    environment.check(os.environ, logs.log_foreign_trust)
    return trail_locations(config, os.environ).sources()


def _idle_runs(records: Sequence[Record]) -> set[str]:
    ends = [record for record in records if record.kind is EventKind.ENDED]
    busy = {r.run_id for r in records if r.kind in {EventKind.INTENT, EventKind.DONE, EventKind.RECOVERED}}
    return {r.run_id for r in ends if r.result in IDLE} - busy


def _print_record(record: Record, *, as_json: bool) -> None:
    subject, failure = record.subject, record.failure
    if as_json:
        print_json(
            {
                "time": record.time.isoformat(),
                "run_id": record.run_id,
                "sequence": record.sequence,
                "kind": record.kind,
                "secret": record.secret,
                "arn": record.arn,
                "operation": record.operation,
                "result": record.result,
                "reason": record.reason,
                "actions": list(record.actions),
                **asdict(subject),
                "revoked": list(record.revoked),
                "detail": record.detail,
                "trigger": record.writer.trigger,
                "user": record.writer.user,
                # What only the end of a run that failed has, since version 0.2; the message is its detail.
                **({name: part for name, part in asdict(failure).items() if name != "message"} if failure else {}),
            }
        )
        return
    words = [record.kind, record.operation, record.result, record.reason, " ".join(record.actions)]
    words += [subject.version_id, subject.key_id, subject.label, record.detail]
    shown = "  ".join(word for word in words if word)
    click.echo(f"{time_text(record.time)}  {record.run_id[:8]} {record.sequence:>3}  {record.secret}  {shown}")


def moment(text: str) -> datetime:
    """Read a time, or an age counted back from now. Raises ConfigError if it is neither."""
    try:
        return time_from(text)
    except ValueError:
        try:
            age: timedelta = duration(text)
        except ValueError:
            raise ConfigError(
                f"neither a time nor an age: {quoted(text)}",
                next_step="Write it like 2026-11-22, 2026-11-22T09:53Z or 24h.",
            ) from None
        return datetime.now(UTC) - age
