"""Offsets that spread a fleet."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from rotator.engine.jitter import rotate_after
from tests.simulated.world import arn_of


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=3653)), st.text())
def test_no_key_gets_older_than_max_age(max_age: timedelta, arn: str) -> None:
    """The offset only ever makes a key younger, by a fiftieth at most, and is the same each time."""
    assert max_age * 49 / 50 < rotate_after(max_age, arn) <= max_age
    assert rotate_after(max_age, arn) == rotate_after(max_age, arn)


def test_keys_made_on_one_day_are_not_due_at_one_instant() -> None:
    """A thousand secrets made together come due over half a day, evenly: no minute has ten of them."""
    due = sorted(rotate_after(timedelta(days=30), arn_of(f"s{n}")) for n in range(1000))
    assert due[-1] - due[0] > timedelta(hours=13)
    crowds = [sum(at <= later < at + timedelta(minutes=1) for later in due) for at in due]
    assert max(crowds) < 10
