"""What may become of a call: the alphabet of faults, and which of them make sense for which operation.

A fate is a class of outcomes, not a wire fault: that each wire fault lands in the right class is shown elsewhere, over
the real adapters.
"""

from enum import StrEnum

from tests.simulated.world import Operation


class Fate(StrEnum):
    """What becomes of one call, as the scheduler decides."""

    OK = "ok"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    LOST = "lost"
    """No effect, and no answer."""
    LATE = "late answer"
    """The effect, and no answer."""
    DELAYED = "delayed"
    """No answer now; the effect may come at any later point, even when the process is long gone."""
    REJECTED = "rejected"
    DENIED = "denied"
    TIME_UP = "time is up"
    """The deadline of the run passes just before the call."""
    STALE = "stale"
    """A read shows the state before the last write; testAuthentication shows a key as it was before its last change."""
    PARTIAL = "partial page"
    """The list lacks its last row."""
    SHIFTED = "shifted page"
    """The list lacks its first row."""
    WRONG_JWT = "wrong JWT"
    """The key is made, and its token does not work."""
    WIDER = "wider scopes"
    """The key is made, and may do more than was asked."""
    RENAMED = "another name"
    """The key is made under another name than was asked for."""
    ACKNOWLEDGED = "acknowledged"
    """The answer of a success, and no effect."""
    LISTED_ONLY = "listed only"
    """The answer of a success, and the key is listed as revoked; its token is taken until it is revoked once more."""
    AUDIT_ONCE = "audit fails once"
    AUDIT_DOWN = "audit down"
    """This record fails, and all that follow."""


READS = frozenset(
    {
        Operation.DESCRIBE,
        Operation.LIST_VERSIONS,
        Operation.GET_VALUE,
        Operation.LIST_KEYS,
        Operation.TEST_AUTHENTICATION,
        Operation.ASK_CONSUMER,
    }
)
WRITES = frozenset(
    {
        Operation.CREATE_KEY,
        Operation.PUT_VALUE,
        Operation.PROMOTE,
        Operation.ATTACH,
        Operation.REMOVE,
        Operation.REVOKE_KEY,
        Operation.TAG,
        Operation.UNTAG,
        Operation.REDEPLOY,
    }
)
CHANGES = WRITES | {Operation.ROTATE}
WITHOUT_EFFECT = frozenset({Fate.CRASH_BEFORE, Fate.LOST, Fate.REJECTED, Fate.DENIED, Fate.TIME_UP, Fate.DELAYED})
UNANSWERED = frozenset({Fate.LOST, Fate.LATE, Fate.DELAYED})
MADE_WRONG = frozenset({Fate.WRONG_JWT, Fate.WIDER, Fate.RENAMED})
MISLEADING = frozenset({Fate.STALE, Fate.PARTIAL, Fate.SHIFTED})
AUDIT = frozenset({Fate.AUDIT_ONCE, Fate.AUDIT_DOWN})
_ANY = (Fate.CRASH_BEFORE, Fate.LOST, Fate.REJECTED, Fate.DENIED, Fate.TIME_UP)
_WRITE = (Fate.CRASH_AFTER, Fate.LATE, Fate.DELAYED)
_SPECIAL: dict[Operation, tuple[Fate, ...]] = {
    Operation.LIST_KEYS: (Fate.STALE, Fate.PARTIAL, Fate.SHIFTED),
    Operation.CREATE_KEY: (Fate.WRONG_JWT, Fate.WIDER, Fate.RENAMED),
    Operation.DESCRIBE: (Fate.STALE,),
    Operation.GET_VALUE: (Fate.STALE,),
    Operation.REVOKE_KEY: (Fate.ACKNOWLEDGED, Fate.LISTED_ONLY),
    Operation.TEST_AUTHENTICATION: (Fate.STALE,),
}
ALPHABET: dict[Operation, tuple[Fate, ...]] = {
    operation: (*_ANY, *(_WRITE if operation in WRITES else ()), *_SPECIAL.get(operation, ()))
    for operation in sorted(READS | WRITES)
} | {Operation.ROTATE: ()}
"""The faults of each operation, in the order in which they are tried. A crash after a read is one before the next."""
APART: dict[tuple[Operation, Fate], str] = {
    (Operation.TAG, Fate.DELAYED): "what a tag says late, a person could say then as well",
    (Operation.UNTAG, Fate.DELAYED): "that a tag goes late, a person could do then as well",
    (Operation.REDEPLOY, Fate.DELAYED): "a service that is deployed anew later could be by a person as well",
}
"""Pairs that `make simulate` need not try, each with the reason."""
