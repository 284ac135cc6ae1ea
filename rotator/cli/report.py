"""`report`: what the audit trail shows about a period, as one JSON object, and as a page to be printed.

It reads the trail and the configuration, and asks neither AWS nor Pinata about a key.
"""

import json
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from rotator import __version__
from rotator.audit.report import Period, report_secrets
from rotator.audit.sources import verify_all
from rotator.cli.audit import moment, sources_of
from rotator.cli.context import load_config
from rotator.cli.verification import EXITS, meaning, verification_row, verification_terms
from rotator.model.errors import ConfigError
from rotator.model.secrecy import withheld
from rotator.model.times import time_text
from rotator.page.report import render_report

NOT_SHOWN = (
    "The verification covers the whole trail, not only the period.",
    (
        "Nor does it show whether anyone who can write to a place has written a run anew from its start. Compare with "
        "a copy, or keep the trail in a bucket with Object Lock."
    ),
    (
        "Tags that were set or removed in the AWS console, and keys that were made or revoked in Pinata's, are not in "
        "this trail. CloudTrail has the tags."
    ),
    "`max_age` and `grace` are those of the configuration at the time of the report.",
)
"""What a reader must not take the report for."""


def make_report(config_option: str | None, since: str, until: str, html: str | None) -> int:
    """Print the report, and write the page if one is wanted; the exit code is that of `audit verify`."""
    now = datetime.now(UTC)
    period, target = _period(since, until, now), _target(html)
    config = load_config(config_option)
    sources = sources_of(config)
    terms = verification_terms(config)
    checks = verify_all(sources, terms)
    verdict = max(check.verdict for check in checks)
    report = {
        "made_at": now,
        "made_by": {"program": "rotator", "version": __version__, "host": platform.node()},
        "period": period,
        "verification": {
            "verdict": verdict.name.lower(),
            "meaning": meaning(max(checks, key=lambda check: check.verdict), pinned=bool(terms.signers)),
            "places": [verification_row(check) for check in checks],
        },
        "not_shown": NOT_SHOWN,
        "secrets": report_secrets(sources, config.secrets, period),
    }
    if target:
        _write(target, render_report(report))
    click.echo(json.dumps(_plain(report), ensure_ascii=False, indent=2))
    return EXITS[verdict]


def _period(since: str, until: str, now: datetime) -> Period:
    """Read the period. Raises ConfigError if it is empty, or has not begun."""
    start, end = moment(since), moment(until)
    if start >= end:
        raise ConfigError(
            f"--from is not before --to: {time_text(start)} and {time_text(end)} leave no time between them",
            next_step="`--from` is included and `--to` is not: `--from 2026-01-01 --to 2026-04-01` is a quarter.",
        )
    if start > now:
        raise ConfigError(
            f"the period begins in the future: {time_text(start)}", next_step="Give a time that is past as --from."
        )
    return Period(start, end, min(end, now))


def _target(html: str | None) -> Path | None:
    """Return where the page goes. Raises ConfigError if that is a directory."""
    if html is not None and Path(html).is_dir():
        raise ConfigError(f"--html is a directory: {withheld(html)}", next_step="Name a file in it.")
    return Path(html) if html is not None else None


def _write(target: Path, page: bytes) -> None:
    """Put a page in its place, whole or not at all, for its owner alone. Raises ConfigError if that fails."""
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".report-", delete=False) as file:
            made = Path(file.name)  # with mode 0600
            try:
                file.write(page)
                file.flush()
                made.replace(target)
            except OSError:
                made.unlink()
                raise
    except OSError as error:
        raise ConfigError(
            f"{withheld(str(target))} was not written: {error.strerror or type(error).__name__}",
            next_step="Name another file as --html.",
        ) from None


def _plain(value: object) -> object:
    """Return a value as JSON has it: a time as text, and what is unknown as null."""
    match value:
        case datetime():
            return time_text(value)
        case Mapping():
            return {key: _plain(part) for key, part in value.items()}
        case tuple() | list():
            return [_plain(part) for part in value]
        case "":
            return None
        case _ if is_dataclass(value):
            return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
        case _:
            return value
