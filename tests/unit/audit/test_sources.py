"""Two sources read as one, and checked against each other."""

from rotator.audit.sources import Criteria, last_outcomes_of, records_of, verify_all
from rotator.audit.verify import Flaw, Verdict
from tests.unit.audit.builders import a_rotation, an_end, chain_lines, record_rotation
from tests.unit.audit.media import Both

EVENTS = 1 + len(list(a_rotation()))


def test_a_record_in_both_is_shown_once(both: Both) -> None:
    """What is read from both is one trail, in the order of time."""
    with both.trail() as trail:
        first, second = record_rotation(trail, "one"), record_rotation(trail, "two")
    records = list(records_of(both.sources, Criteria()))
    assert [r.run_id for r in records] == [first] * EVENTS + [second] * EVENTS
    assert last_outcomes_of(both.sources, ["one", "never"])["one"].run_id == first


def test_each_place_is_judged_by_itself(both: Both) -> None:
    """A change in one of them is found there, and the other one is intact."""
    with both.trail() as trail:
        record_rotation(trail)
    both.bucket.put(list(both.bucket.lines())[4], b"")
    assert both.verdicts() == [Verdict.INTACT, Verdict.BROKEN]
    assert both.bucket.source.verify().findings[0].flaw is Flaw.OUT_OF_SEQUENCE


def test_a_run_that_was_rewritten_in_one_place_is_found(both: Both) -> None:
    """A whole new chain without a flaw of its own contradicts the ledger, and the one in the other place."""
    with both.trail() as trail:
        rewritten, other = record_rotation(trail), record_rotation(trail)
    keys = [key for key in both.bucket.all_keys() if rewritten in key]
    story = chain_lines(rewritten, [an_end()], both.bucket.clock)
    both.bucket.overwrite(keys[0], b"".join(story))
    for key in keys[1:]:
        both.bucket.delete(key)
    assert both.verdicts() == [Verdict.INTACT, Verdict.BROKEN]
    here, there = verify_all(both.sources)
    assert here.verdict is Verdict.INTACT
    flaws = [Flaw.NOT_AS_LISTED, Flaw.CONTRADICTED]
    assert [(f.flaw, f.run_id) for f in there.findings] == [(flaw, rewritten) for flaw in flaws]
    assert other in there.seen
