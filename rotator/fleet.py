"""Many secrets: who has to be looked at, and one secret's failure never stopping another.

Labels alone tell generation and age, so a tick over a fleet asks `ListSecrets` first, and looks closer only at what
is due, unfinished, changed lately, or at its own slot of `check_every`.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from rotator.credential import Sensitive
from rotator.errors import (
    ConfigError,
    DeadlineExceededError,
    RotatorError,
    SecretNotFoundError,
    SecretValueError,
    StoreDeniedError,
    StoreError,
)
from rotator.model import AWSCURRENT, AWSPENDING, AWSPREVIOUS, Labels, Outcome, OutcomeKind
from rotator.naming import generation_of_version, ids_of, time_of_version
from rotator.payload import mentions
from rotator.ports import Deadline, SecretStore
from rotator.reconcile import Run, World, reconcile
from rotator.retiring import is_grace_over
from rotator.spec import Demand, SecretSpec
from rotator.spread import rotate_after, slot_between
from rotator.windows import is_open

_INDEX_SLACK = timedelta(seconds=1)
"""The time in a version id is in seconds."""
WORKERS_MAX = 8
"""Threads over a fleet. The provider's budget of calls is the limit long before this is."""
LIST_FROM = 3
"""From this many secrets on, one page of ListSecrets is cheaper than a DescribeSecret each."""


@dataclass(frozen=True, slots=True)
class Target:
    """A configured secret and what its labels say."""

    spec: SecretSpec
    labels: Labels


@dataclass(frozen=True, slots=True)
class Resolved:
    """A fleet: the secrets that were found, and why the others were not."""

    targets: tuple[Target, ...]
    lost: tuple[tuple[SecretSpec, RotatorError], ...]


def resolve(
    specs: Sequence[SecretSpec],
    store: SecretStore,
    deadline: Deadline,
    list_from: int | None = LIST_FROM,
) -> Resolved:
    """Look every secret up, before anything is done to any. One that cannot be found stops no other.

    Args:
        specs: the configured secrets.

        store: where they are.

        deadline: bounds all calls together.

        list_from: from this many secrets on ListSecrets is asked; None where that is not allowed.

    Raises:
        ConfigError: two entries are one secret, or AWS cannot be asked at all.
    """
    surveyed: dict[str, Labels] = {}
    if list_from is not None and len(specs) >= list_from:
        try:
            surveyed = store.survey(tuple(spec.secret_id for spec in specs), deadline)
        except StoreDeniedError:
            surveyed = {}  # ListSecrets cannot be limited to some secrets, so a careful policy leaves it out
    targets: list[Target] = []
    lost: list[tuple[SecretSpec, RotatorError]] = []
    for spec in specs:
        try:
            labels = surveyed.get(spec.secret_id) or store.describe(spec.secret_id, deadline)
        except (SecretNotFoundError, StoreError, DeadlineExceededError) as error:
            lost.append((spec, error))
        else:
            targets.append(Target(spec, labels))
    _refuse_twins(targets)
    return Resolved(tuple(targets), tuple(lost))


def _refuse_twins(targets: Sequence[Target]) -> None:
    first: dict[str, str] = {}
    for target in targets:
        twin = first.setdefault(target.labels.arn, target.spec.name)
        if twin != target.spec.name:
            raise ConfigError(
                f"`{twin}` and `{target.spec.name}` are one secret, {target.labels.arn}: "
                "two entries for it would rotate each other's keys"
            )


def is_asleep(target: Target, *, now: datetime, since: datetime) -> bool:
    """Tell from labels alone that a secret needs no closer look in a tick that covers (since, now].

    The time in a version id is an index, not evidence: one that is later than the last change is not believed, and
    every secret is looked at closely at its slot anyway.
    """
    spec, labels = target.spec, target.labels
    by_label = {
        label: version.version_id for version in labels.versions for label in version.labels
    }
    current = by_label.get(AWSCURRENT, "")
    made_at = time_of_version(current)
    if labels.hold is not None or AWSPENDING in by_label:
        return False
    if made_at is None:
        # Secrets Manager chose the id, and keeps a schedule of its own; or a person put a key in, which can wait.
        if not labels.rotation_enabled or AWSCURRENT not in by_label:
            return False
    elif (
        made_at > labels.changed_at + _INDEX_SLACK
        or now >= made_at + rotate_after(spec.max_age, labels.arn)
        or generation_of_version(by_label.get(AWSPREVIOUS, "")) > generation_of_version(current)
    ):
        return False
    grace_ends = labels.changed_at + spec.grace
    return not (since < grace_ends <= now) and not slot_between(
        labels.arn, spec.check_every, since, now
    )


