"""`history` and `audit`: what the trail says, and whether it can be believed."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from rotator.cli.context import (
    audit_sources,
    complete_names,
    json_option,
    load_config,
    print_json,
)
from rotator.cli.exits import Exit

if TYPE_CHECKING:
    from rotator.audit import Record, VerificationReport


@click.command()
@click.argument("name", shell_complete=complete_names)
@click.option("--all", "everything", is_flag=True, help="Also runs that found nothing to do.")
@json_option
def history(name: str, *, everything: bool, as_json: bool) -> int:
    """Tell the life of one secret, from the audit trail."""
    from rotator.audit import Criteria, records_of
    from rotator.cli.context import chosen

    config = load_config()
    chosen(config, (name,))
    records = list(records_of(audit_sources(config), Criteria(secret=name)))
    idle = set() if everything else _idle_runs(records)
    told = [record for record in records if record.run_id not in idle]
    for record in told:
        _print_record(record, as_json=as_json)
    if not as_json:
        if idle:
            click.echo(f"{len(idle)} runs found nothing to do; --all shows them")
        if not records:
            click.echo(f"{name}: nothing yet; `rotator run` is the first to write about it")
    return Exit.OK


def _idle_runs(records: "list[Record]") -> set[str]:
    """Return the runs that ended as they found things."""
    from rotator.audit import Kind

    busy = {r.run_id for r in records if r.kind not in {Kind.STARTED, Kind.DECIDED, Kind.ENDED}}
    busy |= {
        r.run_id
        for r in records
        if r.kind is Kind.ENDED and r.result not in {"up_to_date", "waiting"}
    }
    return {r.run_id for r in records if r.kind is Kind.ENDED} - busy


@click.group()
def audit() -> None:
    """Read and check the audit trail."""


@audit.command()
@click.option(
    "--secret", help="Only this secret, by its configured name.", shell_complete=complete_names
)
@click.option("--key", "key_id", help="Only events about this key id.")
@click.option("--run", "run_id", help="Only this run.")
@click.option(
    "--since",
    metavar="TIME",
    help="From this time (2026-11-22, 2026-11-22T09:53Z) or age (24h) on.",
)
@click.option("--until", metavar="TIME", help="Until this time or age.")
@json_option
def show(  # noqa: PLR0913 - each filter is an option of its own
    secret: str | None,
    key_id: str | None,
    run_id: str | None,
    since: str | None,
    until: str | None,
    *,
    as_json: bool,
) -> int:
    """Print events, oldest first."""
    from rotator.audit import Criteria, records_of

    criteria = Criteria(secret, key_id, run_id, _moment(since), _moment(until))
    records = records_of(audit_sources(load_config()), criteria)
    for record in records:
        _print_record(record, as_json=as_json)
    return Exit.OK


@audit.command()
@json_option
def verify(*, as_json: bool) -> int:
    """Check every event: unaltered, complete, in order. 3 if not; 1 if a run was cut short."""
    from rotator.audit import Verdict, verify_all

    reports = verify_all(audit_sources(load_config()))
    for report in reports:
        if as_json:
            print_json(_report_row(report))
        else:
            _print_report(report)
    return {Verdict.INTACT: Exit.OK, Verdict.UNFINISHED: Exit.FAILED, Verdict.BROKEN: Exit.PERSON}[
        max(report.verdict for report in reports)
    ]


def _print_report(report: "VerificationReport") -> None:
    from rotator.audit import Verdict

    for finding in report.findings:
        place = ":".join(str(part) for part in (finding.file, finding.line) if part is not None)
        where = f"run {finding.run_id}" if finding.run_id else "no run"
        if finding.sequence is not None:
            where += f", event {finding.sequence}"
        click.echo(f"{place}: {finding.flaw.value} ({where}): {finding.detail}")
    if report.findings_left_out:
        click.echo(f"... and {report.findings_left_out} more")
    what = {
        Verdict.INTACT: "intact: every event is unaltered, complete and in order",
        Verdict.UNFINISHED: "unaltered, but a run was cut short; the next `rotator run` closes it",
        Verdict.BROKEN: "BROKEN: do not rely on it; keep a copy and find out who wrote there",
    }[report.verdict]
    kind = f"objects of {report.where}" if report.where.startswith("s3://") else "files"
    busy = f", {report.in_progress} in progress" if report.in_progress else ""
    click.echo(
        f"{report.events} events of {report.runs} runs in {report.files} {kind}{busy}: {what}"
    )


def _report_row(report: "VerificationReport") -> dict[str, object]:
    return {
        "where": report.where,
        "verdict": report.verdict.name.lower(),
        "files": report.files,
        "runs": report.runs,
        "events": report.events,
        "in_progress": report.in_progress,
        "findings": [
            {
                "flaw": finding.flaw.name.lower(),
                "file": finding.file,
                "line": finding.line,
                "run_id": finding.run_id,
                "sequence": finding.sequence,
                "detail": finding.detail,
            }
            for finding in report.findings
        ],
        "findings_left_out": report.findings_left_out,
    }


def _print_record(record: "Record", *, as_json: bool) -> None:
    from rotator.cli.wording import time_text

    subject = record.subject
    about = {
        "version_id": subject.version_id,
        "key_id": subject.key_id,
        "key_name": subject.key_name,
        "label": subject.label,
    }
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
                **about,
                "revoked": list(record.revoked),
                "detail": record.detail,
                "trigger": record.trigger,
                "user": record.user,
            }
        )
        return
    words = [record.kind, record.operation, record.result, record.reason, " ".join(record.actions)]
    words += [about["version_id"], about["key_id"], about["label"], record.detail]
    shown = "  ".join(word for word in words if word)
    click.echo(
        f"{time_text(record.time)}  {record.run_id[:8]} {record.sequence:>3}  {record.secret}  {shown}"
    )


def _moment(text: str | None) -> datetime | None:
    """Read a time, or an age counted back from now."""
    from rotator.config import duration, quoted
    from rotator.errors import ConfigError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            age: timedelta = duration(text)
        except ValueError:
            raise ConfigError(
                f"neither a time nor an age: {quoted(text)}",
                next_step="Write it like 2026-11-22, 2026-11-22T09:53Z or 24h.",
            ) from None
        return datetime.now(UTC) - age
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


COMMANDS = {"history": history, "audit": audit}
