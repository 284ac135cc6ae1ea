"""Long random walks: runs, crashes, faults, races, time and people in any order, and then peace.

The explorer enumerates every short schedule; a walk goes further than any enumeration, and samples. What must hold
after every step is an invariant here; what must come of it all once nobody disturbs any more is `settle`.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rotator.model.naming import generation_of_version, version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.secret import Demand
from rotator.model.tags import CONTAIN_TAG
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.switches import Switches
from rotator.sandbox.secrets_manager.state import LABELS_MAX
from tests.builders import a_spec
from tests.simulated.scene import Scene, effects_without_intent
from tests.simulated.world import Boundary, Crash, Fault, Operation, Process, at_call, calm, meanwhile

CALLS_MAX = 20
"""No run makes more calls than this before it has done whatever it may be disturbed at."""
RUNS_MAX = 10
"""So many undisturbed runs, and as many waits, settle any state."""
EDITS_MAX = 12
"""Each hand-made key that is replaced costs a label until it is dead, and a secret has twenty."""
WRITES = frozenset(
    {
        Operation.CREATE_KEY,
        Operation.REVOKE_KEY,
        Operation.PUT_VALUE,
        Operation.PROMOTE,
        Operation.ATTACH,
        Operation.REMOVE,
    }
)
DAY = timedelta(days=1)
GRACES = (timedelta(0), DAY)
WAITS = (
    timedelta(seconds=30),
    timedelta(minutes=6),  # past `settle`
    timedelta(minutes=61),  # past `pending_timeout`
    DAY + timedelta(minutes=1),  # past `grace`
    timedelta(days=31),  # past `max_age`
)
calls = st.integers(1, CALLS_MAX)
may_edit = precondition(lambda self: len(self.people_stored) < EDITS_MAX)
is_free = precondition(lambda self: "rotator:hold" not in self.scene.secret.tags)
is_held = precondition(lambda self: "rotator:hold" in self.scene.secret.tags)
demands = st.sampled_from([Demand.DUE, Demand.DUE, Demand.FORCED])


class Walk(RuleBasedStateMachine):
    """One secret among careless people and mortal processes."""

    scene: Scene

    @initialize(
        begin=st.sampled_from([Scene.empty, Scene.hand_made, Scene.own]),
        grace=st.sampled_from(GRACES),
        settle=st.sampled_from([timedelta(0), timedelta(minutes=5)]),
    )
    def begin(self, begin: Callable[..., Scene], grace: timedelta, settle: timedelta) -> None:
        """Begin with an empty secret, a hand-made key, or a key of ours that is due."""
        self.scene = begin(a_spec(grace=grace, settle=settle), Switches(jwt_lifetime_s=None))
        self.processes: list[Process] = []
        self.people_revoked: set[str] = set()
        self.people_stored: set[str] = set()
        self.taken_over: set[str] = set()
        """Hand-made keys that a run has replaced."""
        self.people_revived: set[str] = set()
        """Dead keys that a person has made current again."""
        self.last_current_s: dict[str, float] = {}
        self._see()
        self.people_stored |= {self.scene.current_key() or ""}

    # The program

    @rule(demand=demands)
    def runs(self, demand: Demand) -> None:
        """Run undisturbed."""
        self._run(demand)

    @is_free
    @rule(demand=demands, call=calls, fault=st.sampled_from([Fault.CRASH_BEFORE, Fault.CRASH_AFTER]))
    def runs_and_dies(self, demand: Demand, call: int, fault: Fault) -> None:
        """Run, and die at a call."""
        self._run(demand, at_call(call, fault))

    @is_free
    @rule(demand=demands, call=calls, fault=st.sampled_from([Fault.LOST, Fault.LATE, Fault.REJECTED, Fault.DENIED]))
    def runs_into_a_fault(self, demand: Demand, call: int, fault: Fault) -> None:
        """Run, and have a call fail, with or without its effect."""
        self._run(demand, at_call(call, fault))

    @is_free
    @rule(demand=demands, record=st.integers(1, CALLS_MAX))
    def runs_out_of_audit(self, demand: Demand, record: int) -> None:
        """Run, and have the audit trail fail from a record on."""
        self._run(demand, audit_fails=range(record, 1000))

    @is_free
    @rule(demand=demands, other=demands, call=calls, death=st.none() | calls)
    def two_race(self, demand: Demand, other: Demand, call: int, death: int | None) -> None:
        """Have a second run come and go, or come and die, just before a call of the first."""
        boundary = calm if death is None else at_call(death, Fault.CRASH_AFTER)
        self._run(demand, meanwhile(call, lambda: self._nested(other, boundary)))

    # People and time

    @rule(wait=st.sampled_from(WAITS))
    def time_passes(self, wait: timedelta) -> None:
        """Let time pass."""
        self._see()
        self.scene.passes(wait)
        self._see()

    @may_edit
    @rule()
    def a_person_stores_another_key(self) -> None:
        """Replace the value by hand."""
        self._edit()
        self._see()

    @is_free
    @may_edit
    @rule(demand=demands, call=calls)
    def a_person_stores_another_key_meanwhile(self, demand: Demand, call: int) -> None:
        """Replace the value by hand while a run is at work."""
        self._run(demand, meanwhile(call, self._edit), edited=True)

    @precondition(lambda self: AWSPREVIOUS in self.scene.labels())
    @rule()
    def a_person_rolls_back(self) -> None:
        """Move AWSCURRENT back by hand."""
        labels = self.scene.labels()
        self.scene.move(AWSCURRENT, labels[AWSPREVIOUS], labels[AWSCURRENT])
        key = self.scene.current_key() or ""
        if key not in self.scene.live_keys():
            self.people_revived.add(key)
        self._see()

    @is_free
    @rule(call=st.none() | calls, demand=demands)
    def a_person_holds(self, call: int | None, demand: Demand) -> None:
        """Put the secret on hold, perhaps while a run is at work."""
        if call is None:
            self.scene.hold()
        else:
            self._run(demand, meanwhile(call, self.scene.hold))

    @rule(call=st.none() | calls, text=st.sampled_from([None, "in a log"]), demand=demands)
    def a_person_contains(self, call: int | None, text: str | None, demand: Demand) -> None:
        """Say that the current key has leaked, perhaps while a run is at work."""
        if call is None:
            self.scene.contain(text)
        else:
            self._run(demand, meanwhile(call, lambda: self.scene.contain(text)), leaks=True)

    @is_held
    @rule()
    def a_person_releases(self) -> None:
        """Take the hold away."""
        self.scene.release()

    @precondition(lambda self: self.scene.live_keys())
    @rule(data=st.data())
    def a_person_revokes_a_key(self, data: st.DataObject) -> None:
        """Revoke any key in Pinata's web application."""
        key_id = data.draw(st.sampled_from(sorted(self.scene.live_keys())))
        self._revoke(key_id)

    @rule(above=st.integers(-1, 2), nonce=st.sampled_from("xyz"))
    def somebody_leaves_an_orphan(self, above: int, nonce: str) -> None:
        """Have a key of ours appear that no version holds, as a request that lands late leaves it."""
        generation = max(1, self._generation() + above)
        name = self.scene.family.key_name(version_id(generation, self.scene.systems.now(), nonce * 10))
        self.scene.seed(name, age_s=0.0)

    @rule(name=st.sampled_from(["backup", "{prefix}backup", "x{prefix}", "{prefix}g000009"]))
    def somebody_makes_a_foreign_key(self, name: str) -> None:
        """Have a key appear that is not ours, however much its name looks like it."""
        self.scene.seed(name.format(prefix=self.scene.family.prefix))

    # What always holds

    @invariant()
    def current_never_vanishes(self) -> None:
        """Once there is an AWSCURRENT there always is, and it holds a key."""
        if self.last_current_s:
            assert self.scene.current_key()

    @invariant()
    def current_key_lives(self) -> None:
        """The key consumers read works, unless a person killed it, or went back to a dead one."""
        current = self.scene.current_key()
        assert current in {None, *self.scene.live_keys(), *self.people_revoked, *self.people_revived}

    @invariant()
    def foreign_keys_are_left_alone(self) -> None:
        """A key that is not ours dies only by a person's hand, or once it was taken over."""
        for key in self._dead():
            ours = self.scene.family.generation(key.name) > 0
            assert ours or key.key in self.people_revoked | self.people_stored
        admin = self.scene.systems.admin.key
        assert self.scene.systems.pinata.keys[admin].revoked_at is None

    @invariant()
    def every_effect_was_announced(self) -> None:
        """Before each effect of each run stands its own durable intent."""
        for process in self.processes:
            assert effects_without_intent(process) == []
        self.processes.clear()

    @invariant()
    def labels_stay_few(self) -> None:
        """The quota of labels is never used up by ours."""
        assert len(self.scene.labels()) < LABELS_MAX

    def teardown(self) -> None:
        """Leave the secret alone, and see it settle."""
        if hasattr(self, "scene"):  # else the walk failed before it began
            self.settle()

    def settle(self) -> None:
        """Within a bounded number of runs one live key of ours is left, the current one, and nothing remains to do."""
        if "rotator:hold" in self.scene.secret.tags:
            held = self._run(Demand.FORCED)
            assert held is OutcomeKind.HELD
            assert not WRITES & set(self.scene.last.calls)
            self.scene.release()
        for _ in range(RUNS_MAX):
            reason = self.scene.preview().reason
            if reason is Reason.CONTAIN_STUCK:  # nobody here has that key any more
                self.scene.release(CONTAIN_TAG)
            if reason is Reason.TOO_MANY_KEYS and self.scene.current_key() is None:
                self._revoke(min(self._ours_alive()))  # what nobody has ever read proves nothing: a person chooses
            asks = reason in {Reason.DRIFTED, Reason.ROLLED_BACK}
            self._run(Demand.FORCED if asks else Demand.DUE)
            self.scene.passes(DAY + timedelta(minutes=1))
            chosen = self.scene.preview()
            if chosen.reason is Reason.UP_TO_DATE and not chosen.actions:
                break
        else:
            raise AssertionError(f"not settled: {chosen}, {self.scene.labels()}")
        assert self._ours_alive() == {self.scene.current_key()}
        assert not self.scene.live_keys() & self.taken_over
        assert AWSPENDING not in self.scene.labels()
        self._run(Demand.DUE)
        assert not WRITES & set(self.scene.last.calls)

    # How

    def _run(
        self,
        demand: Demand,
        boundary: Boundary = calm,
        *,
        audit_fails: range = range(0),
        edited: bool = False,
        leaks: bool = False,
    ) -> OutcomeKind | None:
        """Run once, and check what no run may do."""
        self._see()
        before, generation = self.scene.labels().get(AWSCURRENT), self._generation()
        read = self.scene.current_key()
        live = self.scene.live_keys()
        tagged = CONTAIN_TAG in self.scene.secret.tags
        self.first: Process | None = None
        try:
            kind = self.scene.run(demand, boundary=boundary, audit_fails=audit_fails).kind
        except Crash:
            kind = None
        self.processes += [process for process in (self.first, self.scene.last) if process]
        if before != self.scene.labels().get(AWSCURRENT) and not edited:
            assert self._generation() > generation
            self.taken_over |= self.people_stored & {read or ""}
        if not leaks and not tagged and CONTAIN_TAG not in self.scene.secret.tags:
            for key in live - self.scene.live_keys() - self.people_revoked:
                grace_s = self.scene.spec.grace.total_seconds()
                since_s = self.scene.systems.now_s - self.last_current_s.get(key, 0.0)
                assert since_s >= grace_s, "a consumer may still hold this key"
        self._see()
        return kind

    def _nested(self, demand: Demand, boundary: Boundary) -> None:
        self.first = self.scene.last
        self.scene.run_until_crash(boundary, demand)
        self.processes.append(self.scene.last)
        self.scene.last = self.first

    def _edit(self) -> None:
        key = self.scene.seed("made by hand")
        self.people_stored.add(key.key)
        self.scene.edit(key, token=f"{len(self.people_stored):032}")

    def _revoke(self, key_id: str) -> None:
        """Revoke a key by hand."""
        self.people_revoked.add(key_id)
        self.scene.revoke(key_id)

    def _ours_alive(self) -> set[str]:
        keys = self.scene.systems.pinata.keys
        return {key for key in self.scene.live_keys() if self.scene.family.generation(keys[key].name)}

    def _see(self) -> None:
        """Note which key consumers read now."""
        current = self.scene.current_key()
        if current is not None:
            self.last_current_s[current] = self.scene.systems.now_s

    def _generation(self) -> int:
        """Return the generation of AWSCURRENT."""
        version, key_id = self.scene.labels().get(AWSCURRENT, ""), self.scene.current_key()
        key = self.scene.systems.pinata.keys.get(key_id or "")
        in_name = self.scene.family.generation(key.name) if key else 0
        return max(generation_of_version(version), in_name)

    def _dead(self) -> list[KeyRecord]:
        keys = self.scene.systems.pinata.keys.values()
        return [key for key in keys if key.revoked_at is not None]


@pytest.mark.slow
def test_random_walks_end_well() -> None:
    """Whatever happens in whatever order, the invariants hold after each step and peace settles the secret."""
    run_state_machine_as_test(Walk)
