"""The order in which messages are taken."""

from datetime import UTC, datetime

import pytest

from rotator.lambda_handlers.consumer import _in_turn
from rotator.lambda_handlers.events import Message


@pytest.mark.parametrize(("receives", "order"), [(1, "abc"), (2, "bca"), (3, "cab"), (4, "abc"), (40, "abc")])
def test_each_receive_begins_one_later(receives: int, order: str) -> None:
    """A message that fails each time is not the first each time, so those behind it get their turn."""
    batch = [Message(i, "r", receives, datetime(2026, 11, 24, tzinfo=UTC), "") for i in "abc"]
    assert "".join(message.message_id for message in _in_turn(batch)) == order
