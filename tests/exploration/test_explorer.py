"""The explorer itself: it is exhaustive and repeatable, and it finds what is known to be wrong."""

from dataclasses import replace
from typing import Any

import pytest

from rotator.engine import conditions, planner, retirement, superseded
from rotator.model.events import Done, Intent, Result, Subject
from rotator.model.events import Operation as Audited
from rotator.model.observed import AWSCURRENT, AWSPENDING, Observed
from rotator.model.secret import Demand
from tests.exploration.bounds import Budgets, Configuration, Report
from tests.exploration.canonical import GRACE_S, SETTLE_S, canonical
from tests.exploration.configurations import ALL_BUT_WIDER, AT_ONCE, BY_NAME, PLAIN, WITH_GRACE
from tests.exploration.document import COMMAND, DOCUMENT, comparison, matrix, replaced
from tests.exploration.explorer import Explorer
from tests.exploration.fates import ALPHABET, Fate
from tests.exploration.instances import Start
from tests.exploration.jobs import Hunt, explore_all
from tests.exploration.mutants import BY_NAME as MUTANT_BY_NAME
from tests.exploration.mutants import MUTANTS
from tests.exploration.people import tick
from tests.exploration.planting import Mutant, mutated
from tests.exploration.pure import remembered
from tests.exploration.summary import line_of, table, untried
from tests.simulated.invariants import (
    WINDOW,
    Act,
    Conduct,
    Moment,
    i1_current_key_works,
    i2_grace_is_kept,
    i3_no_foreign_key_dies,
    i4_generation_never_falls,
    i6_effects_are_announced,
    i6_effects_are_not_denied,
    i6_intents_have_outcomes,
    i7_secrets_stay_inside,
    i9_values_are_credentials,
    i10_hold_is_respected,
    i10_hold_stops_revocations,
    i12_nothing_dies_unproved,
    i13_replicas_come_first,
    l1_settled,
    l4_leaked_key_dies,
)
from tests.simulated.values import forms_of
from tests.simulated.world import START_S, Answered, Named, Operation

SMALL = Configuration("small", AT_ONCE, ("due",), Budgets(runs=2, faults=1), fates=ALL_BUT_WIDER)
PAIR = Configuration("pair", AT_ONCE, ("due",), Budgets(runs=2, preemptions=2), instances=2, fates=PLAIN)
MOMENT = Moment(
    at_s=START_S,
    current="new",
    works=True,
    generation=2,
    pending=False,
    well_formed=True,
    held=False,
    live=frozenset({"new", "old"}),
    managed=frozenset({"new", "old"}),
    left={"old": START_S - 10.0},
    adopted=frozenset(),
    replaced=frozenset(),
    edited=frozenset(),
    excused=frozenset(),
    marks=frozenset(),
    set_back=False,
    protected=frozenset(),
    stored=frozenset({"new", "old"}),
    defied=0,
)
ACT = Act(Operation.REVOKE_KEY, Demand.DUE, grace_s=60.0)


def unfenced(observed: Observed) -> tuple[str, ...]:
    """Return every live key of ours that is neither current nor pending: the usual sweep, and a bug."""
    kept = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    return tuple(key.key_id for key in observed.live_keys() if key.key_id not in kept)


def take_away_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the guard wherever it is asked."""
    for module in (retirement, conditions):
        monkeypatch.setattr(module, "superseded_keys", unfenced)


def test_what_is_remembered_changes_nothing() -> None:
    """An exploration that remembers decisions visits the same states, tries the same fates, and judges as often."""
    forgetful = Explorer(SMALL).explore()
    judged = planner.plan
    with remembered():
        assert planner.plan is not judged
        mindful = Explorer(SMALL).explore()
    assert planner.plan is judged
    figures = [(r.states, r.covered, r.exhausted, r.violations) for r in (forgetful, mindful)]
    assert figures[0] == figures[1]
    assert forgetful.states > 0


@pytest.mark.parametrize("configuration", [SMALL, PAIR], ids=lambda c: c.name)
def test_nothing_is_broken_within_small_bounds(configuration: Configuration) -> None:
    """One fault anywhere, or two runs at once, break nothing, and every schedule was covered."""
    report = Explorer(configuration).explore()
    assert report.exhausted
    assert report.violations == []
    assert report.states > 500


def test_every_fault_is_tried() -> None:
    """With one fault each fate is tried on each operation that a rotation makes."""
    report = Explorer(SMALL).explore()
    usual = set(ALPHABET) - {Operation.ATTACH, Operation.LIST_VERSIONS, Operation.TAG, Operation.UNTAG}
    usual -= {Operation.ASK_CONSUMER, Operation.REDEPLOY}  # there is no consumer
    expected = {(str(o), str(f)) for o in usual for f in ALPHABET[o] if f in SMALL.fates}
    assert expected <= report.covered


@pytest.mark.slow
def test_exploration_is_repeatable() -> None:
    """Two explorations of one configuration visit the same number of everything."""
    first, second = (Explorer(SMALL).explore() for _ in range(2))
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)


def test_broken_guard_is_found_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fence that is left out is found within seconds, and its schedule leads there again."""
    take_away_the_fence(monkeypatch)
    report = Explorer(PAIR).explore()
    violation = report.violations[0]
    assert violation.message.startswith("I1")
    assert report.seconds < 5.0
    lines, broken = Explorer(PAIR).replay(violation.choices)
    assert broken[0] == violation.message
    assert tuple(lines) == violation.trace


