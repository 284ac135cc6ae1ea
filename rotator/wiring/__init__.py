"""Putting the real adapters together: the only place where clients are constructed.

    aws          the session: region, role, endpoints, identity
    connection   both systems and the audit trail, connected
    trail        the audit trail
    runs         what one run is given

Clock, sleep and randomness enter here and are handed on as arguments; nothing below looks at them by itself.
"""

from rotator.wiring.connection import (
    Clients,
    Connected,
    audit_places,
    clients,
    connect,
    ping,
    rate_limiter,
    refuse_key_log,
)
from rotator.wiring.runs import STARTUP_S, MonotonicDeadline, new_run, startup_deadline

__all__ = [
    "STARTUP_S",
    "Clients",
    "Connected",
    "MonotonicDeadline",
    "audit_places",
    "clients",
    "connect",
    "new_run",
    "ping",
    "rate_limiter",
    "refuse_key_log",
    "startup_deadline",
]
