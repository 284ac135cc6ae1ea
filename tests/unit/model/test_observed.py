"""What is observed answers questions about it."""

from dataclasses import replace

from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, KeyState
from tests.builders import NATIVE_ID, a_dead_key, a_key, a_version, an_observed


def test_labels_are_found() -> None:
    """A version is found by each of its labels and by its id."""
    both = a_version(4, AWSCURRENT, AWSPENDING)
    previous = a_version(3, AWSPREVIOUS)
    seen = an_observed(both, previous)
    assert (seen.current, seen.pending, seen.previous) == (both, both, previous)
    assert seen.version(previous.version_id) == previous
    assert seen.version("nothing") is None
    assert seen.version(None) is None
    assert seen.version_labelled("nothing") is None


def test_key_inside_is_read_from_the_value() -> None:
    """The key inside a version is the one its value names; unread values name none."""
    seen = an_observed(a_version(4, AWSCURRENT, key="key-2"), a_version(3, AWSPREVIOUS))
    assert seen.key_inside(seen.current) == "key-2"
    assert seen.key_inside(seen.previous) is None
    assert seen.key_inside(None) is None


def test_generation_is_the_higher_of_two() -> None:
    """A version's generation is that of its id or of its key's name, whichever is higher."""
    by_id, by_key = a_version(4, AWSCURRENT, key="key-2"), a_version(NATIVE_ID, "a", key="key-3")
    foreign = a_version(NATIVE_ID, "b")
    seen = an_observed(by_id, by_key, foreign, keys=[a_key(2), a_key(3)])
    assert [seen.generation(v) for v in (by_id, by_key, foreign, None)] == [4, 3, 0, 0]


def test_highest_generation_counts_everything() -> None:
    """Dead keys and superseded versions count, too; nothing at all is zero."""
    assert an_observed().next_generation() - 1 == 0
    assert an_observed(a_version(4, AWSCURRENT), keys=[a_dead_key(7)]).next_generation() - 1 == 7
    assert an_observed(a_version(4, "a"), keys=[a_key(2)]).next_generation() - 1 == 4


def test_missing_is_not_revoked() -> None:
    """A key is dead if testAuthentication says so, or, if that was not asked, the list."""
    seen = an_observed(
        keys=[a_key(1), a_dead_key(2)],
        witnessed=[("key-1", KeyState.REVOKED), ("seen", KeyState.REVOKED), ("ok", KeyState.LIVE)],
    )
    asked = {k: seen.is_live(k) for k in ("key-1", "key-2", "seen", "ok", "unknown")}
    assert asked == {"key-1": False, "key-2": False, "seen": False, "ok": True, "unknown": True}
    assert [key.key_id for key in seen.live_keys()] == ["key-1"]


def test_key_is_found_by_id() -> None:
    """A key of ours is found by its id, and by nothing else."""
    seen = an_observed(keys=[a_key(1)])
    assert seen.key("key-1") == a_key(1)
    assert seen.key("key-2") is None
    assert seen.generation_of_key(replace(a_key(1), name="somebody else's")) == 0
