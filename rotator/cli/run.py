"""`run` and `rotate`: doing what is due, or what a person wants now."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from rotator.audit.trail import Listener
from rotator.cli.context import chosen, connected, load_config, period_of, print_json
from rotator.cli.exits import Exit, exit_code, gravest
from rotator.cli.recap import EVERY_FROM, Recap
from rotator.cli.screen import counted, show
from rotator.cli.wording import outcome_row
from rotator.config.file import Config
from rotator.config.values import DURATION_MAX
from rotator.engine.superseded import managing_key_left, superseded_keys
from rotator.fleet.lookup import resolve
from rotator.fleet.run import run_all
from rotator.fleet.wake import Wake, wake
from rotator.model.events import Event
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.model.times import relative_text
from rotator.wiring.logs import log_event
from rotator.wiring.output import outlive_output
from rotator.wiring.runs import new_run, sleep_until, startup_deadline

if TYPE_CHECKING:
    from rotator.cli.progress import ActionLines, Bar

_EVERY = (
    "All {} were looked at closely. Let your schedule start it as `rotator run --every 15m`, with its own interval: "
    "those that are not due then have their turn once per `check_every`."
)
_POLL = timedelta(seconds=30)
"""How often is asked whether something else than time has passed, such as a replica that was behind."""


def run_due(config_option: str | None, names: Sequence[str], every: str | None, *, as_json: bool) -> int:
    """Rotate what is due, finish what was interrupted, retire what is superseded."""
    config = load_config(config_option)
    specs = chosen(config, names)
    recap = Recap({spec.name: spec for spec in specs}, tells_all=False)
    period = period_of(every, DURATION_MAX) if every else None
    outcomes = _reconcile(config, dict.fromkeys(specs, Demand.DUE), recap, period, as_json=as_json)
    if as_json:
        print_json({"summary": recap.summary()})
    else:
        show(recap.lines())
        if len(specs) >= EVERY_FROM and not every:
            show([_EVERY.format(counted(len(specs), "secret"))])
    if config.run.ping_url and recap.all_went_well():
        from rotator.wiring.connect import ping

        if problem := ping(config.run.ping_url):
            click.echo(f"Warning: `[run] ping_url` could not be requested: {problem}", err=True)
    return gravest(exit_code(outcome, Demand.DUE) for outcome in outcomes)


def rotate_now(
    config_option: str | None, names: Sequence[str], *, replace_value: bool, wait: bool, as_json: bool
) -> int:
    """Rotate the named secrets, due or not; with `wait`, end when what they replaced is dead."""
    config = load_config(config_option)
    demand = Demand.REPLACING if replace_value else Demand.FORCED
    specs = {spec.name: spec for spec in chosen(config, names)}
    pending = dict.fromkeys(specs.values(), demand)
    codes: dict[str, Exit] = {}
    while pending:
        recap = Recap({spec.name: spec for spec in pending}, tells_all=not codes)
        outcomes = _reconcile(config, pending, recap, None, as_json=as_json)
        if not as_json and len(specs) > 1:
            show(recap.lines())
        codes |= {outcome.secret: exit_code(outcome, pending[specs[outcome.secret]]) for outcome in outcomes}
        ends = {specs[o.secret]: end for o in outcomes if wait and (end := _grace_end(specs[o.secret], o))}
        done = {specs[outcome.secret] for outcome in outcomes if outcome.kind is not OutcomeKind.WAITING}
        pending = {spec: Demand.DUE if spec in done else pending[spec] for spec in ends}
        if ends:
            _await_grace(ends, as_json=as_json)
    return gravest(codes.values())


def _await_grace(ends: Mapping[SecretSpec, datetime], *, as_json: bool) -> None:
    now = datetime.now(UTC)
    if not as_json:
        told = (f"{spec.name}: the old key dies {relative_text(end, now)}" for spec, end in ends.items() if end > now)
        show([f"{line}; waiting (after Ctrl-C the next run does it)" for line in told])
    first = min(ends.values())
    sleep_until(first if first > now else now + _POLL)


def _grace_end(spec: SecretSpec, outcome: Outcome) -> datetime | None:
    """Return when the keys before the current one may be revoked; None if there are none, or a person is needed."""
    observed = outcome.observed
    if observed is None or outcome.error or outcome.kind is OutcomeKind.HELD:
        return None
    if not (superseded_keys(observed) or managing_key_left(spec, observed)):
        return None
    return observed.promoted_at() + spec.grace


def _reconcile(
    config: Config, demands: Mapping[SecretSpec, Demand], recap: Recap, every: timedelta | None, *, as_json: bool
) -> list[Outcome]:
    outlive_output()
    now = datetime.now(UTC)
    outcomes: list[Outcome] = []
    with connected(config) as both:
        found = resolve(tuple(demands), both.store, startup_deadline())
        awake = [t for t in found.targets if every is None or wake(t, now=now, since=now - every) is not Wake.ASLEEP]
        recap.asleep = len(found.targets) - len(awake)
        with (
            _watched(len(awake), recap, as_json=as_json) as (listener, tell),
            both.audit_trail("cli", listener) as audit,
        ):
            for spec, error in found.lost:
                outcomes.append(Outcome.failed(spec.name, error))
                tell(outcomes[-1])
            for outcome in run_all(awake, both.world(audit), lambda spec: new_run(spec, demands[spec])):
                outcomes.append(outcome)
                tell(outcome)
    return outcomes


@contextmanager
def _watched(count: int, recap: Recap, *, as_json: bool) -> Iterator[tuple[Listener, Callable[[Outcome], None]]]:
    """Yield what listens to events and what tells outcomes, as fits the place where we print.

    A person at a terminal sees a line per action for one secret, and a bar for many.
    """

    def tell(outcome: Outcome) -> None:
        lines = recap.take(outcome, datetime.now(UTC))
        if as_json:
            print_json(outcome_row(outcome))
        else:
            show(lines, progress.print if progress else click.echo)

    progress: ActionLines | Bar | None = None
    if as_json or not sys.stderr.isatty():
        yield log_event, tell
        return
    from rotator.cli import progress as drawn

    progress = watching = drawn.Bar(count) if count > 1 else drawn.ActionLines()
    with watching.display:

        def listen(secret: str, run_id: str, event: Event) -> None:
            log_event(secret, run_id, event)
            watching.listen(secret, event)

        def tell_and_advance(outcome: Outcome) -> None:
            watching.advance()
            tell(outcome)

        yield listen, tell_and_advance
