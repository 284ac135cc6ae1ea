"""The words in which plans and times are put to people."""

from datetime import UTC, datetime, timedelta

import pytest

from rotator.cli.wording import action_text
from rotator.model.consumers import EcsService
from rotator.model.plan import (
    Action,
    Create,
    Discard,
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
from rotator.model.times import span_text

ACTIONS: dict[type, tuple[Action, str]] = {
    Create: (Create("v2", "v1", "v2"), "Create a key for v2 and store it as AWSPENDING"),
    Restamp: (Restamp("v2", "v1"), "Restamp the value of v1 as v2"),
    Verify: (Verify("v2"), "Verify v2: read it back and prove its key"),
    Promote: (Promote("v2", "v1"), "Promote v2 to AWSCURRENT, replacing v1"),
    Discard: (Discard("v2"), "Discard v2: take AWSPENDING off it"),
    Revoke: (Revoke("k1"), "Revoke key k1"),
    ProveDead: (ProveDead("k1"), "ProveDead: key k1 is listed as revoked and refused"),
    Unlabel: (Unlabel("v2", "rotator:replaced:k1"), "Unlabel v2: rotator:replaced:k1"),
    Stamp: (
        Stamp("v2", datetime(2026, 9, 21, 12, tzinfo=UTC)),
        "Stamp v2: the grace of what it superseded runs from 2026-09-21T12:00:00Z",
    ),
    Redeploy: (
        Redeploy(EcsService("prod", "uploader")),
        "Redeploy ecs prod/uploader, so that its tasks read the current value",
    ),
    Tag: (Tag("k1 in a log"), "Tag the secret: rotator:contain = k1 in a log"),
    Untag: (Untag("k1 in a log"), "Untag the secret: rotator:contain is answered"),
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
    """No plan is left unexplained, and no two reasons say the same."""
    clauses = [reason.clause for reason in Reason]
    assert all(clauses)
    assert len(set(clauses)) == len(clauses)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (200, "3 min"),
        (3600, "1 h"),
        (86_400 * 2 - 1, "47 h"),
        (86_400 * 29 + 3600 * 4 + 5, "29 d"),
        (-90, "1 min"),
    ],
)
def test_spans_are_told_in_their_largest_unit(seconds: int, words: str) -> None:
    """A glance is enough; the sign is for the words around it."""
    assert span_text(timedelta(seconds=seconds)) == words