def is_aged_out(target: Target, *, now: datetime) -> bool:
    """Tell from labels alone that a new key is due by age, and that nothing they show stands against it."""
    spec, labels = target.spec, target.labels
    by_label = {
        label: version.version_id for version in labels.versions for label in version.labels
    }
    current = by_label.get(AWSCURRENT, "")
    made_at = time_of_version(current)
    return (
        made_at is not None
        and made_at <= labels.changed_at + _INDEX_SLACK
        and made_at + rotate_after(spec.max_age, labels.arn) <= now
        and is_grace_over(spec, labels, now, Demand.DUE)
        and labels.hold is None
        and AWSPENDING not in by_label
        and generation_of_version(by_label.get(AWSPREVIOUS, "")) < generation_of_version(current)
        and is_open(spec, now)
    )


def run_all(
    targets: Sequence[Target], world: World, run_of: Callable[[SecretSpec], Run]
) -> Iterator[Outcome]:
    """Reconcile secrets and yield each outcome as it comes.

    Args:
        targets: what `resolve` found. A single one is used as read; of many, each is read again at its turn.

        world: the two systems and the audit log.

        run_of: makes the time, nonce, demand and deadline of one secret's run, when its turn comes.
    """
    if len(targets) == 1:
        yield _isolated(targets[0], targets[0].labels, world, run_of)
        return
    # No more work is queued than is at hand, so an interrupt leaves nothing half-planned behind.
    waiting = list(reversed(targets))
    with ThreadPoolExecutor(min(WORKERS_MAX, max(1, len(targets))), "reconcile") as pool:
        running: set[Future[Outcome]] = set()
        while waiting or running:
            while waiting and len(running) < WORKERS_MAX:
                running.add(pool.submit(_isolated, waiting.pop(), None, world, run_of))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)


def _isolated(
    target: Target, labels: Labels | None, world: World, run_of: Callable[[SecretSpec], Run]
) -> Outcome:
    """Reconcile one secret; a defect of ours ends as a failure of this secret alone."""
    spec = target.spec
    try:
        run = run_of(spec)
        fresh = labels or world.store.describe(target.labels.arn, run.deadline)
        return reconcile(spec, fresh, world, run)
    except RotatorError as error:
        return failed(spec, error)
    except Exception as defect:  # noqa: BLE001 - the per-secret boundary: one failure never stops the others
        return failed(spec, defect_of(defect))


def defect_of(defect: Exception) -> RotatorError:
    """Return what may be told of an exception that is none of ours: its message may quote a value."""
    place = traceback.extract_tb(defect.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return RotatorError(f"a defect of rotator itself: {type(defect).__name__} at {where}")


def failed(spec: SecretSpec, error: RotatorError) -> Outcome:
    """Return the outcome of a secret whose run failed before it began."""
    return Outcome(spec.name, "", OutcomeKind.FAILED, None, None, None, (), (), error)


class Neighbours:
    """All configured secrets, asked whether another one uses a key that could be retired.

    What they hold is read once: a key that a neighbour has left since then is kept until somebody asks anew.
    """

    def __init__(self, specs: tuple[SecretSpec, ...], store: SecretStore) -> None:
        self._specs = specs
        self._store = store
        self._lock = Lock()
        self._held: dict[str, tuple[Sensitive | None, ...]] = {}
        """By secret id: its current and pending values, None where one cannot be read."""

    def holding(self, arn: str, key_ids: frozenset[str], deadline: Deadline) -> frozenset[str]:
        """Of these keys, return those that are current or pending in another configured secret than `arn`.

        A neighbour that does not exist uses none; one whose value cannot be read may use any: it is safer to revoke
        less.

        Raises:
            RotatorError: a neighbour could not be asked.
        """
        held: set[str] = set()
        for spec in self._specs:
            if spec.secret_id in ids_of(arn):
                continue
            for text in self._values(spec.secret_id, deadline):
                held |= {k for k in key_ids if text is None or mentions(text, k)}
        return frozenset(held)

    def _values(self, secret_id: str, deadline: Deadline) -> tuple[Sensitive | None, ...]:
        with self._lock:
            if secret_id not in self._held:
                self._held[secret_id] = tuple(self._read(secret_id, deadline))
            return self._held[secret_id]

    def _read(self, secret_id: str, deadline: Deadline) -> Iterator[Sensitive | None]:
        try:
            labels = self._store.describe(secret_id, deadline)
        except SecretNotFoundError:
            return
        for version in labels.versions:
            if version.labels & {AWSCURRENT, AWSPENDING}:
                try:
                    stored = self._store.read(labels.arn, version.version_id, deadline)
                except SecretValueError:
                    yield None
                else:
                    if stored is not None:
                        yield stored.text
