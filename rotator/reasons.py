"""The machine reasons of plans, in words: the same on the command line and on the status page."""

from rotator.model import Reason

WHY = {
    Reason.ON_HOLD: "the tag rotator:hold is set; remove it to go on",
    Reason.DRIFTED: "somebody put another key into the secret; `rotator rotate` replaces it",
    Reason.ROLLED_BACK: "somebody moved AWSCURRENT back; `rotator rotate` moves on",
    Reason.SUPERSEDED: "AWSPENDING is on a version that is or was current",
    Reason.STALLED: "a pending version was not finished in time, or its key is revoked",
    Reason.IN_PROGRESS: "another rotation is at work",
    Reason.INTERRUPTED: "an earlier rotation stopped half-way",
    Reason.UP_TO_DATE: "the key is young and live",
    Reason.OUTSIDE_WINDOW: "due, but new keys are made inside the maintenance window only",
    Reason.WAITING_GRACE: "due, but the key before still has its grace",
    Reason.RETIRE_FIRST: "due, but a superseded key is to be revoked first",
    Reason.REPLICA_BEHIND: "the key before is not revoked until every replica of the secret is InSync",
    Reason.REPLICA_STUCK: (
        "a replica of the secret has failed, or is behind for an hour, so the key before is not revoked; "
        "see ReplicationStatus in `aws secretsmanager describe-secret`, and repair or remove the replica"
    ),
    Reason.FENCING: "too many live keys; the current one is put above the orphans",
    Reason.TOO_MANY_KEYS: "too many live keys, and none that may be revoked",
    Reason.NO_CURRENT: "the secret has no value yet",
    Reason.ADOPTED: "the key was made by hand",
    Reason.AGED_OUT: "the key has reached max_age",
    Reason.NEARLY_USED_UP: "the key's uses run out",
    Reason.EXPIRING: "the token expires soon",
    Reason.KEY_REVOKED: "the current key is revoked",
    Reason.FORCED: "somebody asked for it",
    Reason.COMPROMISED: "the key is compromised",
}
"""One clause for each reason, as it stands in `rotator plan` and on the status page."""
