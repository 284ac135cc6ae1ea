"""`history`, `audit show` and `audit verify`: reading and checking the audit trail."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from rotator.audit.directory.source import DirectorySource
from rotator.audit.record import EventKind, Record
from rotator.audit.sources import Criteria, Source, records_of, verify_all
from rotator.audit.verify import Verdict, VerificationReport
from rotator.cli.context import chosen, load_config, print_json
from rotator.cli.exits import Exit
from rotator.cli.life import life_lines
from rotator.cli.screen import show
from rotator.config.file import Config
from rotator.config.values import duration, quoted
from rotator.model.errors import ConfigError
from rotator.model.times import time_from, time_text

_EXITS = {
    Verdict.INTACT: Exit.OK,
    Verdict.NOTHING: Exit.FAILED,
    Verdict.UNFINISHED: Exit.FAILED,
    Verdict.BROKEN: Exit.PERSON,
}


def show_history(config_option: str | None, name: str, *, everything: bool, as_json: bool) -> int:
    """Print the life of one secret, a line per generation; as JSON or with `everything`, the events behind it."""
    config = load_config(config_option)
    (spec, *_) = chosen(config, (name,))
    records = list(records_of(_sources(config), Criteria(secret=spec.name)))
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
    criteria = Criteria(
        filters["secret"], filters["key_id"], filters["run_id"], _moment(filters["since"]), _moment(filters["until"])
    )
    fits = False
    for record in records_of(_sources(load_config(config_option)), criteria):
        fits = True
        _print_record(record, as_json=as_json)
    if not fits and not as_json:
        click.echo("no event fits", err=True)
    return Exit.OK


def verify_trail(config_option: str | None, *, as_json: bool) -> int:
    """Check every event; return 3 if one is not what it was, 1 if a run was cut short or there is no event."""
    reports = verify_all(_sources(load_config(config_option)))
    for report in reports:
        if as_json:
            print_json(_report_row(report))
        else:
            _print_report(report)
    return _EXITS[max(report.verdict for report in reports)]


def _sources(config: Config) -> Sequence[Source]:
    if config.audit.s3 is None and config.audit.directory:
        return (DirectorySource(config.audit.directory),)
    from rotator.wiring import environment, logs  # noqa: PLC0415 - boto3 takes long to import, and a directory needs none
    from rotator.wiring.trail import trail_locations  # noqa: PLC0415 - as above

    logs.configure(os.environ, default_level="WARNING")
    environment.check(os.environ, logs.log_foreign_trust)
    return trail_locations(config, os.environ).sources()


def _idle_runs(records: Sequence[Record]) -> set[str]:
    busy = {r.run_id for r in records if r.kind not in {EventKind.STARTED, EventKind.DECIDED, EventKind.ENDED}}
    busy |= {r.run_id for r in records if r.kind is EventKind.ENDED and r.result not in {"up_to_date", "waiting"}}
    return {r.run_id for r in records if r.kind is EventKind.ENDED} - busy


def _print_report(report: VerificationReport) -> None:
    for finding in report.findings:
        place = ":".join(str(part) for part in (finding.file, finding.line) if part is not None)
        where = f"run {finding.run_id}" if finding.run_id else "no run"
        if finding.sequence is not None:
            where += f", event {finding.sequence}"
        click.echo(f"{place}: {finding.flaw.value} ({where}): {finding.detail}")
    if report.findings_left_out:
        click.echo(f"... and {report.findings_left_out} more")
    if report.versions_unread:
        click.echo(f"earlier versions of objects were not looked at: {report.versions_unread}")
    what = {
        Verdict.INTACT: "intact: each event that is here is as it was written, and each run that is here has all of "
        "its events, in order. Whether whole runs are missing, this does not show",
        Verdict.NOTHING: "nothing to verify, so nothing is proved. If rotator has run, its trail is gone or elsewhere: "
        "compare with a copy",
        Verdict.UNFINISHED: "unaltered, but a run was cut short; the next `rotator run` closes it",
        Verdict.BROKEN: "BROKEN: do not rely on it; keep a copy and find out who wrote there",
    }[report.verdict]
    kind = f"objects of {report.where}" if report.where.startswith("s3://") else "files"
    busy = f", {report.in_progress} in progress" if report.in_progress else ""
    click.echo(f"{report.events} events of {report.runs} runs in {report.files} {kind}{busy}: {what}")


def _report_row(report: VerificationReport) -> dict[str, object]:
    findings = [asdict(finding) | {"flaw": finding.flaw.name.lower()} for finding in report.findings]
    counts = ("files", "runs", "events", "in_progress")
    return {
        "where": report.where,
        "verdict": report.verdict.name.lower(),
        **{name: getattr(report, name) for name in counts},
        **({"versions_unread": report.versions_unread} if report.versions_unread else {}),
        "findings": findings,
        "findings_left_out": report.findings_left_out,
    }


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


def _moment(text: str | None) -> datetime | None:
    """Read a time, or an age counted back from now."""
    if text is None:
        return None
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
