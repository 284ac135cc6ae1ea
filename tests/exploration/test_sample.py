"""The comparison with the shape that AWS publishes: a fair stand-in, and figures that can be followed by hand."""

import sys

import pytest

from rotator.engine import retirement
from rotator.model.observed import AWSCURRENT, AWSPENDING
from tests.exploration.__main__ import main
from tests.exploration.canonical import AGE_S
from tests.exploration.comparison import CONTENDERS, ROTATOR, SAMPLE, Arena, Flaw, Schedule, compared, listed, score
from tests.exploration.fates import READS, WRITES, Fate
from tests.exploration.instances import Start
from tests.exploration.people import tick
from tests.exploration.sample import concluded, invoked
from tests.simulated.store import SimulatedStore
from tests.simulated.values import held_in
from tests.simulated.world import Operation


def followed(
    arena: Arena, world: int, start: Start, fault: tuple[Operation, Fate] | None = None
) -> tuple[int, list[Operation]]:
    """Return the world after one rotation, and its calls; those of one operation meet a fault."""
    node, calls = arena.instances.begin(start), list[Operation]()
    while node.request is not None and node.operation is not None:
        calls.append(node.operation)
        fate = fault[1] if fault and node.operation is fault[0] else Fate.OK
        step = arena.universe.call(world, node.request, fate, start.demand)
        world, node = step.world, arena.instances.answer(node, step.reply)
    return world, calls


def begun(arena: Arena, world: int, attempt: int = 1) -> tuple[int, Start]:
    """Return what AWS begins, or goes on with."""
    found = invoked(arena.universe, world, attempt)
    assert found is not None
    return found


def sites(schedules: tuple[Schedule, ...], flaw: Flaw) -> set[tuple[Operation | None, Fate]]:
    """Return which fault in which call leads to a flaw."""
    return {(s.operation, s.fate) for s in schedules if flaw in s.flaws}


# The stand-in


def test_sample_rotates_when_nothing_goes_wrong() -> None:
    """Month by month the new key is current and works, the old one is dead, and no AWSPENDING is left."""
    arena = Arena(SAMPLE)
    universe, world, keys = arena.universe, arena.origin, set[str | None]()
    for month in range(3):
        before = universe.moment(world).current
        world, start = begun(arena, tick(universe, world, month * AGE_S), month)
        world = concluded(universe, followed(arena, world, start)[0])
        moment = universe.moment(world)
        keys |= {before, moment.current}
        assert moment.works
        assert moment.managed == {moment.current}
        assert moment.generation == month + 2
        assert not moment.pending
        assert invoked(universe, world, month) is None
    assert len(keys) == 4


def test_sample_may_be_invoked_again() -> None:
    """Steps that are invoked once more with the same token find the work done, and change nothing."""
    arena = Arena(SAMPLE)
    world, start = begun(arena, arena.origin)
    done, _ = followed(arena, world, start)
    assert followed(arena, done, start) == (done, [Operation.DESCRIBE] * 4)


def test_sample_clears_up_after_a_put_that_failed() -> None:
    """A key that surely could not be stored is deleted, and the retry, with the same token, rotates."""
    arena = Arena(SAMPLE)
    universe = arena.universe
    world, start = begun(arena, arena.origin)
    failed, _ = followed(arena, world, start, (Operation.PUT_VALUE, Fate.LOST))
    assert universe.moment(failed).managed == universe.moment(arena.origin).managed
    assert universe.moment(failed).pending
    world, again = begun(arena, failed, 2)
    assert again == start
    moment = universe.moment(followed(arena, world, again)[0])
    assert moment.works
    assert moment.managed == {moment.current}


def test_stuck_rotation_points_at_a_dead_key() -> None:
    """A value that was stored though the answer was lost holds a key that is dead, and no rotation gets past it."""
    arena = Arena(SAMPLE)
    universe = arena.universe
    world, start = begun(arena, arena.origin)
    world, _ = followed(arena, world, start, (Operation.PUT_VALUE, Fate.LATE))
    for attempt in (1, 2):
        world, again = begun(arena, tick(universe, world, AGE_S), attempt)
        assert again.nonce == start.nonce
        world, calls = followed(arena, world, again)
        assert not WRITES & set(calls)
    held = held_in(universe.worlds[world].secret, AWSPENDING)
    assert held is not None
    assert held.key_id not in universe.moment(world).live


# The figures


def test_sample_fails_where_it_is_known_to() -> None:
    """A key is lost before the put or after the promotion; a put without an answer leaves a dead one pending."""
    found = score(SAMPLE)
    assert not found.calm.failed
    assert sites(found.faulty, Flaw.LIVE_KEY) == {
        (Operation.CREATE_KEY, Fate.CRASH_AFTER),
        (Operation.CREATE_KEY, Fate.LATE),
        (Operation.CREATE_KEY, Fate.DELAYED),
        (Operation.PUT_VALUE, Fate.CRASH_BEFORE),
        (Operation.PROMOTE, Fate.CRASH_AFTER),
        (Operation.PROMOTE, Fate.LATE),
        (Operation.PROMOTE, Fate.DELAYED),
        (Operation.REVOKE_KEY, Fate.CRASH_BEFORE),
        (Operation.REVOKE_KEY, Fate.LOST),
        (Operation.REVOKE_KEY, Fate.REJECTED),
    }
    assert sites(found.faulty, Flaw.STUCK) == {(Operation.PUT_VALUE, Fate.LATE), (Operation.PUT_VALUE, Fate.DELAYED)}
    assert sites(found.faulty, Flaw.DEAD_CURRENT) == set()
    assert all(schedule.flaws for schedule in found.failed)
    assert len(list(listed(found))) == len(found.failed)


def test_sample_survives_every_failed_read() -> None:
    """A read that fails only delays the rotation: what fails is what the shape does about writes."""
    reads = [s for s in score(SAMPLE).faulty if s.operation in READS]
    assert len(reads) > 30
    assert not any(schedule.failed for schedule in reads)


def test_rotator_survives_every_fault() -> None:
    """No fault in any call of a rotation leaves anything behind."""
    found = score(ROTATOR)
    assert not found.calm.failed
    assert found.failed == ()
    writes = {s.operation for s in found.faulty if s.operation in WRITES}
    assert writes >= {Operation.CREATE_KEY, Operation.PUT_VALUE, Operation.PROMOTE, Operation.REVOKE_KEY}


# The judge


def test_key_that_nobody_revokes_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same judge finds a rotator that forgets the keys it has superseded."""
    monkeypatch.setattr(retirement, "superseded_keys", lambda _: ())
    found = score(ROTATOR)
    assert found.calm.flaws == {Flaw.LIVE_KEY}
    assert len(found.failed) == len(found.faulty)


def test_dead_key_in_current_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that revokes the old key though AWSCURRENT has not moved leaves consumers with a dead one."""
    monkeypatch.setattr(SimulatedStore, "promote", lambda *_: None)
    calm = next(iter(Arena(SAMPLE).schedules()))
    assert Flaw.DEAD_CURRENT in calm.flaws
    assert any(message.startswith("I1 ") and AWSCURRENT in message for message in calm.broken)


def test_table_shows_both(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a line for each program, and every schedule that fails if asked to."""
    monkeypatch.setattr(sys, "argv", ["simulation", "compare", "--schedules"])
    assert main() == 0
    told = capsys.readouterr().out
    scores = [score(contender) for contender in CONTENDERS]
    assert "\n".join(compared(scores)) in told
    assert "\n".join(listed(scores[1])) in told
    assert f"{ROTATOR.name}: 0 fail" in told
