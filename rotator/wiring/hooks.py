"""Programs of yours that are told what has become of a key, once the audit trail has it.

A run tells its hooks when it has ended, so no program holds up an effect. Each is started once for each event, without
a shell, with one JSON object on its standard input, which has no secret material. What came of it is recorded as a run
of its own. A hook that fails, or hangs until its time-out, changes nothing for the secret. If a process dies between
the end of a run and its hooks, they are not told: what the next run finds is a new event, or none.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rotator.config.tables import Hook, HookEvent
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Done, Ended, Event, Failure, Intent, Operation, Result, Subject
from rotator.model.plan import OutcomeKind
from rotator.model.ports import AuditLog, AuditRun
from rotator.model.secrecy import withheld
from rotator.model.times import time_text

_LINE_MAX = 200
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
    try:
        output, _ = process.communicate(body, hook.timeout.total_seconds())
        problem = f"it ended with {process.returncode}" if process.returncode else ""
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        problem = f"it did not end within {hook.timeout.total_seconds():g} s, and was killed"
    lines = output[-_OUTPUT_MAX:].decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return Fired(hook, event, problem, withheld(last)[:_LINE_MAX])


@dataclass(frozen=True, slots=True)
class HookedTrail:
    """An audit log whose runs tell hooks what was recorded, once they have ended."""

    trail: AuditLog
    hooks: Sequence[Hook]
    warn: Warn

    def begin(self, secret: str, arn: str) -> AuditRun:
        """Start the trail of one run; see `AuditLog`."""
        return _HookedRun(self, self.trail.begin(secret, arn), secret, arn)


@dataclass(slots=True)
class _HookedRun:
    hooked: HookedTrail
    run: AuditRun
    secret: str
    arn: str
    seen: list[tuple[HookEvent, dict[str, object]]] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self.run.run_id

    def record(self, event: Event) -> None:
        """Record an event; after the last one of a run tell the hooks what happened in it."""
        self.run.record(event)
        self.seen += _news(event)
        if isinstance(event, Ended):
            for name, about in self.seen:
                for hook in self.hooked.hooks:
                    if name in hook.on:
                        self._fire(hook, name, about)

    def _fire(self, hook: Hook, name: HookEvent, about: Mapping[str, object]) -> None:
        subject = Subject(str(about.get("version_id") or ""), str(about.get("key_id") or ""), label=hook.name)
        told = {"secret": self.secret, "arn": self.arn, "run_id": self.run_id, "at": time_text(datetime.now(UTC))}
        try:
            trail = self.hooked.trail.begin(self.secret, self.arn)
            trail.record(Intent(Operation.HOOK, subject))
            fired = fire(hook, name, {**told, **about, "test": False})
            said = ": ".join(filter(None, (name.value, fired.problem or "it ended with 0", fired.last_line)))
            trail.record(Done(Operation.HOOK, subject, Result.FAILURE if fired.problem else Result.SUCCESS, said))
            trail.record(Ended(OutcomeKind.UP_TO_DATE, None, "", "", (), None))
        except AuditUnavailableError:
            return  # the next run tells that the trail cannot be written; a hook is no reason to stop
        if fired.problem:
            self.hooked.warn(self.secret, f"the hook {hook.name} failed on {said}")


def _news(event: Event) -> list[tuple[HookEvent, dict[str, object]]]:
    """Return what hooks are told of one event of a run."""
    match event:
        case Done(Operation.PROMOTE, subject, Result.SUCCESS):
            return [(HookEvent.PROMOTED, {"version_id": subject.version_id, "key_id": subject.key_id})]
        case Done(Operation.REVOKE_KEY, subject, Result.SUCCESS):
            return [(HookEvent.REVOKED, {"key_id": subject.key_id})]
        case Ended(failure=Failure() as failure):
            return [(HookEvent.FAILED, {"code": failure.error, "error": failure.message, "next": failure.next_step})]
        case Ended(outcome=OutcomeKind.HELD, reason=reason):
            return [(HookEvent.ATTENTION, {"reason": reason, "why": reason.clause if reason else None})]
        case _:
            return []
