"""What is wrong with a fleet, or soon will be: small checks over what was read. They are pure, and change nothing.

A check yields a finding for each thing it finds: what was seen, why it matters, and the command that a person types.
A fault is what keeps a rotation from being made or an old key from dying, or what exposes a key; advice is what `run`
repairs by itself, or what somebody decided. What could not be looked at is a finding, too, and never "nothing".
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.fleet.keys import OwnedKey, Owner
from rotator.fleet.policies import open_to
from rotator.model.consumers import RollOut
from rotator.model.errors import Remedy, RotatorError, SecretValueError, StoreDeniedError
from rotator.model.events import Failure
from rotator.model.naming import SINCE_PREFIX, generation_of_version, since_in
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    LABELS_MAX,
    OURS,
    REPLACED_PREFIX,
    SINCE_TOLERANCE,
    KeyState,
    SecretDescription,
)
from rotator.model.reasons import Reason
from rotator.model.secret import SecretSpec
from rotator.model.status import Attention, SecretStatus, next_command
from rotator.model.tags import hold_ends_at
from rotator.model.times import relative_text, span_text, time_text

LABELS_NEEDED = 7
"""AWSPENDING, AWSPREVIOUS, a since label, two of a take-over, and two in reserve."""
OVERDUE_AFTER = timedelta(minutes=10)
"""How long an old key may outlive its grace: two ticks of the daemon."""
_AWS_LABELS = {AWSCURRENT, AWSPENDING, "AWSPREVIOUS"}
_TOLD_OTHERWISE = {
    Reason.ON_HOLD,
    Reason.WRONG_REGION,
    Reason.FOREIGN_OWNER,
    Reason.TO_BE_DELETED,
    Reason.REPLICA_STUCK,
}
"""Reasons for which a person is needed, and that have a check of their own."""


class Severity(StrEnum):
    """How much a finding matters."""

    FAULT = "fault"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    check: str
    secret: str | None
    """The configured name; None for what concerns all."""
    what: str
    why: str
    command: str
    severity: Severity = Severity.FAULT
    is_unmade: bool = False
    """Nothing was found out, because the check could not be made."""
    ends_all: bool = False
    """No check after this one was made."""


def unmade(check: str, secret: str | None, error: str, command: str) -> Finding:
    """Return what is told of a check that could not be made."""
    why = "whether there is a fault is not known"
    return Finding(check, secret, f"not checked: {error}", why, command, Severity.ADVICE, is_unmade=True)


@dataclass(frozen=True, slots=True)
class Examined:
    """One secret, and all that was read of it."""

    spec: SecretSpec
    status: SecretStatus
    look_failure: Failure | None
    """Why the look at both systems saw nothing."""
    description: SecretDescription | None = None
    """None if the secret could not be described."""
    error: RotatorError | None = None
    """Why its value could not be read, or not be put again."""
    is_read: bool = False
    """Whether its value could be read."""
    misfit: SecretValueError | None = None
    """Why a new credential does not fit into its value."""
    policy: str | None = None
    """Its resource policy; None if that could not be read."""
    pending_since: datetime | None = None
    """When the version on AWSPENDING was made."""
    keys: tuple[OwnedKey, ...] | None = None
    """Its live keys; None if they could not be listed."""

    @property
    def aws(self) -> str:
        """How commands of AWS name the secret."""
        return f"--secret-id {shlex.quote(self.spec.secret_id)}"

    @property
    def name(self) -> str:
        """Its configured name, for a command line."""
        return shlex.quote(self.spec.name)


Check = Callable[[Examined, datetime], Iterator[Finding]]


def found(seen: Examined, _: datetime) -> Iterator[Finding]:
    """Ask whether the secret is there, both systems answer, and its value is what the configuration says."""
    name, plan = seen.spec.name, f"rotator plan {seen.name}"
    failure = Failure.of(seen.error) if seen.error and not seen.is_read else seen.look_failure
    if failure is None or failure.error == "ProviderDeniedError":  # that is told once, for the managing key
        return
    match failure.error:
        case "SecretNotFoundError":
            yield Finding("found", name, failure.message, failure.next_step, "aws secretsmanager list-secrets")
        case "SecretValueError":
            yield Finding("value", name, failure.message, failure.next_step, plan)
        case "StoreDeniedError":
            yield Finding("readable", name, failure.message, failure.next_step, "aws sts get-caller-identity")
        case _ if failure.remedy is Remedy.NEXT_RUN:
            yield unmade("readable", name, failure.message, plan)
        case _:
            yield Finding("readable", name, failure.message, failure.next_step, plan)


def place(seen: Examined, _: datetime) -> Iterator[Finding]:
    """Ask whether the secret can be written here at all, and how its replicas are."""
    about, name, describe = seen.description, seen.spec.name, f"aws secretsmanager describe-secret {seen.aws}"
    if about is None:
        return
    if about.is_replica():
        what = f"a replica; its primary is in {about.primary_region}"
        yield Finding("region", name, what, Reason.WRONG_REGION.clause, describe)
    if about.owning_service:
        yield Finding("owner", name, f"{about.owning_service} owns the secret", Reason.FOREIGN_OWNER.clause, describe)
    if about.deleted_at:
        what = f"its deletion is scheduled, DeletedDate {time_text(about.deleted_at)}"
        command = f"aws secretsmanager restore-secret {seen.aws}"
        yield Finding("deletion", name, what, "nothing is rotated, and its key lives on", command)
    if behind := ", ".join(sorted(about.replicas_behind)):
        severity = Severity.FAULT if about.replicas_failed else Severity.ADVICE
        what = f"the replica in {behind} {'has failed' if about.replicas_failed else 'is not in sync'}"
        yield Finding("replica", name, what, "no old key is revoked meanwhile", describe, severity)


def writable(seen: Examined, _: datetime) -> Iterator[Finding]:
    """Ask whether the present value could be put once more, and a new credential would fit into it."""
    name = seen.spec.name
    if seen.misfit and not (seen.look_failure and seen.look_failure.error == "SecretValueError"):
        yield Finding("value", name, seen.misfit.message, "a new key could not be stored", f"rotator plan {seen.name}")
    if seen.error is None or not seen.is_read:
        return
    if isinstance(seen.error, StoreDeniedError):
        why = f"a new key could not be stored; {seen.error.next_step}"
        yield Finding("writable", name, seen.error.message, why, "aws sts get-caller-identity")
    else:
        yield unmade("writable", name, seen.error.message, f"rotator doctor {seen.name}")


def people(seen: Examined, now: datetime) -> Iterator[Finding]:
    """Ask for the tags by which people stop or demand something."""
    about, name = seen.description, seen.spec.name
    if about is None:
        return
    if about.hold is not None:
        ends_at = hold_ends_at(about.hold)
        why = "nothing is made, promoted or revoked while it is there"
        if ends_at:
            why = "it ended by itself" if ends_at <= now else f"{why}; it ends {relative_text(ends_at, now)}"
        what = f'on hold: "{about.hold}", set {span_text(now - about.changed_at)} ago or before'
        yield Finding("hold", name, what, why, f"rotator release {seen.name}", Severity.ADVICE)
    if about.contain is not None:
        why = "a key that has leaked is not proved dead yet"
        yield Finding("contain", name, f'rotator:contain is set: "{about.contain}"', why, f"rotator run {seen.name}")


def labels(seen: Examined, _: datetime) -> Iterator[Finding]:
    """Ask for labels that nobody knows, that are where they should not be, or that are too many."""
    about, name = seen.description, seen.spec.name
    if about is None:
        return
    for version in about.versions:
        for label in sorted(version.labels):
            if not label.startswith("rotator:") or label == OURS:
                continue
            take_off = (
                f"aws secretsmanager update-secret-version-stage {seen.aws} --version-stage {shlex.quote(label)} "
                f"--remove-from-version-id {version.version_id}"
            )
            what = f"the label {label} on version {version.version_id}"
            is_replaced = label.startswith(REPLACED_PREFIX) and label != REPLACED_PREFIX
            since = since_in(label)
            if since is None and not is_replaced:
                why = "no rotator of this release makes it, and a secret has 20 labels in all"
                yield Finding("unknown-label", name, what, why, take_off, Severity.ADVICE)
            elif since and AWSCURRENT not in version.labels:
                why = "it belongs on AWSCURRENT alone; the next run takes the label off"
                yield Finding("since-label", name, what, why, f"rotator run {seen.name}", Severity.ADVICE)
            elif since and since > about.changed_at + SINCE_TOLERANCE:
                why = "it is later than the last change of the secret, so the grace is not counted from it"
                yield Finding("since-label", name, what, why, take_off, Severity.ADVICE)
    taken = [label for version in about.versions for label in version.labels if not _comes_and_goes(label)]
    if len(taken) > LABELS_MAX - LABELS_NEEDED:
        what = f"{len(taken)} labels of {LABELS_MAX} are taken for good"
        command = f"aws secretsmanager describe-secret {seen.aws}"
        yield Finding("label-room", name, what, f"a rotation needs up to {LABELS_NEEDED}; take some off", command)


def _comes_and_goes(label: str) -> bool:
    return label in _AWS_LABELS or label.startswith((SINCE_PREFIX, REPLACED_PREFIX))


def pending(seen: Examined, now: datetime) -> Iterator[Finding]:
    """Ask for a rotation that was begun long ago and not ended."""
    since, limit = seen.pending_since, seen.spec.pending_timeout
    if since and now - since > limit:
        what = f"AWSPENDING is on a version made {span_text(now - since)} ago; `pending_timeout` is {span_text(limit)}"
        yield Finding("pending", seen.spec.name, what, "no run has ended that rotation", f"rotator run {seen.name}")


def credential(seen: Examined, now: datetime) -> Iterator[Finding]:
    """Ask what the last look came to: an outage, a decision of people, a back-off, runs that fail."""
    status, name, reason = seen.status, seen.spec.name, seen.status.reason
    command = next_command(status, now) or f"rotator plan {seen.name}"
    clause = reason.clause if reason else status.error
    if seen.look_failure is None and status.attention is Attention.OUTAGE:
        what = f"{reason}: {clause}"
        is_leaked = reason is Reason.CONTAINED
        why = "consumers use a key that has leaked" if is_leaked else "consumers have no key that works"
        yield Finding("credential", name, what, why, f"rotator run {seen.name}")
    elif reason and reason.needs_person and reason not in _TOLD_OTHERWISE:
        yield Finding("decision", name, f"{reason}: {clause}", "it does not go away by itself", command)
    elif reason is Reason.BACKING_OFF:
        why = "each attempt waits twice as long as the one before"
        history = f"rotator history {seen.name}"
        yield Finding("attempts", name, f"{reason}: {clause}", why, history, Severity.ADVICE)
    if status.failures and seen.look_failure is None:
        severity = Severity.FAULT if status.needs_person else Severity.ADVICE
        what = f"the last {status.failures} runs failed" if status.failures > 1 else "the last run failed"
        history = f"rotator history {seen.name}"
        yield Finding("last-run", name, f"{what}: {status.error}", status.next_step or "see why", history, severity)


def old_keys(seen: Examined, now: datetime) -> Iterator[Finding]:
    """Ask for superseded keys whose grace is over, and for keys that no version holds."""
    about, name, plan = seen.description, seen.spec.name, f"rotator plan {seen.name}"
    if about is None or seen.keys is None:
        return
    current = max((generation_of_version(v.version_id) for v in about.versions if AWSCURRENT in v.labels), default=0)
    ends_at = about.promoted_at() + seen.spec.grace
    late = {key.key_id for key in seen.status.old_keys or () if key.until + OVERDUE_AFTER < now}
    if seen.status.old_keys is None and ends_at + OVERDUE_AFTER < now:
        late = {row.key.key_id for row in seen.keys if row.generation and row.generation < current}
    for key_id in sorted(late):
        what = f"old key {key_id} is alive, and its grace ended {span_text(now - ends_at)} ago"
        yield Finding("old-key", name, what, "anyone who holds it can still use it", plan)
    young = now - seen.spec.timeout  # a run may be at work
    for row in seen.keys:
        if row.owner is Owner.ORPHAN and row.key.key_id not in late and row.key.created_at < young:
            what = f"key {row.key.key_id} is alive, and no version holds it"
            why = "a run was cut short; the next runs revoke it"
            yield Finding("orphan", name, what, why, f"rotator run {seen.name}", Severity.ADVICE)


def readers(seen: Examined, _: datetime) -> Iterator[Finding]:
    """Ask the secret's own policy who else may read it."""
    if seen.policy is None:
        return
    command = f"aws secretsmanager get-resource-policy {seen.aws}"
    try:
        who = open_to(seen.policy)
    except ValueError:
        yield unmade("policy", seen.spec.name, "its resource policy cannot be read as JSON", command)
        return
    if who:
        why = "anyone who reads the secret has its key"
        yield Finding("policy", seen.spec.name, f"its resource policy lets {who} read it", why, command)


