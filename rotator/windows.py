"""When a new key may be made: maintenance windows and blackout days.

Pure: an instant in, an answer out. A window only ever delays making a key; it never triggers anything.
"""

from datetime import UTC, datetime

from rotator.spec import SecretSpec


def is_open(spec: SecretSpec, now: datetime) -> bool:
    """Tell whether a new key may be made for a secret at an instant."""
    local = now.astimezone(spec.window.zone if spec.window else UTC)
    if any(blackout.first <= local.date() <= blackout.last for blackout in spec.blackouts):
        return False
    window = spec.window
    if window is None:
        return True
    today, clock = local.weekday(), local.time()
    if window.start < window.end:
        return today in window.days and window.start <= clock < window.end
    # Over midnight: the hours before `end` belong to the window that opened yesterday.
    yesterday = (today - 1) % 7
    return (today in window.days and clock >= window.start) or (
        yesterday in window.days and clock < window.end
    )
