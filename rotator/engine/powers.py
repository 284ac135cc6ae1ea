"""That a new managing key can do its work, shown by doing it: it finds itself, makes a key and revokes that again.

The key of the trial is named for a version of the same generation. It can do next to nothing, nobody gets its token,
and if a run dies before it is revoked, it is retired like any key that was never stored.
"""

from dataclasses import replace

from rotator.engine.audited import audited
from rotator.engine.run import Run
from rotator.model.credential import Credential
from rotator.model.errors import KeyRejectedError, ProviderDeniedError
from rotator.model.events import Operation, Subject
from rotator.model.naming import NONCE_LENGTH, KeyFamily, version_id
from rotator.model.observed import KeyState
from rotator.model.ports import AuditRun, KeyProvider
from rotator.model.secret import Endpoints, Permissions, Resources, SecretSpec


def trial_name(family: KeyFamily, generation: int, run: Run) -> str:
    """Return the name of the key that a new managing key makes."""
    return family.key_name(version_id(generation, run.now, f"trial{run.nonce}"[:NONCE_LENGTH]))


def prove_powers(  # noqa: PLR0913, PLR0917 - what the executor of one run has
    spec: SecretSpec, run: Run, audit: AuditRun, provider: KeyProvider, held: Credential, own_name: str, trial: str
) -> None:
    """Prove that a credential can list, make and revoke keys.

    Raises KeyRejectedError if it cannot, and what the provider's calls raise.
    """
    acting, within_s = provider.acting_as(held), spec.verify_timeout.total_seconds()
    subject = Subject(key_name=trial)
    try:
        if acting.await_listed(held.key_id, own_name, within_s, run.deadline) is None:
            raise KeyRejectedError("the new managing key does not find itself in the list of keys")
        made = audited(
            audit,
            Operation.CREATE_KEY,
            subject,
            lambda: acting.create_key(trial, _next_to_nothing(spec.permissions), None, run.deadline),
            lambda new: (replace(subject, key_id=new.key_id), ""),
        )
        named = replace(subject, key_id=made.key_id)
        audited(audit, Operation.REVOKE_KEY, named, lambda: acting.revoke_key(made.key_id, run.deadline))
        audited(audit, Operation.PROVE_DEAD, named, lambda: _dead(acting, named, within_s, run))
    except ProviderDeniedError as error:
        raise KeyRejectedError(f"the new managing key cannot manage keys: {error.message}") from None


def _dead(acting: KeyProvider, made: Subject, within_s: float, run: Run) -> None:
    last = acting.await_revoked(made.key_id, made.key_name, within_s, run.deadline)
    if last is not None and last.state is KeyState.LIVE:
        raise KeyRejectedError(f"the new managing key could not revoke key {made.key_id}, which it had made")


def _next_to_nothing(permissions: Permissions) -> Permissions:
    """Return the least that a key can be made for, in the scopes of the same API."""
    if isinstance(permissions, Resources):
        return Resources(frozenset({"org:files:read"}))
    return Endpoints(frozenset({"data.pinList"}))