def consumers(seen: Examined, _: datetime) -> Iterator[Finding]:
    """Ask how the consumers were at the last look: those that cannot be asked, and those that cannot follow."""
    name = seen.spec.name
    for one in seen.status.consumers or ():
        why = "the old key is not revoked until it has the current one"
        if one.state is RollOut.UNKNOWN:
            yield Finding("consumer", name, one.text, why, f"rotator status {seen.name}")
        elif one.state is RollOut.STUCK:
            yield Finding("consumer", name, one.text, f"{why}, which it never will", f"rotator status {seen.name}")


CHECKS: tuple[Check, ...] = (found, credential, consumers, people, place, writable, old_keys, pending, labels, readers)


def findings(secrets: Sequence[Examined], now: datetime) -> Iterator[Finding]:
    """Yield what the checks find, secret by secret."""
    for seen in secrets:
        for check in CHECKS:
            yield from check(seen, now)


def strays(keys: Sequence[OwnedKey], configured: set[str]) -> Iterator[Finding]:
    """Yield live keys of this installation that belong to no configured secret."""
    for row in keys:
        if row.owner is Owner.ORPHAN and row.secret not in configured and row.key.state is KeyState.LIVE:
            what = f"key {row.key.key_id} is alive; it was made for {row.secret}, which is not configured"
            why = "nothing rotates or revokes it"
            yield Finding("stray-key", None, what, why, "rotator keys --owner orphan", Severity.ADVICE)


def budget(specs: Sequence[SecretSpec], looks_per_minute: int) -> Iterator[Finding]:
    """Ask whether the provider's budget lets every secret be looked at as often as is configured."""
    needed = round(sum(timedelta(minutes=1) / spec.check_every for spec in specs), 3)
    if needed > looks_per_minute:
        what = f"`check_every` asks for {needed:.0f} close looks a minute, and the budget allows {looks_per_minute}"
        why = "keys are looked at, and revoked, later and later"
        yield Finding("budget", None, what, why, "rotator config check")
