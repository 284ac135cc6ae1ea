"""The answer to "is everything fine?", in one sentence, and what speaks against it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.model.status import FleetStatus
from rotator.page.states import State
from rotator.page.words import counted, span

STALE_AFTER = timedelta(minutes=15)
"""How old a fleet may be before a reader is told."""


class Level(StrEnum):
    """What the headline asks of its reader."""

    FINE = "fine"
    WATCH = "watch"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not fine."""

    level: Level
    text: str
    detail: str = ""
    """What is known about it; empty where the list below tells."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence, and the problems behind it, the gravest first; none if everything is fine."""

    level: Level
    text: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes say; empty texts are good."""

    live: str
    ready: str


def headline(fleet: FleetStatus, counts: dict[State, int], health: Health, now: datetime) -> Headline:
    """Return the sentence over the whole list, at the time of a request."""
    found = (*_of_the_daemon(fleet, health, now), *_of_secrets(counts))
    problems = tuple(sorted(found, key=lambda problem: problem.level is not Level.ACT))
    if not problems:
        return Headline(Level.FINE, _all_fine(sum(counts.values())), ())
    return Headline(problems[0].level, problems[0].text, problems)


def _of_the_daemon(fleet: FleetStatus, health: Health, now: datetime) -> Iterator[Problem]:
    if health.live:
        yield Problem(Level.ACT, "The daemon does not work", health.live)
    if fleet.audit_error:
        yield Problem(Level.ACT, "The audit trail cannot be written: nothing is rotated", fleet.audit_error)
    if health.ready and health.ready not in {health.live, fleet.audit_error}:
        yield Problem(Level.ACT, "The daemon is not ready", health.ready)
    if fleet.config_error:
        yield Problem(Level.ACT, "The newest configuration is not in force", fleet.config_error)
    age = now - fleet.taken_at
    if age > STALE_AFTER:
        yield Problem(Level.WATCH, "This is not up to date", f"It was found {span(age)} ago.")


def _of_secrets(counts: dict[State, int]) -> Iterator[Problem]:
    if number := counts[State.OUTAGE]:
        yield Problem(Level.ACT, f"The consumers of {counted(number, 'secret', 'secrets')} have no good key")
    if number := counts[State.PERSON]:
        yield Problem(Level.ACT, f"{counted(number, 'secret needs', 'secrets need')} a person")
    if number := counts[State.FAILING]:
        yield Problem(Level.WATCH, f"{counted(number, 'secret is', 'secrets are')} failing")
    if number := counts[State.LATE]:
        yield Problem(Level.WATCH, f"{counted(number, 'secret is', 'secrets are')} late")
    if number := counts[State.UNSEEN]:
        yield Problem(
            Level.WATCH, f"{counted(number, 'secret has', 'secrets have')} not been looked at since the start"
        )


def _all_fine(total: int) -> str:
    match total:
        case 0:
            return "No secrets are configured"
        case 1:
            return "The one secret is fine"
        case _:
            return f"All {total:,} secrets are fine"
