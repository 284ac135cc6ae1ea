"""`run` and `rotate`: doing what is due, or what a person wants now."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from rotator.audit.trail import Listener
from rotator.cli.context import chosen, connected, load_config, period_of, print_json
from rotator.cli.exits import exit_code, exit_code_of, gravest
from rotator.cli.progress import ActionLines, Bar
from rotator.cli.wording import outcome_row, outcome_text
from rotator.config.file import Config
from rotator.config.values import DURATION_MAX
from rotator.fleet.lookup import resolve
from rotator.fleet.run import run_all
from rotator.fleet.wake import Wake, wake
from rotator.model.events import Event
from rotator.model.plan import Outcome
from rotator.model.secret import Demand, SecretSpec
from rotator.wiring.logs import log_event
from rotator.wiring.output import outlive_output
from rotator.wiring.runs import new_run, startup_deadline


def run_due(config_option: str | None, names: Sequence[str], every: str | None, *, as_json: bool) -> int:
    """Rotate what is due, finish what was interrupted, retire what is superseded."""
    config = load_config(config_option)
    return _reconcile(config, chosen(config, names), Demand.DUE, every, as_json=as_json)


def rotate_now(config_option: str | None, names: Sequence[str], *, replace_value: bool, as_json: bool) -> int:
    """Rotate the named secrets, due or not."""
    config = load_config(config_option)
    demand = Demand.REPLACING if replace_value else Demand.FORCED
    return _reconcile(config, chosen(config, names), demand, None, as_json=as_json)


def _reconcile(config: Config, specs: Sequence[SecretSpec], demand: Demand, every: str | None, *, as_json: bool) -> int:
    outlive_output()
    now = datetime.now(UTC)
    since = now - period_of(every, DURATION_MAX) if every else None
    codes = []
    with connected(config) as both:
        found = resolve(specs, both.store, startup_deadline())
        targets = found.targets
        awake = [t for t in targets if since is None or wake(t, now=now, since=since) is not Wake.ASLEEP]
        with _watched(len(awake), as_json=as_json) as (listener, tell), both.audit_trail("cli", listener) as audit:
            for spec, error in found.lost:
                codes.append(exit_code_of(error))
                tell(Outcome.failed(spec.name, error))
            for outcome in run_all(awake, both.world(audit), lambda spec: new_run(spec, demand)):
                codes.append(exit_code(outcome, demand))
                tell(outcome)
        if every and not as_json:
            click.echo(f"{len(targets) - len(awake)} of {len(targets)} secrets needed no closer look")
    return gravest(codes)


@contextmanager
def _watched(count: int, *, as_json: bool) -> Iterator[tuple[Listener, Callable[[Outcome], None]]]:
    """Yield what listens to events and what tells outcomes, as fits the place where we print.

    A person at a terminal sees a line per action for one secret, and a bar for many.
    """

    def tell(outcome: Outcome) -> None:
        if as_json:
            print_json(outcome_row(outcome))
        else:
            click.echo(outcome_text(outcome, datetime.now(UTC)))

    if as_json or not sys.stderr.isatty():
        yield log_event, tell
        return
    progress: ActionLines | Bar = Bar(count) if count > 1 else ActionLines()
    with progress.display:

        def listen(secret: str, run_id: str, event: Event) -> None:
            log_event(secret, run_id, event)
            progress.listen(secret, event)

        def tell_and_advance(outcome: Outcome) -> None:
            progress.advance()
            tell(outcome)

        yield listen, tell_and_advance
