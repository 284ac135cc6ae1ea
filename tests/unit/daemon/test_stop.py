"""Being told to stop: a run ends what it is at, and begins nothing more."""

import pytest

from rotator.aws.client import client_config
from rotator.daemon.stop import GRACE_S, STOP_WITHIN_S, Stop
from rotator.engine.executor import CREATE_TO_STORE_S
from rotator.model.errors import StoppedError
from rotator.page.server import CLOSE_S
from rotator.pinata.transport import READ_S


def test_deadline_comes_nearer() -> None:
    """A run that had minutes has seconds once the process is told to stop, and no more if it had less."""
    now_s = 100.0
    stop = Stop(lambda: now_s)
    long, short = stop.deadline(120), stop.deadline(5)
    assert (long.remaining_s(), short.remaining_s()) == (120, 5)
    stop.expect_not_asked()
    now_s += 2
    stop.ask()
    assert (long.remaining_s(), short.remaining_s()) == (STOP_WITHIN_S, 3)
    now_s += 1
    stop.ask()
    assert long.remaining_s() == STOP_WITHIN_S - 1, "a second request gives no more time"
    with pytest.raises(StoppedError):
        stop.expect_not_asked()


def test_key_that_was_made_can_be_stored() -> None:
    """What is kept in reserve to store a key fits into what a stop leaves."""
    assert STOP_WITHIN_S >= CREATE_TO_STORE_S
    assert STOP_WITHIN_S > READ_S, "a key whose making took its longest must also be stored"


def test_grace_covers_what_nothing_cuts_short() -> None:
    """An attempt of a call to AWS that began at the last moment, and the page's end, fit into the grace."""
    patience = client_config()
    attempt_s = patience.connect_timeout + patience.read_timeout  # type: ignore[attr-defined]  # botocore sets them from its arguments
    assert STOP_WITHIN_S + attempt_s + 2 * CLOSE_S < GRACE_S
