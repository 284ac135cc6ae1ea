"""Why a plan is what it is: the machine reasons, what each one says to people, and what follows from it.

One row a reason: its code, one clause for `rotator plan` and the status page, and its consequences. The docstring
below each row says what was seen, what happens next by itself (Next), and what a person does about it (You).
"""

from enum import Flag, StrEnum, auto
from typing import Self


class Consequence(Flag):
    """What follows from a reason, beside its place in the list of rules."""

    NONE = 0
    NEEDS_PERSON = auto()
    """It does not go away by itself."""
    KEEPS_KEYS = auto()
    """No superseded key is retired meanwhile."""
    URGENT = auto()
    """Consumers have no good key, so neither a window, nor a grace, nor room for one more key is waited for."""
    NOT_DUE = auto()
    """No new key is made, and no person needs to know: what keeps an old key alive is reported instead."""
    OUTLIVES_GRACE = auto()
    """A superseded key outlives its grace."""


_PERSON = Consequence.NEEDS_PERSON
_URGENT = Consequence.URGENT


class Reason(StrEnum):
    """The answer to "must the secret move forward?", as `plan`, `run`, the trail and the metrics give it."""

    clause: str
    consequences: Consequence

    def __new__(cls, code: str, clause: str, consequences: Consequence = Consequence.NONE) -> Self:
        """Make the member whose value is `code`."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.clause = clause
        member.consequences = consequences
        return member

    WRONG_REGION = (
        "WRONG_REGION",
        "this is a replica; configure the region of the primary secret, PrimaryRegion in `describe-secret`",
        _PERSON | Consequence.KEEPS_KEYS,
    )
    """The configured region holds a replica of the secret, which cannot be written.

    Next: nothing; no key is made.
    You: set `[aws] region` to the region of the primary secret.
    """
    FOREIGN_OWNER = (
        "FOREIGN_OWNER",
        "an AWS service owns the secret and is the only one that may write it; see OwningService in `describe-secret`",
        _PERSON | Consequence.KEEPS_KEYS,
    )
    """Another AWS service manages the secret and is the only one that may write it.

    Next: nothing; no key is made.
    You: keep the key in a secret of its own, and configure that.
    """
    TO_BE_DELETED = (
        "TO_BE_DELETED",
        "the secret's deletion is scheduled; restore it with `restore-secret`, or take its entry out",
        _PERSON | Consequence.KEEPS_KEYS,
    )
    """The secret was deleted, and its recovery window is open.

    Next: nothing; no key is made.
    You: run `aws secretsmanager restore-secret`, or take the entry out of the configuration and revoke its key.
    """
    ON_HOLD = (
        "ON_HOLD",
        "the tag rotator:hold is set; `rotator release` takes it off",
        _PERSON | Consequence.KEEPS_KEYS,
    )
    """The secret carries the tag `rotator:hold`.

    Next: nothing is made, promoted or revoked while the tag is there.
    You: run `rotator release NAME`, or take the tag off, to go on.
    """
    DRIFTED = (
        "DRIFTED",
        "the secret holds a key that rotator did not make; `rotator rotate` replaces it",
        _PERSON | Consequence.KEEPS_KEYS,
    )
    """The secret was ours, and AWSCURRENT now holds a key that is not.

    Next: nothing, until a person decides.
    You: run `rotator rotate NAME` to replace that key, or move AWSCURRENT back.
    """
    ROLLED_BACK = (
        "ROLLED_BACK",
        "AWSCURRENT was moved back to an older version; `rotator rotate` moves on",
        _PERSON | Consequence.KEEPS_KEYS,
    )
    """AWSCURRENT is on an older version of ours than AWSPREVIOUS, and its key works.

    Next: nothing, until a person decides.
    You: run `rotator rotate NAME` to make a new key.
    """
    SUPERSEDED = ("SUPERSEDED", "AWSPENDING is on a version that is or was current")
    """AWSPENDING is on the current version, on one of the same or a lower generation, or on one with no usable key.

    Next: the label is taken off.
    You: nothing.
    """
    STALLED = ("STALLED", "a pending version was not finished in time, or its key is revoked")
    """AWSPENDING has been on a version for longer than `pending_timeout`, or the key inside it is revoked.

    Next: the label is taken off, and a new key is made if one is due.
    You: nothing, unless it repeats; then see `rotator history NAME`.
    """
    IN_PROGRESS = ("IN_PROGRESS", "another rotation is at work")
    """RotateSecret has made a pending version that holds no value yet.

    Next: Secrets Manager's rotation fills it, or it is discarded after `pending_timeout`.
    You: nothing.
    """
    INTERRUPTED = ("INTERRUPTED", "an earlier rotation stopped half-way")
    """An earlier run left a pending version, or a live key above the current generation.

    Next: this run finishes the rotation.
    You: nothing.
    """
    UP_TO_DATE = ("UP_TO_DATE", "the key works and is not due", Consequence.NOT_DUE)
    """The current key is younger than `max_age`, and nothing else makes it due.

    Next: the key is replaced when it is due.
    You: nothing.
    """
    OUTSIDE_WINDOW = (
        "OUTSIDE_WINDOW",
        "due, but new keys are made inside the maintenance window only",
        Consequence.NOT_DUE,
    )
    """A new key is due, and `window` or `blackout` forbids making one now.

    Next: the key is replaced when the window opens.
    You: nothing, or run `rotator rotate NAME`, which waits for no window.
    """
    WAITING_GRACE = ("WAITING_GRACE", "due, but the key before still has its grace")
    """A new key is due, and the key before the current one is still inside its grace.

    Next: the old key is revoked once its grace is over, then the new one is made.
    You: nothing.
    """
    RETIRE_FIRST = ("RETIRE_FIRST", "due, but a superseded key is to be revoked first")
    """A new key is due, and a superseded key whose grace is over is still alive.

    Next: this run revokes it, proves it dead, and then makes the new key.
    You: nothing.
    """
    REPLICA_BEHIND = (
        "REPLICA_BEHIND",
        "the key before is not revoked until every replica of the secret is InSync",
        Consequence.OUTLIVES_GRACE,
    )
    """A replica of the secret does not have the current version yet, so consumers there may read the old key.

    Next: the old key is revoked once every replica is InSync.
    You: nothing.
    """
    REPLICA_STUCK = (
        "REPLICA_STUCK",
        (
            "a replica of the secret has failed, or is behind for an hour, so the key before is not revoked; "
            "see ReplicationStatus in `aws secretsmanager describe-secret`, and repair or remove the replica"
        ),
        _PERSON | Consequence.OUTLIVES_GRACE,
    )
    """Replication to a region has failed, or has been behind for an hour.

    Next: nothing; the old key stays alive.
    You: look at ReplicationStatus in `aws secretsmanager describe-secret`, then repair or remove the replica.
    """
    CONSUMER_BEHIND = (
        "CONSUMER_BEHIND",
        "the key before is not revoked until every consumer has the current one",
        Consequence.OUTLIVES_GRACE,
    )
    """The grace is over, and a consumer that the entry names may still hold the old key, or cannot be asked.

    Next: the old key is revoked once every consumer has the current one.
    You: deploy the consumer, unless it does so by itself; `rotator status NAME` says which one is behind, and why.
    """
    CONSUMER_STUCK = (
        "CONSUMER_STUCK",
        (
            "a consumer has not followed within wait_at_most, or cannot, so the key before is not revoked; deploy it, "
            "correct its entry, or say `rotator contain NAME --key KEY`"
        ),
        _PERSON | Consequence.OUTLIVES_GRACE,
    )
    """A consumer is behind for longer than `wait_at_most`, or takes another version than the current one.

    Next: nothing; the old key stays alive, and no further key is made.
    You: deploy the consumer or correct it; or take its entry out, or run `rotator contain NAME --key KEY`.
    """
    FENCING = ("FENCING", "too many live keys; the current one is put above the orphans")
    """There are `live_keys_max` live keys, some of which were made and never promoted.

    Next: the current value is put once more under a higher generation, so that those keys may be revoked.
    You: nothing.
    """
    TOO_MANY_KEYS = ("TOO_MANY_KEYS", "too many live keys, and none that may be revoked", _PERSON)
    """There are `live_keys_max` live keys, and none of them may be revoked.

    Next: nothing; no new key is made.
    You: revoke an unused key in Pinata, or raise `live_keys_max`.
    """
    NO_CURRENT = ("NO_CURRENT", "the secret has no value yet", _URGENT)
    """No version carries AWSCURRENT.

    Next: this run makes the first key.
    You: nothing.
    """
    NO_CREDENTIAL = ("NO_CREDENTIAL", "the value holds no credential yet", _URGENT)
    """The value is a placeholder: the fields that are ours are empty, or hold no credential.

    Next: this run makes a key, fills our fields, and carries the others over.
    You: nothing; if the secret was in use, find out who overwrote it.
    """
    CURRENT_REFUSED = ("CURRENT_REFUSED", "Pinata refuses the credential that consumers read", _URGENT)
    """testAuthentication refused the very credential inside AWSCURRENT, twice.

    Next: this run replaces it at once.
    You: find out who put it there, or who damaged it.
    """
    NOT_YET_ACCEPTED = (
        "NOT_YET_ACCEPTED",
        "Pinata refuses the current credential, which is too new to tell",
        Consequence.KEEPS_KEYS,
    )
    """testAuthentication refuses the credential in AWSCURRENT, whose version is younger than `verify_timeout`.

    Next: the next run asks again; if it is still refused then, it is replaced at once.
    You: nothing.
    """
    BACKING_OFF = ("BACKING_OFF", "earlier attempts failed, so the next one waits")
    """Keys were made in the last 24 hours that never became current, or that did not help.

    Next: the next attempt is made when its time has come; each one waits twice as long as the one before.
    You: see `rotator history NAME` for why they failed; `rotator rotate NAME` tries at once.
    """
    ADOPTED = ("ADOPTED", "the key was made by hand; once it is replaced, everybody who holds it loses it")
    """The current key was not made by rotator; listing the secret in the configuration is the consent to replace it.

    Next: this run replaces the key, and revokes it once its grace is over.
    You: nothing.
    """
    AGED_OUT = ("AGED_OUT", "the key has reached max_age")
    """The current key has reached `max_age`.

    Next: this run replaces it.
    You: nothing.
    """
    NEARLY_USED_UP = ("NEARLY_USED_UP", "the key's uses run out")
    """Four fifths of the current key's `max_uses` are used up.

    Next: this run replaces it.
    You: nothing, or raise `max_uses`.
    """
    EXPIRING = ("EXPIRING", "the token expires soon")
    """The current token's `exp` is a week away (the managing key's: 30 days), or in the last quarter of its life.

    Next: this run replaces it.
    You: nothing.
    """
    MANAGING_WAITS = (
        "MANAGING_WAITS",
        "the old managing key is still the one in use; a run that uses the new one revokes it",
    )
    """The managing key was replaced, and this run began with the old one, and never revokes the key that it works with.

    Next: the next run uses the new key, and revokes the old one once its grace is over.
    You: nothing.
    """
    KEY_REVOKED = ("KEY_REVOKED", "the current key is revoked", _URGENT)
    """Pinata lists the current key as revoked, or refuses its token.

    Next: this run replaces it at once.
    You: find out who revoked it.
    """
    FORCED = ("FORCED", "a new key was requested")
    """`rotator rotate` or RotateSecret asked for a new key.

    Next: this run replaces the key.
    You: nothing.
    """
    ROLLING_BACK = ("ROLLING_BACK", "a person wants the previous key back")
    """`rotator rollback` asked for the key before, and Pinata accepts it.

    Next: this run puts the previous value as a new version and makes it current; the secret is on hold then.
    You: repair what the newer key broke, then run `rotator release NAME`.
    """
    CONTAINED = ("CONTAINED", "the key has leaked", _URGENT)
    """The tag `rotator:contain` names a key that is current or pending, or that could become current.

    Next: this run replaces it at once, and revokes it without grace.
    You: nothing; the tag goes by itself once the key is proved dead.
    """
    CONTAIN_STUCK = (
        "CONTAIN_STUCK",
        "the tag rotator:contain names a key that rotator cannot find, or may not revoke",
        _PERSON,
    )
    """No key of this secret has the id in the tag `rotator:contain`, or something else needs that key.

    Next: nothing happens to that key; the tag stays.
    You: run `rotator keys` to see whose key it is; name the right one with `rotator contain NAME --key KEY_ID`. Take
    this demand back with `aws secretsmanager untag-resource --secret-id NAME --tag-keys rotator:contain`.
    """

    @property
    def needs_person(self) -> bool:
        """Whether it does not go away by itself."""
        return Consequence.NEEDS_PERSON in self.consequences

    @property
    def keeps_keys(self) -> bool:
        """Whether no superseded key is retired meanwhile."""
        return Consequence.KEEPS_KEYS in self.consequences

    @property
    def is_urgent(self) -> bool:
        """Whether consumers have no good key, so that nothing is gained by waiting."""
        return Consequence.URGENT in self.consequences

    @property
    def is_due(self) -> bool:
        """Whether a new key is due, or something else than the age of the key decides."""
        return Consequence.NOT_DUE not in self.consequences

    @property
    def outlives_grace(self) -> bool:
        """Whether a superseded key outlives its grace because of a replica or a consumer."""
        return Consequence.OUTLIVES_GRACE in self.consequences
