"""The audit trail's places, and the trail itself. Imported when first needed: a tick over a fleet asleep needs none."""

import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from rotator import __version__
from rotator.audit.bucket.objects import AuditBucket
from rotator.audit.chain import Keeps
from rotator.audit.locations import TrailLocations
from rotator.audit.record import Writer
from rotator.audit.sources import last_outcomes_of
from rotator.audit.trail import AuditTrail, Listener
from rotator.aws.client import endpoint_of
from rotator.aws.session import own_session, s3_client
from rotator.config.file import Config
from rotator.wiring.connect import endpoints
from rotator.wiring.logs import log_audit_loss, log_unsealed
from rotator.wiring.signing import Sealing


def trail_locations(config: Config, env: Mapping[str, str]) -> TrailLocations:
    """Return where the audit trail is. Raises ConfigError if its region, endpoint or credentials are unusable."""
    bucket = None
    if where := config.audit.s3:
        endpoint = endpoint_of(config.aws.s3_endpoint_url, env, "S3")
        session = own_session(config.aws.region, env, endpoints(config.aws, env).sts)
        bucket = AuditBucket(s3_client(session, endpoint), where.bucket, where.prefix)
    if config.audit.sign is None:
        return TrailLocations(config.audit.directory, bucket, _now)
    return TrailLocations(config.audit.directory, bucket, _now, Sealing(config, env, log_unsealed))


def trail_in(
    locations: TrailLocations, trigger: str, identity: str, listener: Listener | None, keeps: Keeps = lambda _: False
) -> AuditTrail:
    """Return the audit trail of a process; nothing is touched before its first run."""
    writer = Writer("rotator", __version__, trigger, identity, platform.node())
    if isinstance(locations.seal, Sealing):
        locations = replace(locations, seal=locations.seal.anew())
    return AuditTrail(
        locations.destinations(writer, _new_id, keeps),
        writer,
        clock=locations.clock,
        new_id=_new_id,
        on_loss=log_audit_loss,
        listener=listener,
        last=lambda secret, since: last_outcomes_of(locations.sources(), {secret}, since).get(secret),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid4().hex
