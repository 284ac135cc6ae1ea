"""The words in which plans and times are put to people."""

from datetime import timedelta

import pytest

from rotator.cli.wording import action_text, duration_text
from rotator.model import (
    Action,
    Create,
    Discard,
    Promote,
    ProveDead,
    Reason,
    Restamp,
    Revoke,
    Unlabel,
    Verify,
)
from rotator.reasons import WHY

ACTIONS: dict[type, tuple[Action, str]] = {
    Create: (Create("v2", "v1"), "Create a key for v2 and store it as AWSPENDING"),
    Restamp: (Restamp("v2", "v1"), "Restamp the current value as v2"),
    Verify: (Verify("v2"), "Verify v2: read it back and prove its key"),
    Promote: (Promote("v2", "v1"), "Promote v2 to AWSCURRENT, replacing v1"),
    Discard: (Discard("v2"), "Discard v2: take AWSPENDING off it"),
    Revoke: (Revoke("k1"), "Revoke key k1"),
    ProveDead: (ProveDead("k1"), "ProveDead: key k1 is listed as revoked and refused"),
    Unlabel: (Unlabel("v2", "rotator:replaced:k1"), "Unlabel v2: rotator:replaced:k1"),
}


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_action_has_words(kind: type) -> None:
    """A plan names what an action does and to what."""
    action, words = ACTIONS[kind]
    assert action_text(action) == words
    assert set(Action.__args__) == set(ACTIONS)


def test_a_first_version_replaces_nothing() -> None:
    """The plan for an empty secret does not name a version that is not there."""
    assert action_text(Promote("v1", None)) == "Promote v1 to AWSCURRENT"


def test_every_reason_has_words() -> None:
    """No plan is left unexplained."""
    assert set(WHY) == set(Reason)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59, "59s"),
        (200, "3m 20s"),
        (3600, "1h"),
        (86_400 * 29 + 3600 * 4 + 5, "29d 4h"),
        (86_400 + 60, "1d"),
        (-90, "-1m 30s"),
    ],
)
def test_spans_are_told_in_their_largest_units(seconds: int, words: str) -> None:
    """A glance is enough."""
    assert duration_text(timedelta(seconds=seconds)) == words
