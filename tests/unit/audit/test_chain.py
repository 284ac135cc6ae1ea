"""A chain as it grows: the calls and the times of its events."""

import json
from datetime import timedelta

from rotator.audit.chain import Chain
from rotator.audit.event import parse
from rotator.audit.record import RunIdentity, Started
from tests.unit.audit.builders import ARN, START, WRITER, Lines, TickingClock, an_intent, an_outcome, chain_lines


def test_an_outcome_names_the_call_of_its_intent() -> None:
    """Intent and outcome share `api.request.uid`; a second call, or outcome, has its own."""
    lines = chain_lines("run-7", [an_intent(), an_outcome(), an_intent(), an_outcome(), an_outcome()])
    stored = [parse(line) for line in lines]
    ids = [s and s.record.call_uid for s in stored[1:]]
    assert ids == ["run-7.2", "run-7.2", "run-7.4", "run-7.4", "run-7.6"]


def test_time_never_goes_back_within_a_run() -> None:
    """An event after a clock that was set back carries the time of the one before it."""
    clock, sink = TickingClock(), Lines()
    chain = Chain(RunIdentity("run-7", "uploader", ARN), WRITER, sink, clock)
    chain.add(Started())
    clock.now = START - timedelta(hours=1)
    chain.add(an_intent())
    first, second = (json.loads(line)["time"] for line in sink.written)
    assert first == second
