"""The audit trail's places, and the trail itself. Imported when first needed: a tick over a fleet asleep needs none."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

from rotator import __version__
from rotator.audit import AuditTrail, Writer
from rotator.audit.bucket import Bucket
from rotator.audit.places import AuditPlaces
from rotator.config import Config
from rotator.logs import log_audit_loss
from rotator.wiring.aws import s3_client


def places_of(config: Config, env: Mapping[str, str]) -> AuditPlaces:
    """Return where the audit trail is.

    Args:
        config: the configuration.

        env: the environment.

    Raises:
        ConfigError: region or endpoint are unusable.
    """
    bucket = None
    if where := config.audit.s3:
        bucket = Bucket(s3_client(config, env), where.bucket, where.prefix)
    return AuditPlaces(config.audit.directory, bucket, _now)


def trail_in(places: AuditPlaces, trigger: str, identity: str) -> AuditTrail:
    """Return the audit trail of a process; nothing is touched before its first run."""
    writer = Writer("rotator", __version__, trigger, identity, platform.node())
    return places.trail(writer, lambda: uuid4().hex, log_audit_loss)


def _now() -> datetime:
    return datetime.now(UTC)
