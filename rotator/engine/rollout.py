"""Whether consumers have followed a promotion: nothing that one of them may hold is revoked before. Pure, but `asked`.

Consumers are asked while a superseded key is alive, or a promotion is young enough to have its since label. One that
cannot be asked counts as behind.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from rotator.engine.superseded import is_crowded, left_keys, managing_key_left, superseded_keys
from rotator.model.consumers import EcsService, Promotion, RollOut
from rotator.model.errors import UnsafeActionError
from rotator.model.naming import SINCE_PREFIX
from rotator.model.observed import Observed
from rotator.model.plan import Redeploy
from rotator.model.ports import Consumers, Deadline
from rotator.model.secret import SecretSpec
from rotator.model.times import setting_text


def matters(spec: SecretSpec, observed: Observed) -> bool:
    """Tell whether it makes a difference how far consumers are."""
    if not spec.consumers or observed.current_key is None:
        return False
    waiting = superseded_keys(observed) or (left_keys(observed) if is_crowded(observed) else ())
    return bool(waiting) or _has_since(observed)


def asked(spec: SecretSpec, observed: Observed, consumers: Consumers, deadline: Deadline) -> Observed:
    """Return the same with how far each consumer is, asked just now. Raises as `promotion_of` does."""
    promotion = promotion_of(observed)
    seen = tuple(consumers.ask(consumer, promotion, deadline) for consumer in spec.consumers)
    return replace(observed, rollout=seen)


def promotion_of(observed: Observed) -> Promotion:
    """Return what consumers are to follow. Raises UnsafeActionError if the current value holds no key."""
    current, held = observed.current, observed.current_key
    if current is None or held is None:
        raise UnsafeActionError("the current value holds no key that consumers could follow")
    return Promotion(observed.description.arn, current.version_id, held.key_id, observed.promoted_at())


def behind(spec: SecretSpec, observed: Observed) -> tuple[str, ...]:
    """Return the names of the consumers that were not seen to have followed: all of them if nobody was asked."""
    followed = {seen.consumer for seen in observed.rollout or () if seen.state is RollOut.FOLLOWED}
    return tuple(consumer.name for consumer in spec.consumers if consumer not in followed)


def is_stuck(spec: SecretSpec, observed: Observed, now: datetime) -> bool:
    """Tell whether a consumer that is behind needs a person: it cannot follow, or has had its time."""
    stuck = any(seen.state is RollOut.STUCK for seen in observed.rollout or ())
    return stuck or now - observed.promoted_at() > spec.wait_at_most


def redeploys(spec: SecretSpec) -> tuple[EcsService, ...]:
    """Return the services that are to be deployed anew after each promotion."""
    return tuple(c for c in spec.consumers if isinstance(c, EcsService) and c.redeploy)


def needs_since(spec: SecretSpec, observed: Observed) -> bool:
    """Tell whether a new version is to say when it was promoted: a grace or a roll-out runs from it."""
    left = superseded_keys(observed) or managing_key_left(spec, observed)
    return bool((left and (spec.grace or spec.consumers)) or redeploys(spec))


def is_outstanding(spec: SecretSpec, observed: Observed) -> bool:
    """Tell whether the deployment of some service is still to be begun, as far as is known."""
    begun = {s.consumer for s in observed.rollout or () if s.state in {RollOut.FOLLOWED, RollOut.ROLLING}}
    return not begun.issuperset(redeploys(spec))


def outstanding(spec: SecretSpec, observed: Observed) -> tuple[Redeploy, ...]:
    """Return the deployments that are to be begun: of services that are behind, while a since label tells for what."""
    if not _has_since(observed):
        return ()
    late = {seen.consumer for seen in observed.rollout or () if seen.state is RollOut.BEHIND}
    return tuple(Redeploy(service) for service in redeploys(spec) if service in late)


def begun(observed: Observed, service: EcsService) -> Observed:
    """Return the same with one deployment begun."""
    seen = observed.rollout or ()
    return replace(
        observed, rollout=tuple(replace(s, state=RollOut.ROLLING, why="") if s.consumer == service else s for s in seen)
    )


def tight_limits(specs: Iterable[SecretSpec]) -> tuple[str, ...]:
    """Return a line for each secret whose consumers may take so long that its next rotation is late."""
    return tuple(
        f"{spec.name}: `wait_at_most` ({setting_text(spec.wait_at_most)}) is above half of `max_age` "
        f"({setting_text(spec.max_age)}), and no key is made while a consumer is behind"
        for spec in specs
        if spec.consumers and spec.wait_at_most > spec.max_age / 2
    )


def _has_since(observed: Observed) -> bool:
    current = observed.current
    return current is not None and any(label.startswith(SINCE_PREFIX) for label in current.labels)