def test_violation_is_a_shortest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No schedule with fewer steps breaks anything: every prefix of a counterexample is sound."""
    take_away_the_fence(monkeypatch)
    choices = Explorer(PAIR).explore().violations[0].choices
    explorer = Explorer(PAIR)
    for length in range(1, len(choices)):
        assert explorer.replay(choices[:length])[1] == ()


def test_defect_of_the_program_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is none of ours is told, not swallowed."""

    def broken(*_: Any, **__: Any) -> None:  # noqa: ANN401 - stands for any function
        raise KeyError("surprise")

    monkeypatch.setattr(planner, "due_at", broken)
    report = Explorer(SMALL).explore()
    assert "KeyError" in report.violations[0].message


def test_run_that_never_ends_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that calls on and on is cut off and told."""
    real = superseded.superseded_keys
    monkeypatch.setattr(retirement, "superseded_keys", lambda seen: real(seen) or ("ghost",) * 30)
    assert Explorer(SMALL).explore().violations[0].message[:2] in {"I8", "L1", "L2", "a "}


# States


def test_canonical_form_does_not_depend_on_names() -> None:
    """Runs with other nonces and of another generation leave the same canonical world."""
    explorer = Explorer(SMALL)
    origin = next(explorer.origins()).world
    first = rotated(explorer, origin, "a" * 10)
    again = rotated(explorer, tick(explorer.universe, first, 40 * GRACE_S), "b" * 10)
    third = rotated(explorer, tick(explorer.universe, again, 40 * GRACE_S), "c" * 10)
    assert again != third
    assert explorer.forms.of(again) == explorer.forms.of(third)


def test_canonical_form_is_its_own() -> None:
    """The canonical form of a canonical world is itself, for every world at rest that is met."""
    explorer = Explorer(replace(SMALL, spec=WITH_GRACE))
    explorer.explore()
    universe = explorer.universe
    assert len(explorer.recovery.verdicts) >= 10
    for number in explorer.recovery.verdicts:
        assert universe.number(canonical(universe, universe.worlds[number])) == number


def test_canonical_form_keeps_what_rules_compare() -> None:
    """Ages that a rule tells apart stay apart: a fresh secret, one past its settle time, one past its grace."""
    explorer = Explorer(replace(SMALL, spec=WITH_GRACE))
    origin = next(explorer.origins()).world
    fresh = rotated(explorer, origin, "a" * 10)
    later = [tick(explorer.universe, fresh, seconds) for seconds in (0.0, SETTLE_S, GRACE_S)]
    assert len({explorer.forms.of(number) for number in later}) == 3


def rotated(explorer: Explorer, world: int, nonce: str) -> int:
    """Return the world after a run without faults."""
    now_s = explorer.universe.worlds[world].now_s
    node = explorer.instances.begin(Start(Demand.DUE, now_s, nonce))
    while node.request is not None:
        step = explorer.universe.call(world, node.request, Fate.OK, Demand.DUE)
        world, node = step.world, explorer.instances.answer(node, step.reply)
    return world


def test_delayed_request_lands_later() -> None:
    """A request whose sender gave up has its effect at another point of the schedule."""
    explorer = Explorer(replace(SMALL, fates=frozenset({Fate.DELAYED})))
    seen: set[str] = set()
    todo, known = list(explorer.origins()), set()
    while todo:
        state = todo.pop()
        for successor in explorer.successors(state):
            if successor.label[0] == "late effect of":
                seen.add(successor.label[1])
            if successor.state not in known:
                known.add(successor.state)
                todo.append(successor.state)
    assert {Operation.CREATE_KEY, Operation.PUT_VALUE, Operation.PROMOTE} <= seen


# Seeded bugs


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_fits_the_source(mutant: Mutant) -> None:
    """Each seeded bug changes the source as it is now, into other valid Python, and is hunted somewhere."""
    for module, source in mutated(mutant).items():
        compile(source, module, "exec")
    assert set(mutant.hunted_in) <= set(BY_NAME)


def test_mutant_is_killed_in_a_process_of_its_own() -> None:
    """A seeded bug is found in a copy of the package, and the report names it."""
    name = "a create is repeated in place"
    (hunt,) = explore_all([], [name], workers=1)
    assert isinstance(hunt, Hunt)
    assert hunt.killed
    told = "\n".join(line_of(hunt))
    assert "I6 after 8 steps" in told
    assert " ".join(map(str, hunt.killed.choices)) in told
    assert "mutants killed            1 of 1" in "\n".join(table([], [hunt], 1.0))
    assert MUTANT_BY_NAME[name].sentence in "\n".join(line_of(hunt, verbose=True))


def test_hunt_that_ran_out_of_time_is_no_survival() -> None:
    """Whether a seeded bug was missed, or time was up, is told apart."""
    missed = Hunt("a bug", "It bites.", None, 7, 1.0)
    assert "SURVIVED" in "\n".join(line_of(missed))
    assert "NOT DECIDED" in "\n".join(line_of(replace(missed, timed_out=True)))


def test_time_that_is_up_ends_an_exploration() -> None:
    """An exploration without time left says that it did not come to its end."""
    report = Explorer(SMALL).explore(seconds_max=0.0)
    assert not report.exhausted
    assert report.violations == []


@pytest.mark.parametrize("choices", [(1,), (0, 7), (0, -1)])
def test_schedule_that_does_not_exist_is_refused(choices: tuple[int, ...]) -> None:
    """A replay of what was never on offer says so."""
    with pytest.raises(ValueError, match="there is no such schedule: choice"):
        Explorer(SMALL).replay(choices)


def test_pair_that_was_never_tried_is_told() -> None:
    """An operation and a fault that no exploration brought together are named."""
    covered = {(str(o), str(f)) for o, fates in ALPHABET.items() for f in fates}
    forgotten = (str(Operation.ATTACH), str(Fate.DENIED))
    assert untried([Report("all", covered=covered)]) == []
    assert untried([Report("all", covered=covered - {forgotten})]) == [forgotten]


# Invariants


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        (i1_current_key_works, MOMENT, replace(MOMENT, works=False)),
        (i1_current_key_works, MOMENT, replace(MOMENT, works=False, current=None)),
        (i2_grace_is_kept, MOMENT, replace(MOMENT, live=frozenset({"new"}))),
        (i3_no_foreign_key_dies, replace(MOMENT, managed=frozenset({"new"})), replace(MOMENT, live=frozenset({"new"}))),
        (i3_no_foreign_key_dies, replace(MOMENT, protected=frozenset({"old"})), MOMENT),
        (i4_generation_never_falls, MOMENT, replace(MOMENT, generation=1)),
        (i9_values_are_credentials, MOMENT, replace(MOMENT, well_formed=False)),
    ],
)
def test_invariant_speaks(rule: Any, before: Moment, after: Moment) -> None:  # noqa: ANN401 - a rule
    """Each rule is silent about a good effect and speaks about a bad one."""
    assert rule(before, ACT, before) is None
    assert rule(before, ACT, after) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"managed": frozenset({"new", "old"})},
        {"works": False},
        {"pending": True},
        {"marks": frozenset({"old"})},
        {"replaced": frozenset({"old"})},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_unsettled_moments(changes: dict[str, Any]) -> None:
    """Whatever remains to be done is told."""
    settled = replace(MOMENT, managed=frozenset({"new"}))
    assert l1_settled(settled) is None
    assert l1_settled(replace(settled, **changes)) is not None


def test_promotion_to_a_dead_key_is_not_excused() -> None:
    """That a person killed the key before does not excuse the next one; that nothing changed does."""
    killed = replace(MOMENT, current="old", works=False, excused=frozenset({"old"}))
    assert i1_current_key_works(killed, ACT, killed) is None
    assert i1_current_key_works(killed, ACT, replace(killed, current="new")) is not None


def test_revocation_needs_a_current_key_that_works() -> None:
    """While it does not, nothing stored dies, unless its run saw it work; what nobody stored may."""
    broken = replace(MOMENT, works=False)
    after = replace(broken, live=frozenset({"new"}))
    assert i12_nothing_dies_unproved(broken, after, frozenset({"old"})) is not None
    assert i12_nothing_dies_unproved(broken, after, frozenset({"new"})) is None
    assert i12_nothing_dies_unproved(MOMENT, after, frozenset()) is None
    unstored = replace(broken, stored=frozenset({"new"}))
    assert i12_nothing_dies_unproved(unstored, after, frozenset()) is None


def test_hold_lets_one_revocation_through() -> None:
    """The one that a run had decided on."""
    assert i10_hold_stops_revocations(replace(MOMENT, defied=1), 1) is None
    assert i10_hold_stops_revocations(replace(MOMENT, defied=2), 1) is not None


def test_leaked_key_must_die() -> None:
    """Unless something else needs it; and once it is dead the tag is gone."""
    leaked = replace(MOMENT, current="old")
    assert l4_leaked_key_dies(leaked, MOMENT) is not None
    assert l4_leaked_key_dies(leaked, leaked) is not None
    dead = replace(MOMENT, live=frozenset({"new"}))
    assert l4_leaked_key_dies(leaked, replace(dead, tagged=True)) is not None
    assert l4_leaked_key_dies(leaked, replace(MOMENT, live=frozenset({"new"}))) is None
    assert l4_leaked_key_dies(leaked, replace(MOMENT, protected=frozenset({"old"}))) is None


MADE = Intent(Audited.REVOKE_KEY, Subject(key_id="old"))


def of(*trail: object) -> Conduct:
    """Return the conduct of a run with a trail."""
    return Conduct(trail, saw_hold=False, calls_max=9)  # type: ignore[arg-type]  # entries of a trail


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (
            i6_effects_are_announced,
            (MADE, Operation.REVOKE_KEY, Named(Subject(key_id="old"))),
            (MADE, Operation.REVOKE_KEY, Named(Subject(key_id="new"))),
        ),
        (i6_effects_are_announced, (MADE, Operation.REVOKE_KEY), (MADE, Operation.REVOKE_KEY, Operation.REVOKE_KEY)),
        (
            i6_effects_are_not_denied,
            (MADE, Answered(effect_possible=False), Done(MADE.operation, MADE.subject, Result.FAILURE, "")),
            (MADE, Answered(effect_possible=True), Done(MADE.operation, MADE.subject, Result.FAILURE, "")),
        ),
        (
            i6_intents_have_outcomes,
            (MADE, Operation.REVOKE_KEY, Done(MADE.operation, MADE.subject, Result.UNKNOWN, "")),
            (MADE, Operation.REVOKE_KEY),
        ),
        (
            i6_intents_have_outcomes,
            (MADE, Done(MADE.operation, MADE.subject, Result.SUCCESS, "")),
            (MADE, Done(MADE.operation, Subject(key_id="new"), Result.SUCCESS, "")),
        ),
    ],
)
def test_record_of_a_run_is_judged(rule: Any, good: Any, bad: Any) -> None:  # noqa: ANN401 - a rule, two trails
    """A record that is missing, of something else, or untrue is told."""
    assert rule(of(*good)) is None
    assert rule(of(*bad)) is not None


@pytest.mark.parametrize("cut", [slice(None), slice(10, 60), slice(0, WINDOW)])
def test_secret_is_recognised_in_every_form(cut: slice) -> None:
    """A secret is found in whatever usual form it is told, also cut off; other text is not."""
    secret = "eyJhbGciOiJIUzI1NiJ9." + "0123456789abcdef" * 8 + '."quoted"/+='
    forms = list(forms_of(secret))
    windows = {f[i : i + WINDOW] for f in forms for i in range(len(f) - WINDOW + 1)}
    for form in forms:
        assert i7_secrets_stay_inside([f"message: {form[cut]}"], windows) is not None
    assert i7_secrets_stay_inside([f"{AWSCURRENT} {AWSPENDING} and nothing else"], windows) is None


# The document


def test_matrix_in_the_document_is_the_programs() -> None:
    """docs/reliability.md says what becomes of a run that dies at each of its calls."""
    text = DOCUMENT.read_text()
    assert replaced(text, "matrix", matrix()) == text, f"out of date: {COMMAND}"
    assert replaced(text, "comparison", comparison()) == text, f"out of date: {COMMAND}"


def test_document_without_a_place_is_refused() -> None:
    """Tables are not dropped silently."""
    with pytest.raises(ValueError, match="0 places for matrix"):
        replaced("nothing here", "matrix", [])


def test_rules_of_a_run_see_the_call_that_is_asked_for() -> None:
    """A revocation on hold, or while a replica is behind, is seen at the moment it is asked for."""
    trail: list[Operation | Named | Answered] = [Operation.REVOKE_KEY, Named(Subject(key_id="old"))]
    for rule in (i10_hold_is_respected, i13_replicas_come_first):
        assert rule(Conduct(trail, saw_hold=True, calls_max=9, saw_behind=True)) is not None
        assert rule(Conduct(trail, saw_hold=False, calls_max=9, saw_behind=False)) is None
        answered = [*trail, Answered(effect_possible=True)]
        assert rule(Conduct(answered, saw_hold=True, calls_max=9, saw_behind=True)) is None
