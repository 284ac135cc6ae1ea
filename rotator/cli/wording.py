"""The words in which plans, outcomes and times are put to people."""

from typing import assert_never

from rotator.model.plan import (
    Action,
    Create,
    Discard,
    Outcome,
    OutcomeKind,
    Promote,
    ProveDead,
    Restamp,
    Revoke,
    Unlabel,
    Verify,
)


def action_text(action: Action) -> str:  # noqa: PLR0911 - one return per action
    """Say what an action does, in one line."""
    match action:
        case Create(version_id=version_id):
            return f"Create a key for {version_id} and store it as AWSPENDING"
        case Restamp(version_id=version_id):
            return f"Restamp the current value as {version_id}"
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
        case _:
            assert_never(action)


def outcome_text(outcome: Outcome) -> str:
    """Say what a run came to, in one line; a failure takes two more."""
    if outcome.error is not None:
        indented = outcome.error.message.replace("\n", "\n  ")
        return f"{outcome.secret}: failed\n  {indented}\n  {outcome.error.next_step}"
    parts = [outcome.kind.value.replace("_", " ")]
    if outcome.kind is OutcomeKind.ROTATED:
        parts = [f"rotated to {outcome.version_id} (key {outcome.key_id})"]
    if outcome.revoked:
        parts.append(f"revoked {', '.join(outcome.revoked)}, proved dead")
    why = outcome.reason.clause if outcome.reason else ""
    return f"{outcome.secret}: {'; '.join(parts)}: {outcome.reason}, {why}"


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
        "error": f"{error.message.rstrip('.')}. {error.next_step}" if error else None,
        "run_id": outcome.run_id,
    }
