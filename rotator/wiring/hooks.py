"""Programs of yours that are told what has become of a key, once the audit trail has it.

A run tells its hooks when all it does is done, so no program holds up an effect: of a promotion and a revocation just
before its last event, of a failure and of what needs a person just after it. Each is started without a shell, with one
JSON object on its standard input, which has no secret material. What came of it is in the trail. A hook that fails, or
hangs until its time-out, changes nothing for the secret.

A run that dies before its hooks were told is left open in the trail. The next run in the directory, or in a bucket the
next one of the same secret, tells them when it has ended itself, and closes it. So an effect is told at least once;
more than once if a process died while a hook ran, and where the trail has two places.
"""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rotator.audit.chain import Unfinished
from rotator.audit.record import EventKind
from rotator.config.tables import Hook, HookEvent
from rotator.model.errors import AuditUnavailableError, HookError, RotatorError
from rotator.model.events import Done, Ended, Event, Failure, Intent, Operation, Result, Subject
from rotator.model.plan import OutcomeKind
from rotator.model.ports import AuditRun
from rotator.model.secrecy import withheld
from rotator.model.secret import SecretSpec
from rotator.model.times import setting_text, time_text

if TYPE_CHECKING:
    from rotator.audit.trail import AuditTrail

_LINE_MAX = 200
_LAST_WORDS_S = 1.0
_OUTPUT_MAX = 64 * 1024

Warn = Callable[[str, str], None]
"""Takes the name of a secret, and what went wrong with a hook of its."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of one hook."""

    hook: Hook
    event: HookEvent
    problem: str
    """Empty if it ended with 0."""
    last_line: str
    """The last line that it printed; secrets are withheld."""


def fire(hook: Hook, event: HookEvent, told: Mapping[str, object]) -> Fired:
    """Start the program of a hook with an event, and wait for its end, or for its time-out."""
    body = json.dumps({"event": event.value, **told}).encode()
    try:
        process = subprocess.Popen(  # noqa: S603 - the program that the configuration names, without a shell
            hook.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Fired(hook, event, f"it could not be started: {error.strerror}", "")
    with process:  # which closes its pipes
        try:
            output, _ = process.communicate(body, hook.timeout.total_seconds())
            problem = f"it ended with {process.returncode}" if process.returncode else ""
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            problem = f"it did not end within {hook.timeout.total_seconds():g} s, and was killed"
            output = b""
            with suppress(subprocess.TimeoutExpired):  # another program may still hold what it printed to
                output, _ = process.communicate(timeout=_LAST_WORDS_S)
    lines = output[-_OUTPUT_MAX:].decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return Fired(hook, event, problem, withheld(last)[:_LINE_MAX])


@dataclass(frozen=True, slots=True)
class _News:
    """What hooks are told of."""

    event: HookEvent
    about: Mapping[str, object]

    def subject(self, hook: Hook) -> Subject:
        """Return what the trail has of telling a hook: two may have the same program, with other arguments."""
        digest = hashlib.sha256("\0".join(hook.command).encode()).hexdigest()[:8]
        version_id, key_id = (str(self.about.get(name) or "") for name in ("version_id", "key_id"))
        return Subject(version_id, key_id, label=f"{hook.name} {digest}")


@dataclass(frozen=True, slots=True)
class HookedTrail:
    """An audit log whose runs tell hooks what was recorded, in the end."""

    trail: "AuditTrail"
    hooks: Sequence[Hook]
    warn: Warn

    def begin(self, secret: str, arn: str, audit_head: str | None = None) -> AuditRun:
        """Start the trail of one run; see `AuditLog`."""
        return _HookedRun(self, self.trail.begin(secret, arn, audit_head), secret, arn, audit_head)

    def close(self) -> None:
        """Close the trail."""
        self.trail.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, news: _News, told: Mapping[str, object], record: Callable[[Event], None]) -> HookError | None:
        """Tell each hook of an event that is for it, on record; return what failed last.

        Raises AuditUnavailableError.
        """
        problem: HookError | None = None
        for hook in self.hooks:
            if news.event not in hook.on:
                continue
            subject = news.subject(hook)
            record(Intent(Operation.HOOK, subject))
            fired = fire(hook, news.event, {**told, **news.about, "test": False})
            said = ": ".join(filter(None, (news.event.value, fired.problem or "it ended with 0", fired.last_line)))
            record(Done(Operation.HOOK, subject, Result.FAILURE if fired.problem else Result.SUCCESS, said))
            if fired.problem:
                problem = HookError(f"the hook {hook.name} failed on {said}")
                self.warn(str(told["secret"]), problem.message)
        return problem

    def make_good(self) -> None:
        """Tell what dead processes had no time to tell; what cannot be recorded is left to the next run."""
        told: set[tuple[str, Subject]] = set()

        def before(left: Unfinished) -> None:
            run = left.run
            known = {(run.run_id, subject) for subject in _told(left)} | told
            owed = [
                (news, hook)
                for news in _missed(left)
                for hook in self.hooks
                if news.event in hook.on and (run.run_id, news.subject(hook)) not in known
            ]
            for news, hook in owed:
                # In a run of its own: the one that was cut short must end in the same way in each place.
                own = self.trail.begin(run.secret, run.arn)
                one = HookedTrail(self.trail, (hook,), self.warn)
                one.tell(news, _facts(run.secret, run.arn, run.run_id), own.record)
                own.record(Ended(OutcomeKind.UP_TO_DATE, None, "", "", (), None))
                told.add((run.run_id, news.subject(hook)))

        with suppress(AuditUnavailableError):
            self.trail.settle(before)


