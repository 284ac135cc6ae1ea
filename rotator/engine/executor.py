"""Doing what a plan says, one action at a time.

Every effect goes the same way: the guards, a durable audit intent, the call, the audit outcome. The first failure
stops the plan; there is nothing to undo, because the next run plans from whatever state the two systems are in. The
one exception is a key that surely was not stored: it is revoked at once, since nobody could ever use it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar, assert_never

from rotator.engine import effects, rollout
from rotator.engine.attempts import IN_A_DECADE_MAX, is_decade_full
from rotator.engine.audited import audited
from rotator.engine.containment import without_grace
from rotator.engine.guards import check_label_room, check_revocable, check_still_asked, check_unchanged
from rotator.engine.observer import Reader
from rotator.engine.powers import prove_powers, trial_name
from rotator.engine.proofs import Proofs, is_same_key
from rotator.engine.retirement import is_abandoned
from rotator.engine.run import Run, World
from rotator.engine.superseded import marks_of
from rotator.model.credential import Credential, Sensitive
from rotator.model.errors import (
    AttemptsExhaustedError,
    AuditUnavailableError,
    DeadlineExceededError,
    KeyRejectedError,
    KeyStillAliveError,
    RotatorError,
    StoppedError,
    StoreDeniedError,
    StoreUnavailableError,
    UnsafeActionError,
)
from rotator.model.events import Operation, Subject
from rotator.model.naming import since_label
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    REPLACED_PREFIX,
    HasKey,
    KeyState,
    Observed,
    Proof,
    ProviderKey,
    SecretDescription,
)
from rotator.model.payload import compose, credential_in
from rotator.model.plan import (
    Action,
    Create,
    Discard,
    Plan,
    Promote,
    ProveDead,
    Redeploy,
    Restamp,
    Revoke,
    Stamp,
    Tag,
    Unlabel,
    Untag,
    Verify,
)
from rotator.model.ports import AuditRun
from rotator.model.secret import Override, SecretSpec
from rotator.model.tags import CONTAIN_TAG

_T = TypeVar("_T")
CREATE_TO_STORE_S = 20.0
"""No key is made with less time left than this (or half of a shorter `timeout`): it must also be stored."""


class Executor:
    """Performs the plans of one run over one secret."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one run is given, and what it has read
        self, spec: SecretSpec, world: World, run: Run, audit: AuditRun, reader: Reader, observed: Observed
    ) -> None:
        self.spec, self.run, self.audit, self.reader = spec, run, audit, reader
        self.provider, self.store, self.deadline = world.provider, world.store, run.deadline
        self.consumers = world.consumers
        self.replaces = run.demand.overrides(Override.VALUE)
        self.proofs = Proofs(spec, world.provider, reader, run)
        self.observed = observed
        """The state as last seen, and as changed since by the actions of this run."""
        self.done: list[Action] = []
        """The actions that succeeded, in order, over all plans."""
        self._minted: dict[str, Credential] = {}
        """What this run minted, by version id, to compare with what is read back."""

    def perform(self, plan: Plan, observed: Observed) -> None:
        """Perform a plan that was made from what was observed just now.

        Raises RotatorError if an action failed or was refused; `done` and `observed` say how far it came.
        """
        self.observed = observed
        for action in plan.actions:
            if self.deadline.remaining_s() <= 0:
                raise DeadlineExceededError(f"time is up before {action.name}")
            if self.run.stopping():
                raise StoppedError(f"told to stop before {action.name}")
            if isinstance(action, Revoke) and self.observed is not observed:
                # Time has passed while the key before was proved dead.
                check_unchanged(observed, self._described(), action.key_id, self.run.now)
            self._act(action)
            self.done.append(action)

    def _act(self, action: Action) -> None:  # noqa: C901 - one case per action
        match action:
            case Create():
                self._create(action)
            case Restamp():
                self._restamp(action)
            case Verify():
                self._verify(action)
            case Promote():
                self._promote(action)
            case Discard(version_id=version_id):
                self._remove_label(version_id, AWSPENDING)
            case Unlabel(version_id=version_id, label=label):
                self._remove_label(version_id, label)
            case Stamp(version_id=version_id, promoted_at=promoted_at):
                self._label(version_id, since_label(promoted_at))
            case Tag(text=text) | Untag(text=text):
                self._tag(action, text)
            case Revoke():
                self._revoke(action)
            case ProveDead():
                self._prove_dead(action)
            case Redeploy():
                self._redeploy(action)
            case _:
                assert_never(action)

    # Forward ---------------------------------------------------------------------------------

    def _create(self, action: Create) -> None:
        listing_s = self.spec.verify_timeout.total_seconds()
        needed_s = min(CREATE_TO_STORE_S + listing_s, self.spec.timeout.total_seconds() / 2)
        if self.deadline.remaining_s() < needed_s:
            raise DeadlineExceededError(f"no key was made: {needed_s:.0f} s must be left to list and store it, too")
        self.reader.check_fits(action.replacing, replacing=self.replaces)
        check_label_room(self.observed, marks_of(self.observed))
        if is_decade_full(self.observed) and not self.run.demand.overrides(Override.DECISIONS):
            raise AttemptsExhaustedError(f"no key was made: {IN_A_DECADE_MAX} of its keys never became current")
        name = self.observed.family.key_name(action.minted_as)
        subject = Subject(version_id=action.version_id, key_name=name)
        new = self._audited(
            Operation.CREATE_KEY,
            subject,
            lambda: self.provider.create_key(name, self.spec.permissions, self.spec.max_uses, self.deadline),
            lambda made: (replace(subject, key_id=made.key_id), ""),
        )
        self._minted[action.version_id] = new
        self.observed = effects.minted(self.observed, ProviderKey(new.key_id, name, self.run.now, KeyState.LIVE))
        try:
            self.observed = effects.minted(self.observed, self.proofs.listed(new, name))
            self._store(action, new, replace(subject, key_id=new.key_id))
        except (StoreUnavailableError, AuditUnavailableError) as error:
            # Perhaps it was stored, or nothing more may happen: the next run sees.
            error.message += f"; key {new.key_id} was made for it and is alive"
            raise
        except RotatorError as error:
            error.message += f"; key {new.key_id}, made for it, {self._revoke_unstored(new.key_id, name)}"
            raise

    def _store(self, action: Create, new: Credential, subject: Subject) -> None:
        """Put a minted key, with the other fields of the current value carried over."""
        current = self.reader.kept_text(action.replacing)
        text = compose(new, self.spec.shape, current, replacing=self.replaces)
        if action.replacing is None:  # AWS makes a secret's first version current, whatever label is asked
            self._audited(Operation.VERIFY_KEY, subject, lambda: self.proofs.usable(new, self.observed))
        self._put(action.version_id, text, marks_of(self.observed), subject)

    def _revoke_unstored(self, key_id: str, name: str) -> str:
        """Revoke a key that nobody holds, and say what came of it; the next run finds it by its name."""
        try:
            self._audited(
                Operation.REVOKE_KEY,
                Subject(key_id=key_id, key_name=name),
                lambda: self.provider.revoke_key(key_id, self.deadline),
            )
        except AuditUnavailableError:
            raise
        except RotatorError:
            return "could not be revoked and may be alive"
        self.observed = effects.revoked(self.observed, key_id)
        return "was revoked again, by Pinata's answer"

    def _restamp(self, action: Restamp) -> None:
        """Put a value once more under a higher generation."""
        text = self.reader.written_value(action.source).text
        held = credential_in(text, self.spec.shape)
        subject = Subject(action.version_id, held.key_id)
        self._put(action.version_id, text, marks_of(self.observed), subject)

    def _put(self, version_id: str, text: Sensitive, labels: frozenset[str], subject: Subject) -> None:
        self._audited(
            Operation.PUT_PENDING,
            subject,
            lambda: self.store.put_pending(self.observed.description.arn, version_id, text, labels, self.deadline),
        )
        held = credential_in(text, self.spec.shape)
        content = HasKey(held.key_id, self.run.now, held.expires_at)
        self.observed = effects.pending(self.observed, version_id, labels, content)

    def _verify(self, action: Verify) -> None:
        """Read a version back and prove its key: what is proved is what was stored, not what is in memory."""
        held = credential_in(self.reader.written_value(action.version_id).text, self.spec.shape)
        minted = self._minted.get(action.version_id)
        if minted is not None and not is_same_key(minted, held):
            raise KeyRejectedError("what was read back from Secrets Manager is not the credential that was stored")
        key = self.observed.key(held.key_id)
        subject = Subject(action.version_id, held.key_id, key.name if key else "")
        generation = self.observed.generation(self.observed.version(action.version_id))
        # A hand-made key's scopes are its maker's business.
        prove = partial(self.proofs.usable, held, self.observed) if generation else partial(self.proofs.working, held)
        self._audited(Operation.VERIFY_KEY, subject, prove)
        if self.spec.manages and generation:
            trial = trial_name(self.observed.family, generation, self.run)
            prove_powers(self.spec, self.run, self.audit, self.provider, held, subject.key_name, trial)

    def _promote(self, action: Promote) -> None:
        """Move AWSCURRENT by compare-and-swap, and only to a higher generation; then tidy up the labels."""
        arn = self.observed.description.arn
        new, replaced = (self.observed.version(version_id) for version_id in (action.version_id, action.replacing))
        if self.observed.generation(new) <= self.observed.generation(replaced):
            raise UnsafeActionError("refused to promote: its generation is not above the current one's")
        try:
            promoted_at = self._audited(
                Operation.PROMOTE,
                Subject(action.version_id, self.observed.key_inside(new) or "", label=AWSCURRENT),
                lambda: self.store.promote(arn, action.version_id, action.replacing, self.deadline),
            )
        except StoreDeniedError as error:
            key_id = self.observed.key_inside(new)
            error.message += f"; version {action.version_id} stays AWSPENDING, and its key {key_id} is alive"
            raise
        self.observed = effects.promoted(self.observed, action.version_id, action.replacing, self.run.now)
        self._remove_label(action.version_id, AWSPENDING)
        if promoted_at and rollout.needs_since(self.spec, self.observed):
            with suppress(StoreUnavailableError):  # the rotation stands; the plan that follows stamps it
                self._label(action.version_id, since_label(promoted_at))
        for false in self.observed.false_since():
            self._remove_label(*false)

    # Retire ----------------------------------------------------------------------------------

    def _revoke(self, action: Revoke) -> None:
        """Revoke a key that consumers have had time to leave, if the current key works right now."""
        observed, key_id = self.observed, action.key_id
        check_revocable(self.spec, observed, key_id)
        held = self.reader.credential(observed.current.version_id) if observed.current else None
        if held is None:
            raise UnsafeActionError(f"refused to revoke {key_id}: the current value holds no key")
        key = observed.key(key_id)
        is_unheld = key is not None and is_abandoned(self.spec, observed, key, self.run.now)
        if observed.proof is not Proof.REFUSED or not is_unheld:
            self.proofs.working(held)
        if self.spec.consumers and key_id not in without_grace(observed):  # consumers forget
            observed = self.observed = rollout.asked(self.spec, observed, self.consumers, self.deadline)
            check_revocable(self.spec, observed, key_id)
        self._audited(
            Operation.REVOKE_KEY,
            Subject(key_id=key_id, key_name=key.name if key else ""),
            lambda: self.provider.revoke_key(key_id, self.deadline),
        )
        self.proofs.revoked(key_id)
        self.observed = effects.revoked(observed, key_id)

    def _prove_dead(self, action: ProveDead) -> None:
        """Show that a revoked key is listed as revoked and that its token is refused.

        A key that outlives its revocation is marked, so that every run asks again until it is dead.
        """
        key = self.observed.key(action.key_id)
        subject = Subject(key_id=action.key_id, key_name=key.name if key else "")
        try:
            self._audited(
                Operation.PROVE_DEAD,
                subject,
                lambda: self.proofs.dead(action.key_id, self.observed),
                lambda witnesses: (subject, witnesses),
            )
        except KeyStillAliveError:
            current = self.observed.current
            if current and action.key_id not in self.observed.replaced_key_ids():
                self._label(current.version_id, REPLACED_PREFIX + action.key_id, action.key_id)
            raise

    def _redeploy(self, action: Redeploy) -> None:
        """Let a service replace its tasks. The rotation stands whether that begins or not."""
        promotion = rollout.promotion_of(self.observed)
        self._audited(
            Operation.REDEPLOY,
            Subject(promotion.version_id, promotion.key_id, label=action.service.name),
            lambda: self.consumers.redeploy(action.service, promotion, self.deadline),
        )
        self.observed = rollout.begun(self.observed, action.service)

    # Both ------------------------------------------------------------------------------------

    def _described(self) -> SecretDescription:
        return self.store.describe(self.observed.description.arn, self.deadline)

    def _tag(self, action: Tag | Untag, text: str) -> None:
        """Set the tag that demands a containment, or take it off, if nobody has changed it since."""
        arn, subject = self.observed.description.arn, Subject(label=f"{CONTAIN_TAG}={text}")
        check_still_asked(self.observed.description.contain or "", self._described())
        if isinstance(action, Tag):
            self._audited(Operation.TAG, subject, lambda: self.store.tag(arn, CONTAIN_TAG, text, self.deadline))
        else:
            self._audited(Operation.UNTAG, subject, lambda: self.store.untag(arn, CONTAIN_TAG, self.deadline))
        self.observed = effects.demanding(self.observed, text if isinstance(action, Tag) else None)

    def _label(self, version_id: str, label: str, key_id: str = "") -> None:
        for version in self.observed.versions:
            if label in version.labels and version.version_id != version_id:  # two promotions within one second
                self._remove_label(version.version_id, label)
        self._audited(
            Operation.LABEL,
            Subject(version_id, key_id, label=label),
            lambda: self.store.attach(self.observed.description.arn, version_id, label, self.deadline),
        )
        self.observed = effects.with_label(self.observed, version_id, label)

    def _remove_label(self, version_id: str, label: str) -> None:
        self._audited(
            Operation.UNLABEL,
            Subject(version_id, label=label),
            lambda: self.store.remove(self.observed.description.arn, version_id, label, self.deadline),
        )
        self.observed = effects.without_label(self.observed, label)

    def _audited(
        self,
        operation: Operation,
        subject: Subject,
        call: Callable[[], _T],
        learned: Callable[[_T], tuple[Subject, str]] | None = None,
    ) -> _T:
        return audited(self.audit, operation, subject, call, learned)
