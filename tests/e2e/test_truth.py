"""The truth table: states of the two systems, and what is said of each, in every place that says something.

A row: the state (`states`, `broken`); the reason of `plan` and its exit code; what `status` asks of people ("-" is
nothing) and its exit code; the page's first sentence; outcome, reason and exit code of `run`; and `status` after it.
Each cell stands for what is so: `truth` holds it, the metrics and the trail against the simulated systems themselves.
"""

import json
from dataclasses import dataclass

import pytest

from tests.e2e import broken as b
from tests.e2e import states as s
from tests.e2e.stage import Stage
from tests.e2e.truth import FINE, Before, Shown, is_served, judge_look, judge_run

pytestmark = pytest.mark.slow  # it starts many processes

OUT = "The consumers of 1 secret have no good key"
PERSON = "1 secret needs a person"
FAILING = "1 secret is failing"
LATE = "1 secret is late"


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    state: s.State
    plan: str
    status: str
    headline: str
    run: str
    after: str
    marks: tuple[pytest.MarkDecorator, ...] = ()


SLOW = (pytest.mark.slow,)
"""A row that says what its neighbour says, too."""
TABLE = (
    # A life without trouble
    Case(s.hand_made, "ADOPTED 0", "- 0", FINE, "rotated ADOPTED 0", "- 0"),
    Case(s.ours, "UP_TO_DATE 0", "- 0", FINE, "up_to_date UP_TO_DATE 0", "- 0"),
    Case(s.aged, "AGED_OUT 0", "- 0", LATE, "rotated AGED_OUT 0", "- 0"),
    Case(s.empty, "NO_CURRENT 0", "- 0", LATE, "rotated NO_CURRENT 0", "- 0"),
    Case(s.old_key_in_grace, "UP_TO_DATE 0", "- 0", FINE, "up_to_date UP_TO_DATE 0", "- 0"),
    Case(s.old_key_overdue, "UP_TO_DATE 0", "- 3", LATE, "up_to_date UP_TO_DATE 0", "- 0"),
    Case(s.due_in_grace, "WAITING_GRACE 0", "- 0", FINE, "waiting WAITING_GRACE 0", "- 0"),
    Case(s.due_after_grace, "RETIRE_FIRST 0", "- 3", LATE, "rotated AGED_OUT 0", "- 0"),
    Case(s.outside_window, "OUTSIDE_WINDOW 0", "- 0", FINE, "waiting OUTSIDE_WINDOW 0", "- 0"),
    Case(s.nearly_used_up, "NEARLY_USED_UP 0", "- 0", FINE, "rotated NEARLY_USED_UP 0", "- 0", SLOW),
    Case(s.expiring, "EXPIRING 0", "- 3", LATE, "rotated EXPIRING 0", "- 0", SLOW),
    Case(s.too_new_to_tell, "NOT_YET_ACCEPTED 0", "- 0", LATE, "waiting NOT_YET_ACCEPTED 0", "- 0"),
    Case(s.orphan, "UP_TO_DATE 0", "- 0", FINE, "up_to_date UP_TO_DATE 0", "- 0"),
    # People who decided
    Case(s.on_hold, "ON_HOLD 3", "person 3", PERSON, "held ON_HOLD 3", "person 3"),
    Case(b.refused_on_hold, "ON_HOLD 3", "outage 3", OUT, "held ON_HOLD 3", "outage 3"),
    Case(s.drifted, "DRIFTED 3", "person 3", PERSON, "held DRIFTED 3", "person 3"),
    Case(s.rolled_back, "ROLLED_BACK 3", "person 3", PERSON, "held ROLLED_BACK 3", "person 3"),
    # What consumers read does not work
    Case(b.damaged_token, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.damaged_token_never_ours, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.damaged_pair, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.damaged_in_grace, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.damaged_after_grace, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0", SLOW),
    Case(b.dead_key_put_back, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.dead_key_moved_back, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.own_dead_key_moved_back, "KEY_REVOKED 0", "outage 3", OUT, "rotated KEY_REVOKED 0", "- 0"),
    Case(b.revoked_in_pinata, "KEY_REVOKED 0", "outage 3", OUT, "rotated KEY_REVOKED 0", "- 0"),
    Case(b.revoked_and_denied, "KEY_REVOKED 0", "outage 3", OUT, "failed KEY_REVOKED 3", "outage 3"),
    Case(s.too_many_keys, "TOO_MANY_KEYS 3", "outage 3", OUT, "held TOO_MANY_KEYS 3", "outage 3"),
    Case(b.two_keys, "None 3", "person 3", PERSON, "failed None 3", "person 3"),
    Case(b.two_keys_refused, "CURRENT_REFUSED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(b.other_json, "None 3", "person 3", PERSON, "failed None 3", "person 3"),
    Case(b.other_text, "None 3", "person 3", PERSON, "failed None 3", "person 3"),
    # Values as people have them
    Case(b.blank_object, "NO_CREDENTIAL 0", "- 0", LATE, "rotated NO_CREDENTIAL 0", "- 0"),
    Case(b.blank_object_over_ours, "NO_CREDENTIAL 0", "outage 3", OUT, "rotated NO_CREDENTIAL 0", "- 0"),
    Case(b.blank_name, "NO_CREDENTIAL 0", "- 0", LATE, "rotated NO_CREDENTIAL 0", "- 0", SLOW),
    Case(b.blank_fields, "NO_CREDENTIAL 0", "- 0", LATE, "rotated NO_CREDENTIAL 0", "- 0", SLOW),
    Case(b.placeholders, "NO_CREDENTIAL 0", "- 0", LATE, "rotated NO_CREDENTIAL 0", "- 0"),
    Case(b.byte_order_mark, "ADOPTED 0", "- 0", FINE, "rotated ADOPTED 0", "- 0"),
    Case(b.broken_line, "None 3", "person 3", PERSON, "failed None 3", "person 3"),
    Case(b.bearer_in_front, "None 3", "person 3", PERSON, "failed None 3", "person 3", SLOW),
    Case(b.near_names, "None 3", "person 3", PERSON, "failed None 3", "person 3"),
    Case(b.unknown_scope, "ADOPTED 0", "- 0", FINE, "failed ADOPTED 3", "person 3"),
    Case(b.held_by_another, "ADOPTED 0", "- 0", FINE, "rotated ADOPTED 0", "- 0"),
    Case(b.created_anew, "NO_CURRENT 0", "- 0", LATE, "rotated NO_CURRENT 0", "- 0"),
    # What cannot be written, what is altered, who refuses
    Case(b.replica, "WRONG_REGION 3", "person 3", PERSON, "held WRONG_REGION 3", "person 3"),
    Case(b.replica_of_ours, "WRONG_REGION 3", "person 3", PERSON, "held WRONG_REGION 3", "person 3"),
    Case(b.foreign_owner, "FOREIGN_OWNER 3", "person 3", PERSON, "held FOREIGN_OWNER 3", "person 3"),
    Case(b.to_be_deleted, "TO_BE_DELETED 3", "person 3", PERSON, "held TO_BE_DELETED 3", "person 3"),
    Case(s.missing, "None 2", "person 3", PERSON, "failed None 2", "person 3"),
    Case(b.full_value, "None 3", "person 3", PERSON, "failed NO_CREDENTIAL 3", "person 3"),
    Case(b.compact_value, "ADOPTED 0", "- 0", FINE, "rotated ADOPTED 0", "- 0"),
    Case(b.names_cut, "ADOPTED 0", "- 0", FINE, "failed ADOPTED 3", "person 3"),
    Case(b.names_lowered, "ADOPTED 0", "- 0", FINE, "failed ADOPTED 3", "person 3", SLOW),
    Case(b.filter_inverted, "ADOPTED 0", "- 0", FINE, "failed ADOPTED 1", "failing 1"),
    Case(b.filter_ignored, "AGED_OUT 0", "- 3", LATE, "rotated AGED_OUT 0", "- 0"),
    Case(b.plan_exhausted, "ADOPTED 0", "- 0", FINE, "failed ADOPTED 3", "person 3"),
    Case(b.list_not_found, "None 3", "person 3", PERSON, "failed None 3", "person 3"),
    Case(b.list_down, "None 1", "failing 1", FAILING, "failed None 1", "failing 1"),
    # Half-way
    Case(s.placeholder_pending, "IN_PROGRESS 0", "- 0", FINE, "waiting IN_PROGRESS 0", "- 0"),
    Case(s.placeholder_forgotten, "STALLED 0", "- 0", FINE, "up_to_date STALLED 0", "- 0"),
    Case(b.placeholder_and_refused, "STALLED 0", "outage 3", OUT, "rotated CURRENT_REFUSED 0", "- 0"),
    Case(s.stopped_before_promotion, "INTERRUPTED 0", "person 3", PERSON, "rotated INTERRUPTED 0", "- 0"),
    Case(s.stopped_long_ago, "STALLED 0", "person 3", PERSON, "rotated INTERRUPTED 0", "- 0", SLOW),
    Case(s.backing_off, "BACKING_OFF 0", "person 3", PERSON, "waiting BACKING_OFF 1", "failing 1"),
    Case(s.old_key_outlives, "UP_TO_DATE 0", "- 1", LATE, "failed UP_TO_DATE 3", "person 3"),
    Case(s.replica_behind, "REPLICA_BEHIND 0", "- 1", LATE, "waiting REPLICA_BEHIND 0", "- 1"),
    Case(s.replica_stuck, "REPLICA_STUCK 3", "person 3", PERSON, "held REPLICA_STUCK 3", "person 3"),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c.state.__name__, marks=c.marks) for c in TABLE])
def test_what_is_said_is_so(stage: Stage, case: Case) -> None:
    """Plan, status, page, metrics, outcome, exit codes and trail say what the table says, and the two systems agree."""
    case.state(stage)
    planned = stage.rotator("plan", "--json")
    plan = json.loads(planned.stdout.splitlines()[0])
    assert f"{plan['reason']} {planned.returncode}" == case.plan
    assert plan["reason"] != "UP_TO_DATE" or is_served(stage)

    shown = Shown.of(stage)
    assert f"{shown.status['attention'] or '-'} {shown.code}" == case.status
    assert shown.headline == case.headline
    judge_look(stage, shown)

    before = Before.of(stage)
    done = stage.rotator("run", "--json")
    row = json.loads(done.stdout.splitlines()[0])
    assert f"{row['outcome']} {row['reason']} {done.returncode}" == case.run
    judge_run(stage, before, row, done.returncode)

    after = Shown.of(stage)
    assert f"{after.status['attention'] or '-'} {after.code}" == case.after
    judge_look(stage, after)
