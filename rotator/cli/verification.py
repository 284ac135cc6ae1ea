"""`audit verify`: what the audit trail proves, and what not."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial

import click

from rotator.audit.sources import Source, verify_all
from rotator.audit.verify import Finding, Flaw, Terms, Verdict, VerificationReport
from rotator.cli.audit import moment, sources_of
from rotator.cli.context import load_config, print_json
from rotator.cli.exits import Exit
from rotator.config.file import Config
from rotator.config.values import quoted
from rotator.model.errors import ConfigError

EXITS = {
    Verdict.INTACT: Exit.OK,
    Verdict.NOTHING: Exit.FAILED,
    Verdict.UNFINISHED: Exit.FAILED,
    Verdict.UNSEALED: Exit.FAILED,
    Verdict.BROKEN: Exit.PERSON,
}
"""The exit code of each verdict."""
_MEANINGS = {
    Verdict.NOTHING: "nothing to verify, so nothing is proved. If rotator has run, its trail is gone or elsewhere: "
    "compare with a copy",
    Verdict.UNFINISHED: "unaltered, but a run was cut short; the next `rotator run` closes it",
    Verdict.UNSEALED: "not proved to be by a signer that is trusted; see above how far",
    Verdict.BROKEN: "BROKEN: do not rely on it; keep a copy and find out who wrote there",
}
_EVENTS_ALONE = (
    "intact: each event that is here is as it was written, and each run that is here has all of its events, in order. "
    "Whether whole runs are missing, this does not show"
)
_HEAD = re.compile(r"[1-9]\d{0,9}:[0-9a-f]{16,64}(@[^\s@]+)?", re.ASCII)


def verify_trail(
    config_option: str | None, since: str | None, expected: Sequence[str], *, against_aws: bool, as_json: bool
) -> int:
    """Check every event; return 3 if something is not what it was, 1 if it is not all there is to prove."""
    config = load_config(config_option)
    terms = verification_terms(config, since, expected)
    sources = sources_of(config)
    verified = partial(_verified, as_json=as_json)
    reports = _verified_against(config, sources, terms, verified) if against_aws else verified(sources, terms)
    places = {report.place for report in reports}
    for head in expected:
        if "@" in head and head.partition("@")[2] not in places:
            detail = f"{head}: that place is not among those that are configured"
            reports[0].add(Finding(Flaw.NOT_REACHED, reports[0].where, None, "", None, detail))
    for report in reports:
        if as_json:
            print_json(verification_row(report))
        else:
            _print_report(report, pinned=bool(terms.signers))
    return EXITS[max(report.verdict for report in reports)]


def _verified(sources: Sequence[Source], terms: Terms, *, as_json: bool) -> list[VerificationReport]:
    """Check every event, and show how far it is to a person who waits for that."""
    if as_json or not sys.stderr.isatty():
        return verify_all(sources, terms)
    from rotator.cli.progress import VerifyingBar  # noqa: PLC0415 - rich draws on terminals, and cron has none

    bar = VerifyingBar()
    with bar.display:
        return verify_all(sources, replace(terms, progress=bar.show))


def _verified_against(
    config: Config, sources: Sequence[Source], terms: Terms, verified: Callable[..., list[VerificationReport]]
) -> list[VerificationReport]:
    """Check every event, and whether the trail has what the two systems show now."""
    from rotator.cli.evidence import elsewhere, gathered, unrecorded  # noqa: PLC0415 - boto3 takes long to import

    evidence = gathered(config)
    heads = tuple(head for one in evidence for head in one.heads)
    reports = verified(sources, replace(terms, expected=(*terms.expected, *heads)))
    for one in evidence:
        for finding in (*unrecorded(one, sources, terms.since), *elsewhere(one, reports)):
            reports[0].add(finding)
    return reports


def verification_terms(config: Config, since: str | None = None, expected: Sequence[str] = ()) -> Terms:
    """Return what a verification goes by. Raises ConfigError for a time or a head that is none."""
    for head in expected:
        if not _HEAD.fullmatch(head):
            raise ConfigError(
                f"{quoted(head)} is not a head of a trail",
                next_step="Give it as `rotator audit verify` prints it: `1184:9f3c2a1b00c4d7e8`.",
            )
    if config.audit.directory and config.audit.s3 and not all("@" in head for head in expected):
        raise ConfigError(
            "with two places, a head is that of one of them",
            next_step="Give it with its place: `1184:9f3c2a1b00c4d7e8@PLACE`, as `rotator audit verify` prints it.",
        )
    from_then = moment(since) if since else None
    if config.audit.sign is None and not config.audit.signers:
        return Terms(from_then, (), tuple(expected))
    from rotator.wiring.signing import trusted_signers  # noqa: PLC0415 - boto3 takes long to import

    return Terms(from_then, trusted_signers(config, os.environ), tuple(expected))


def meaning(report: VerificationReport, *, pinned: bool) -> str:
    """Say what was proved of one place, and what not; `pinned` tells whether it is known who may sign."""
    if report.verdict is not Verdict.INTACT:
        return _MEANINGS[report.verdict]
    if not report.listed:
        return _EVENTS_ALONE
    sealed = f", up to entry {report.sealed_up_to} sealed by {', '.join(sorted(report.signers))}" * bool(report.signers)
    excused = f", except {report.excused} that ended before --since" * bool(report.excused)
    unpinned = "" if pinned else " No signer is pinned: anyone who can write here may have made all of it anew."
    return (
        f"intact: each event is as it was written, and each of the {report.listed} runs that did something is here, "
        f"by the ledger{excused}{sealed}. Its head is {report.head}@{report.place}. If the newest runs and their "
        f"entries were taken away together, this does not show it: keep a head elsewhere, and give it as `--expect`."
        f"{unpinned}"
    )


def verification_row(report: VerificationReport) -> dict[str, object]:
    """Return what was verified in one place, as JSON has it."""
    findings = [asdict(finding) | {"flaw": finding.flaw.name.lower()} for finding in report.findings]
    counts = ("files", "runs", "events", "in_progress")
    return {
        "where": report.where,
        "verdict": report.verdict.name.lower(),
        **{name: getattr(report, name) for name in counts},
        **({"versions_unread": report.versions_unread} if report.versions_unread else {}),
        "findings": findings,
        "findings_left_out": report.findings_left_out,
        **({"ledger": _ledger_row(report)} if report.place else {}),
    }


def _ledger_row(report: VerificationReport) -> dict[str, object]:
    signers = sorted(report.signers)
    return {
        "place": report.place,
        "head": report.head,
        "entries": report.listed,
        "sealed_up_to": report.sealed_up_to,
        "signers": signers,
    }


def _print_report(report: VerificationReport, *, pinned: bool) -> None:
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
    kind = f"objects of {report.where}" if report.where.startswith("s3://") else "files"
    busy = f", {report.in_progress} in progress" if report.in_progress else ""
    click.echo(
        f"{report.events} events of {report.runs} runs in {report.files} {kind}{busy}: {meaning(report, pinned=pinned)}"
    )
