"""`audit verify --against-aws`: what the two systems show that the trail should have. It changes nothing.

Of each configured secret: the heads in its tag `rotator:audit-head`, the versions of ours that carry a label, and the
live keys of ours. Keys that are dead are not compared: a revocation in Pinata's console is in no trail of ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.audit.sources import Criteria, Source, records_of
from rotator.audit.verify import Finding, Flaw, VerificationReport
from rotator.cli.context import connected
from rotator.config.file import Config
from rotator.engine.observer import list_ours
from rotator.fleet.lookup import Target, resolve
from rotator.model.events import Operation
from rotator.model.naming import KeyFamily, generation_of_version, time_of_version
from rotator.model.tags import AUDIT_HEAD_TAG
from rotator.wiring.connect import Connected
from rotator.wiring.runs import MonotonicDeadline

_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the two systems show of one secret."""

    name: str
    heads: tuple[str, ...]
    """From its tag: `number:hex@place`."""
    versions: frozenset[str]
    """Ids of ours with a label."""
    keys: frozenset[str]
    """Names of live keys of ours: the name is in the intent, also where the answer with the id was lost."""


def gathered(config: Config) -> tuple[Evidence, ...]:
    """Ask both systems about every configured secret. Raises RotatorError if one did not answer."""
    deadline = MonotonicDeadline.after(_LIMIT_S)
    with connected(config) as both:
        found = resolve(config.secrets, both.store, deadline)
        for _, error in found.lost:
            raise error
        return tuple(_evidence(config, both, target, deadline) for target in found.targets)


def unrecorded(evidence: Evidence, sources: Sequence[Source], since: datetime | None) -> Iterator[Finding]:
    """Yield what the trail does not have of one secret, made since a time."""
    versions = {one for one in evidence.versions if _is_since(one, since)}
    keys = {name for name in evidence.keys if _is_since(name.rpartition("/")[2], since)}
    for record in records_of(sources, Criteria(secret=evidence.name)):
        if record.operation in {Operation.PUT_PENDING, Operation.PROMOTE}:
            versions.discard(record.subject.version_id)
        if record.operation == Operation.CREATE_KEY:
            keys.discard(record.subject.key_name)
    for kind, ids in (("version", versions), ("live key", keys)):
        for one in sorted(ids):
            yield Finding(Flaw.UNRECORDED, evidence.name, None, "", None, f"{kind} {one}")


def elsewhere(evidence: Evidence, reports: Sequence[VerificationReport]) -> Iterator[Finding]:
    """Yield the heads of places that none of those is that were verified."""
    places = {report.place for report in reports}
    for head in evidence.heads:
        if head.rpartition("@")[2] not in places:
            detail = (
                f"{head}, by its tag: that place is not among those that are configured. If it was given up, remove "
                f"the tag {AUDIT_HEAD_TAG}; the next run sets it anew"
            )
            yield Finding(Flaw.NOT_REACHED, evidence.name, None, "", None, detail)


def _is_since(version_id: str, since: datetime | None) -> bool:
    made_at = time_of_version(version_id)
    return since is None or made_at is None or made_at >= since


def _evidence(config: Config, both: Connected, target: Target, deadline: MonotonicDeadline) -> Evidence:
    description = target.description
    versions = frozenset(v.version_id for v in description.versions if generation_of_version(v.version_id) > 0)
    family = KeyFamily.of(config.pinata.owner, description.arn)
    keys = frozenset(key.name for key in list_ours(both.provider, family, frozenset(), deadline))
    heads = tuple((description.audit_head or "").split())
    return Evidence(target.spec.name, heads, versions, keys)