@dataclass(slots=True)
class _HookedRun:
    hooked: HookedTrail
    run: AuditRun
    secret: str
    arn: str
    audit_head: str | None
    seen: list[_News] = field(default_factory=list)
    trouble: RotatorError | None = None

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self.run.run_id

    def record(self, event: Event) -> None:
        """Record an event; before the last one tell the hooks what was done, and after it how the run ended."""
        if not isinstance(event, Ended):
            self.run.record(event)
            if isinstance(event, Done):
                self.seen += _effects(event.operation, event.subject, event.result)
            return
        told = _facts(self.secret, self.arn, self.run_id)
        for news in self.seen:
            self.trouble = self.hooked.tell(news, told, self.run.record) or self.trouble
        failure = event.failure or (Failure.of(self.trouble) if self.trouble else None)
        self.run.record(replace(event, failure=failure))
        told = _facts(self.secret, self.arn, self.run_id)
        for news in _ending(event):
            self._tell_afterwards(news, told)
        self.hooked.make_good()

    def _tell_afterwards(self, news: _News, told: Mapping[str, object]) -> None:
        """Tell how the run ended, in a run of its own: this one is closed."""
        if not any(news.event in hook.on for hook in self.hooked.hooks):
            return
        with suppress(AuditUnavailableError):  # the next run tells that the trail cannot be written
            trail = self.hooked.trail.begin(self.secret, self.arn, self.audit_head)
            self.trouble = self.hooked.tell(news, told, trail.record) or self.trouble
            trail.record(Ended(OutcomeKind.UP_TO_DATE, None, "", "", (), None))


def owes(hooks: Sequence[Hook], left: Unfinished) -> bool:
    """Tell whether hooks are still to be told of what a run did that was cut short."""
    told = set(_told(left))
    return any(news.subject(hook) not in told for news in _missed(left) for hook in hooks if news.event in hook.on)


def late_hooks(specs: Iterable[SecretSpec], hooks: Sequence[Hook]) -> tuple[str, ...]:
    """Return a line for each hook that may push a new key on only when the old one is dead."""
    return tuple(
        f"{spec.name}: `grace` ({setting_text(spec.grace)}) is shorter than the hook {hook.name} may take "
        f"({setting_text(hook.timeout)}): a consumer that has the key from it may hold a dead one"
        for spec in specs
        for hook in hooks
        if HookEvent.PROMOTED in hook.on and spec.grace < hook.timeout and not spec.consumers
    )


def _facts(secret: str, arn: str, run_id: str) -> dict[str, object]:
    return {"secret": secret, "arn": arn, "run_id": run_id, "at": time_text(datetime.now(UTC))}


def _told(left: Unfinished) -> Iterator[Subject]:
    """Yield what hooks were told of in a run, by the trail."""
    for record in left.records:
        if record.operation == Operation.HOOK and record.kind is EventKind.DONE:
            yield record.subject


def _missed(left: Unfinished) -> Iterator[_News]:
    """Yield what a run did that was cut short: a call without an outcome may have had its effect."""
    answered = {record.call_uid for record in left.records if record.kind is EventKind.DONE}
    for record in left.records:
        if record.kind is EventKind.DONE:
            yield from _effects(record.operation, record.subject, record.result)
        elif record.call_uid not in answered:
            yield from _effects(record.operation, record.subject, Result.UNKNOWN)


def _effects(operation: str, subject: Subject, result: str) -> Iterator[_News]:
    """Yield what hooks are told of a call: an effect, or what may be one."""
    if result == Result.FAILURE:
        return
    key_id = subject.key_id
    if operation == Operation.PROMOTE:
        yield _News(HookEvent.PROMOTED, {"version_id": subject.version_id, "key_id": key_id, "result": result})
    elif operation == Operation.REVOKE_KEY:
        yield _News(HookEvent.REVOKED, {"key_id": key_id, "result": result})


def _ending(event: Ended) -> Iterator[_News]:
    """Yield what hooks are told of the end of a run."""
    if failure := event.failure:
        yield _News(HookEvent.FAILED, {"code": failure.error, "error": failure.message, "next": failure.next_step})
    elif event.outcome is OutcomeKind.HELD:
        reason = event.reason
        yield _News(HookEvent.ATTENTION, {"reason": reason, "why": reason.clause if reason else None})
