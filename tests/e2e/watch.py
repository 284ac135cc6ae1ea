"""The invariants of `tests/exploration`, held against real processes: after every effect, and when all is quiet.

A watch stands inside the two servers, between a request and its effect. It judges what they hold with the same
functions that judge the explored worlds, and reads the audit trail as the process under test left it on the disk.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rotator.model.naming import KeyFamily
from rotator.model.secret import Demand
from rotator.sandbox.running import ACCOUNT, REGION, SECRET
from rotator.sandbox.secrets_manager.store import Scope
from tests.e2e.stage import Stage
from tests.exploration.recovery import CALLS_MAX
from tests.exploration.truth import Past, View, broken_by, moment_of, owned, remembered
from tests.simulated.invariants import (
    EFFECTS,
    WINDOW,
    Act,
    Moment,
    i7_secrets_stay_inside,
    l1_settled,
    l3_recovery_is_short,
)
from tests.simulated.values import forms_of
from tests.simulated.world import Operation


class Watch:
    """Judges every effect on one secret while `standing`; runs are due ones."""

    def __init__(self, stage: Stage, grace_s: float = 0.0) -> None:
        """Take the world as it is for the beginning."""
        self._stage, self._grace_s = stage, grace_s
        self._prefix = KeyFamily.of("rotator", stage.arn()).key_name("")
        self._past = Past()
        self.broken: list[str] = []
        self.effects = 0

    @contextmanager
    def standing(self, arriving: Callable[[], None], answering: Callable[[], None]) -> Iterator[None]:
        """Judge each request; `arriving` is called before its effect, `answering` before its answer."""
        site, secrets = self._stage.site, self._stage.sandbox.secrets_manager.secrets

        def around(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:  # noqa: ANN401 - passes on what it wraps
                arriving()
                before = self._view()
                answer = real(*args)
                self._judge(before)
                answering()
                return answer

            return call

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(site, "_perform", around(site._perform))
            patch.setattr(secrets, "answer", around(secrets.answer))
            yield

    def expect_sound(self) -> None:
        """Nothing was broken by any effect so far, and no secret is in the trail."""
        windows = {
            form[i : i + WINDOW]
            for record in self._view().keys
            for secret in (record.jwt, record.secret)
            for form in forms_of(secret)
            for i in range(len(form) - WINDOW + 1)
        }
        texts = [path.read_text() for path in _files(self._stage.sandbox.audit_directory)]
        leak = i7_secrets_stay_inside(texts, windows)
        assert [*self.broken, *([leak] if leak else [])] == []

    def expect_settled(self, calls: int) -> None:
        """The clean run of so many calls left nothing to be done."""
        assert l1_settled(moment_of(self._view())) is None
        assert l3_recovery_is_short(calls, CALLS_MAX) is None

    def _view(self) -> View:
        sandbox = self._stage.sandbox
        store = sandbox.secrets_manager.secrets._stores[Scope(ACCOUNT, REGION)]
        entry = store.find(SECRET, 0.0)
        assert entry is not None
        keys = tuple(sandbox.pinata.site.world.keys_of("sandbox"))
        return View(entry.latest.last_changed, entry.latest, keys, self._past, self._prefix)

    def _judge(self, before: View) -> None:
        after = self._view()
        operation = _effect(before, after)
        if operation is None:
            return
        self.effects += 1
        truth = moment_of(before)
        after = after._replace(past=owned(after, truth, operation, Demand.DUE))
        self._past = remembered(before.secret, after)
        then: Moment = moment_of(after._replace(past=self._past))
        self.broken += broken_by(truth, Act(operation, Demand.DUE, self._grace_s), then)
        announced = _announced(self._stage.sandbox.audit_directory)
        if announced != EFFECTS[operation].value:
            self.broken.append(f"I6 {operation} after the durable intent of {announced or 'nothing'}")


def _effect(before: View, after: View) -> Operation | None:  # noqa: PLR0911 - one return per operation
    """Return what happened between two views; None if nothing did."""
    if len(after.keys) > len(before.keys):
        return Operation.CREATE_KEY
    if after.keys != before.keys:
        return Operation.REVOKE_KEY
    if after.secret == before.secret:
        return None
    if len(after.secret.versions) > len(before.secret.versions):
        return Operation.PUT_VALUE
    if after.secret.labels.get("AWSCURRENT") != before.secret.labels.get("AWSCURRENT"):
        return Operation.PROMOTE
    if after.secret.tags != before.secret.tags:
        return Operation.UNTAG if before.secret.tags.keys() - after.secret.tags.keys() else Operation.TAG
    gone = before.secret.labels.keys() - after.secret.labels.keys()
    return Operation.REMOVE if gone else Operation.ATTACH


def _announced(directory: Path) -> str:
    """Return the operation of the intent that is the trail's last event; empty if it is none."""
    newest = max(_files(directory), key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        return ""
    event = json.loads(newest.read_text().splitlines()[-1])
    return str(event["api"]["operation"]) if event.get("status") == "Intent" else ""


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
