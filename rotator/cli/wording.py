"""The words in which plans, outcomes and times are put to people."""

from datetime import datetime
from typing import assert_never

from rotator.model.observed import Observed, Proof
from rotator.model.plan import (
    Action,
    BackOff,
    Create,
    Discard,
    Outcome,
    OutcomeKind,
    Plan,
    Promote,
    ProveDead,
    Redeploy,
    Restamp,
    Revoke,
    Stamp,
    Tag,
    Unlabel,
    Untag,
    Verify,
)
from rotator.model.reasons import Reason
from rotator.model.tags import CONTAIN_TAG
from rotator.model.times import relative_text, time_text


def action_text(action: Action) -> str:  # noqa: C901, PLR0911, PLR0912 - one return per action
    """Say what an action does, in one line."""
    match action:
        case Create(version_id=version_id):
            return f"Create a key for {version_id} and store it as AWSPENDING"
        case Restamp(version_id=version_id, source=source):
            return f"Restamp the value of {source} as {version_id}"
        case Verify(version_id=version_id):
            return f"Verify {version_id}: read it back and prove its key"
        case Promote(version_id=version_id, replacing=replacing):
            return f"Promote {version_id} to AWSCURRENT" + (f", replacing {replacing}" if replacing else "")
        case Discard(version_id=version_id):
            return f"Discard {version_id}: take AWSPENDING off it"
        case Revoke(key_id=key_id):
            return f"Revoke key {key_id}"
        case ProveDead(key_id=key_id):
            return f"ProveDead: key {key_id} is listed as revoked and refused"
        case Unlabel(version_id=version_id, label=label):
            return f"Unlabel {version_id}: {label}"
        case Stamp(version_id=version_id, promoted_at=promoted_at):
            return f"Stamp {version_id}: the grace of what it superseded runs from {time_text(promoted_at)}"
        case Tag(text=text):
            return f"Tag the secret: {CONTAIN_TAG} = {text}"
        case Redeploy(service=service):
            return f"Redeploy {service.name}, so that its tasks read the current value"
        case Untag():
            return f"Untag the secret: {CONTAIN_TAG} is answered"
        case _:
            assert_never(action)


def back_off_text(back_off: BackOff | None, now: datetime) -> str:
    """Say how many attempts failed, and when the next one is made; empty without a back-off."""
    if back_off is None:
        return ""
    count = "1 attempt" if back_off.attempts == 1 else f"{back_off.attempts} attempts"
    return f"; {count} within 24 h, the next one {relative_text(back_off.until, now)}"


def holders_text(planned: Plan, observed: Observed) -> str:
    """Warn of whoever else holds a key made by hand that a plan replaces or revokes; empty if there is none.

    How often such a key is used is in Pinata's list alone, and a key is found there by its name, which nobody knows.
    """
    dying = [done.key_id for done in planned.actions if isinstance(done, Revoke) and observed.key(done.key_id) is None]
    current = observed.current_key
    if current and observed.proof is Proof.ACCEPTED and observed.generation(observed.current) == 0:
        dying += [current.key_id for action in planned.actions if isinstance(action, Create)]
    if not dying:
        return ""
    return (
        f"Key {', '.join(dict.fromkeys(dying))} was made by hand: everybody else who holds it loses it when it is "
        "revoked. Whether anybody does is seen in Pinata's key list, where its uses go on rising."
    )


def notes(observed: Observed | None, name: str, now: datetime) -> list[str]:
    """Return a line for whatever else stands in the way: a hold, a demand that waits for it, consumers behind."""
    if observed is None:
        return []
    told, hold, contain = [], observed.description.hold_at(now), observed.description.contain
    if hold is not None:
        waiting = f"; a key that has leaked waits for it ({contain})" if contain is not None else ""
        told.append(f"on hold: {hold or 'no reason given'}{waiting}; `rotator release {name}` takes it off")
    return [*told, *(seen.text for seen in observed.rollout or () if seen.is_behind)]


def outcome_text(outcome: Outcome, now: datetime) -> str:
    """Say what a run came to, in one line; a failure takes two more."""
    parts = [outcome.kind.value.replace("_", " ")]
    if outcome.kind is OutcomeKind.ROTATED:
        parts = [f"rotated to {outcome.version_id} (key {outcome.key_id})"]
    dead = {action.key_id for action in outcome.actions if isinstance(action, ProveDead)}
    if revoked := [key_id for key_id in outcome.revoked if key_id in dead]:
        parts.append(f"revoked {', '.join(revoked)}, proved dead")
    if alive := [key_id for key_id in outcome.revoked if key_id not in dead]:
        parts.append(f"revoked {', '.join(alive)}, not proved dead")
    why = outcome.reason.clause if outcome.reason else ""
    told = f"{outcome.secret}: {'; '.join(parts)}: {outcome.reason}, {why}{back_off_text(outcome.back_off, now)}"
    if outcome.error is None:
        more = notes(outcome.observed, outcome.secret, now)
        if outcome.reason is Reason.WAITING_GRACE:
            more.append(f"`rotator plan {outcome.secret}` says when the grace ends")
        return "\n  ".join((told, *more))
    begun = f"{outcome.secret}: failed{_done_text(outcome)}" if outcome.kind is OutcomeKind.FAILED else told
    indented = outcome.error.told.replace("\n", "\n  ")
    return f"{begun}\n  {indented}\n  {outcome.error.next_step}"


def _done_text(outcome: Outcome) -> str:
    """Say what a run that failed had done by then, as far as consumers and keys are concerned."""
    dead = {action.key_id for action in outcome.actions if isinstance(action, ProveDead)}
    moved = [f"{action.version_id} is current" for action in outcome.actions if isinstance(action, Promote)]
    revoked = [f"{k} is revoked{', and proved dead' if k in dead else ''}" for k in outcome.revoked]
    return f"; by then {'; '.join((*moved, *revoked))}" if moved or revoked else ""


def outcome_row(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as the JSON object that `run` and `rotate` print."""
    error = outcome.error
    return {
        "secret": outcome.secret,
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "version_id": outcome.version_id,
        "key_id": outcome.key_id,
        "revoked": list(outcome.revoked),
        "actions": [action.name for action in outcome.actions],
        "next_attempt_at": time_text(outcome.back_off.until) if outcome.back_off else None,
        "code": type(error).__name__ if error else None,
        "error": f"{error.message.rstrip('.')}. {error.next_step}" if error else None,
        "run_id": outcome.run_id,
    }
