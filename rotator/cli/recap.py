"""What `run` and `rotate` tell over many secrets: what changed or failed, each cause once, and one line in the end."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from rotator.cli.screen import counted
from rotator.cli.wording import outcome_text
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import SecretSpec

EVERY_FROM = 100
"""From so many secrets on, looking closely at each one at each start is worth a word."""
_NAMES_MAX = 10
_OWN = re.compile(r"[0-9a-f]{8,}(?:-[0-9a-f]+)*|\d+")
"""Ids of requests, keys and versions, and times."""
_TROUBLES = {OutcomeKind.FAILED: "failed", OutcomeKind.HELD: "need you"}


@dataclass(slots=True)
class Recap:
    """What has been told so far, and what is kept for the end."""

    specs: dict[str, SecretSpec]
    """By name."""
    tells_all: bool
    """Whether outcomes without a change are told, too: of what a person asked for."""
    asleep: int = 0
    """Secrets that needed no closer look."""
    _kinds: Counter[OutcomeKind] = field(default_factory=Counter)
    _revoked: int = 0
    _troubled: bool = False
    _first: dict[tuple[str, ...], str] = field(default_factory=dict)
    _like: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def take(self, outcome: Outcome, now: datetime) -> list[str]:
        """Return what is told about an outcome at once; nothing if it is like an earlier one."""
        self._kinds[outcome.kind] += 1
        self._revoked += len(outcome.revoked)
        self._troubled |= outcome.error is not None or outcome.back_off is not None
        is_trouble = outcome.kind in _TROUBLES and not outcome.actions
        if is_trouble and self._first.setdefault(cause := self._cause(outcome), outcome.secret) != outcome.secret:
            self._like.setdefault(cause, []).append(outcome.secret)
            return []
        is_quiet = not outcome.actions and outcome.error is None and outcome.kind is not OutcomeKind.HELD
        if is_quiet and outcome.back_off is None and not self.tells_all:
            return []
        return outcome_text(outcome, now).splitlines()

    def lines(self) -> list[str]:
        """Return what is told in the end: who shares a cause, then the counts."""
        told = []
        for cause, names in self._like.items():
            more = f" and {len(names) - _NAMES_MAX:,} more" if len(names) > _NAMES_MAX else ""
            done = _TROUBLES[OutcomeKind(cause[0])]
            shown = ", ".join(names[:_NAMES_MAX]) + more
            told.append(
                f"{counted(len(names), 'more secret')} {done}, for the same cause as {self._first[cause]}: {shown}"
            )
        return [*told, self._counts()]

    def summary(self) -> dict[str, int]:
        """Return the counts, for programs."""
        kinds = {kind.value: self._kinds[kind] for kind in OutcomeKind}
        return {"secrets": len(self.specs), **kinds, "keys_revoked": self._revoked, "not_looked_at": self.asleep}

    def all_went_well(self) -> bool:
        """Tell whether nothing failed, and nothing waits because of an earlier failure."""
        return not self._troubled and not self._kinds[OutcomeKind.FAILED]

    def _counts(self) -> str:
        held = self._kinds[OutcomeKind.HELD]
        counts = (
            (self._kinds[OutcomeKind.ROTATED], "rotated"),
            (self._revoked, "key revoked" if self._revoked == 1 else "keys revoked"),
            (self._kinds[OutcomeKind.UP_TO_DATE], "up to date"),
            (self._kinds[OutcomeKind.WAITING], "waiting"),
            (self._kinds[OutcomeKind.FAILED], "failed"),
            (held, "needs you" if held == 1 else "need you"),
            (self.asleep, "needed no closer look"),
        )
        return f"{counted(len(self.specs), 'secret')}: " + ", ".join(f"{n:,} {words}" for n, words in counts if n)

    def _cause(self, outcome: Outcome) -> tuple[str, ...]:
        """Return what two secrets with the same trouble have in common: all but names, ids and numbers."""
        error = outcome.error
        if error is None:
            return outcome.kind.value, outcome.reason or ""
        spec, message = self.specs[outcome.secret], error.message
        for own in (spec.secret_id, spec.name):
            message = message.replace(own, "")
        return outcome.kind.value, type(error).__name__, _OWN.sub("", message), error.next_step
