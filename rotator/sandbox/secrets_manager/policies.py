"""Resource policies: kept as they were put, and obeyed by nobody."""

from rotator.sandbox.secrets_manager import answers as wire
from rotator.sandbox.secrets_manager.call import Call
from rotator.sandbox.secrets_manager.store import Json


def get(call: Call) -> Json:
    """GetResourcePolicy: a secret without a policy has no such field in the answer."""
    entry = call.entry()
    return {**wire.identity(entry), **({"ResourcePolicy": entry.policy} if entry.policy else {})}


def put(call: Call) -> Json:
    """PutResourcePolicy: replaces the policy that there is."""
    entry = call.entry()
    entry.policy = call.text("ResourcePolicy")
    return wire.identity(entry)
