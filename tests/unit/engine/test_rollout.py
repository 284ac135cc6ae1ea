"""Consumers in decisions: who counts as behind, what that keeps alive, and what a guard says at the last moment."""

import pytest

from rotator.engine.guards import check_revocable
from rotator.engine.retirement import is_abandoned
from rotator.engine.rollout import behind, is_outstanding, matters, outstanding, promotion_of
from rotator.model.consumers import EcsService, RollOut, Standing
from rotator.model.errors import UnsafeActionError
from rotator.model.naming import since_label
from rotator.model.observed import AWSCURRENT, AWSPREVIOUS, NoCredential
from tests.builders import AT_ONCE, NOW, a_key, a_spec, a_version, ago, an_observed

SERVICE, REDEPLOYED = EcsService("prod", "uploader"), EcsService("prod", "pinner", redeploy=True)
CURRENT, PREVIOUS = a_version(4, AWSCURRENT), a_version(3, AWSPREVIOUS)


@pytest.mark.parametrize("state", [state for state in RollOut if state is not RollOut.FOLLOWED])
def test_whoever_has_not_followed_is_behind(state: RollOut) -> None:
    """Rolling, stuck and unknown count like behind; an entry that was not asked, too."""
    spec = a_spec(consumers=(SERVICE, REDEPLOYED))
    seen = an_observed(CURRENT, rollout=[Standing(SERVICE, state)])
    assert behind(spec, seen) == (SERVICE.name, REDEPLOYED.name)
    followed = an_observed(CURRENT, rollout=[Standing(one, RollOut.FOLLOWED) for one in (SERVICE, REDEPLOYED)])
    assert behind(spec, followed) == ()


def test_guard_names_who_may_still_hold_the_key() -> None:
    """A revocation that was planned is refused if a consumer has gone back since."""
    spec = a_spec(consumers=(SERVICE,))
    back = an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], rollout=[Standing(SERVICE, RollOut.BEHIND)])
    with pytest.raises(UnsafeActionError, match="ecs prod/uploader may still hold it"):
        check_revocable(spec, back, "key-3")


def test_room_is_not_made_at_a_consumers_expense() -> None:
    """A key of ours that no version holds is left alone while a consumer is behind: it may have it since long ago."""
    older = a_key(2, made_at=ago(days=60))
    seen = an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3), older])
    assert is_abandoned(a_spec(grace=AT_ONCE), seen, older, NOW)
    assert not is_abandoned(a_spec(grace=AT_ONCE, consumers=(SERVICE,)), seen, older, NOW)


def test_consumers_follow_keys() -> None:
    """Where the current value holds none there is nothing to follow, and nobody is asked."""
    empty = an_observed(a_version(4, AWSCURRENT, content=NoCredential()))
    assert not matters(a_spec(consumers=(SERVICE,)), empty)
    with pytest.raises(UnsafeActionError, match="holds no key"):
        promotion_of(empty)


def test_deployment_is_outstanding_until_it_has_begun() -> None:
    """Unknown is not begun, and not begun again either: only who is seen to be behind is deployed anew."""
    spec = a_spec(consumers=(REDEPLOYED,))
    current = a_version(4, AWSCURRENT, since_label(NOW), made_at=NOW)

    def seen(state: RollOut) -> bool:
        return is_outstanding(spec, an_observed(current, rollout=[Standing(REDEPLOYED, state)]))

    assert {state for state in RollOut if seen(state)} == {RollOut.BEHIND, RollOut.STUCK, RollOut.UNKNOWN}
    assert is_outstanding(spec, an_observed(current))
    unknown = an_observed(current, rollout=[Standing(REDEPLOYED, RollOut.UNKNOWN)])
    assert outstanding(spec, unknown) == ()
