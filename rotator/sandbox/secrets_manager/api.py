"""A strict Secrets Manager: the operations of its API over `rules`.

`SecretsManager.answer` takes an operation and the JSON a client sent and returns the JSON AWS would
send back, or raises a `RuleError`. It is safe for threads: one lock is held per operation, so
writes are linearizable. Reads can be made to lag, because Secrets Manager is eventually consistent
in practice (hashicorp/terraform-provider-aws, issue 18406).

It knows no HTTP and no moto: `under_moto` puts it under boto3 in the same process,
`server` on a port. It keeps resource policies and obeys none, and simulates no KMS or schedules, and no replica that
falls behind in more than its status.
"""

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rotator.sandbox.secrets_manager import answers as wire
from rotator.sandbox.secrets_manager import policies, replicas, rules
from rotator.sandbox.secrets_manager.call import NOT_FOUND, Call
from rotator.sandbox.secrets_manager.rotation import Lambdas, Rotation, Steps
from rotator.sandbox.secrets_manager.state import (
    CURRENT,
    Details,
    InvalidParameterError,
    InvalidRequestError,
    PendingOnPromotion,
    ReplicaStatus,
    ResourceExistsError,
    ResourceNotFoundError,
    RotationStart,
    RuleError,
    Secret,
)
from rotator.sandbox.secrets_manager.store import Entry, Json, Lag, Scope, Store

BATCH_MAX = 20
DAY_S = 86_400.0
NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
RECOVERY_DAYS_MIN = 7
RECOVERY_DAYS_MAX = 30

_Shown = Sequence[tuple[Entry, Secret]]


class SecretsManager:
    """Every account and region of one simulated Secrets Manager.

    `clock` returns epoch seconds; `lambdas` are the functions RotateSecret finds; a rotation that
    fails is run `rotation_attempts` times in all; `lag` may be set at any time.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        on_promotion: PendingOnPromotion = PendingOnPromotion.KEPT,
        on_rotation: RotationStart = RotationStart.CHANGES,
        lambdas: Lambdas | None = None,
        rotation_attempts: int = 1,
    ) -> None:
        """No secrets yet."""
        self.lag = Lag()
        self._clock = clock
        self._on_promotion = on_promotion
        self._on_rotation = on_rotation
        self._lambdas = lambdas
        self._rotation_attempts = rotation_attempts
        self._rotations: list[threading.Thread] = []
        self._stores: dict[Scope, Store] = {}
        self._lock = threading.RLock()
        self._operations: dict[str, Callable[[Call], Json]] = {
            "BatchGetSecretValue": self._batch_get_secret_value,
            "CancelRotateSecret": self._cancel_rotate_secret,
            "CreateSecret": self._create_secret,
            "DeleteSecret": self._delete_secret,
            "DescribeSecret": self._describe_secret,
            "GetResourcePolicy": policies.get,
            "GetSecretValue": self._get_secret_value,
            "ListSecretVersionIds": self._list_secret_version_ids,
            "ListSecrets": self._list_secrets,
            "PutResourcePolicy": policies.put,
            "PutSecretValue": self._put_secret_value,
            "RemoveRegionsFromReplication": self._replicate,
            "ReplicateSecretToRegions": self._replicate,
            "RestoreSecret": self._restore_secret,
            "RotateSecret": self._rotate_secret,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "UpdateSecret": self._update_secret,
            "UpdateSecretVersionStage": self._update_secret_version_stage,
        }

    def answer(self, operation: str, sent: Json, scope: Scope) -> Json:
        """Perform one call. Raises RuleError if AWS would refuse; nothing was changed. ."""
        perform = self._operations.get(operation)
        if perform is None:
            raise InvalidRequestError(f"The simulated Secrets Manager has no {operation}.")
        with self._lock:
            return perform(Call(operation, sent, self._store(scope), self._clock()))

    def _store(self, scope: Scope) -> Store:
        return self._stores.setdefault(scope, Store(scope))

    def set_replica(self, secret_id: str, region: str, status: ReplicaStatus) -> None:
        """Set what DescribeSecret says of the replicas in `region` of every secret with that id.

        Raises RuleError if There is no such secret, or it has no replica there. .
        """
        with self._lock:
            now = self._clock()
            found = [e for e in (s.find(secret_id, now) for s in self._stores.values()) if e and not e.primary_region]
            if not found:
                raise ResourceNotFoundError(NOT_FOUND)
            for entry in found:
                entry.write(replicas.set_status(entry.latest, region, status))

    def set_owner(self, secret_id: str, service: str) -> None:
        """Set which AWS service manages every secret with that id; empty: none does.

        Raises RuleError if There is no such secret. .
        """
        with self._lock:
            now = self._clock()
            found = [e for e in (s.find(secret_id, now) for s in self._stores.values()) if e]
            if not found:
                raise ResourceNotFoundError(NOT_FOUND)
            for entry in found:
                entry.owning_service = service

    def reset(self) -> None:
        """Forget every secret and stop lagging."""
        with self._lock:
            self._stores.clear()
            self.lag = Lag()

    def wait_for_rotations(self, timeout_s: float) -> bool:
        """Wait for the rotations RotateSecret started; false if one still runs."""
        deadline = time.monotonic() + timeout_s
        for thread in tuple(self._rotations):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._rotations = [thread for thread in self._rotations if thread.is_alive()]
        return not self._rotations

    # Reads

    def _seen(self, call: Call, entry: Entry) -> Secret | None:
        lag = self.lag
        return entry.as_of(lag, call.now) if call.operation in lag.operations else entry.latest

    def _read(self, call: Call) -> tuple[Entry, Secret]:
        entry = call.entry()
        secret = self._seen(call, entry)
        if secret is None:
            raise ResourceNotFoundError(NOT_FOUND)
        return entry, secret

    def _page(self, call: Call, size_max: int = wire.PAGE_MAX) -> tuple[_Shown, Json]:
        page = wire.Page.asked(call.sent, size_max)
        deleted = bool(call.sent.get("IncludePlannedDeletion"))
        seen = ((entry, self._seen(call, entry)) for entry in call.store.after(page.after))
        listed = ((e, s) for e, s in seen if s and (deleted or s.deletion is None))
        selected = ((e, s) for e, s in listed if wire.selected(e, s, call.filters))
        return page.cut(selected, lambda item: item[0].serial)

    def _describe_secret(self, call: Call) -> Json:
        entry, secret = self._read(call)
        return wire.description(entry, secret, "VersionIdsToStages")

    def _get_secret_value(self, call: Call) -> Json:
        entry, secret = self._read(call)
        found = secret.get(call.optional("VersionId"), call.optional("VersionStage"))
        return wire.secret_value(entry, found)

    def _batch_get_secret_value(self, call: Call) -> Json:
        ids = call.items("SecretIdList")
        if bool(ids) == bool(call.filters) or len(ids) > BATCH_MAX:
            raise InvalidParameterError(f"Give either SecretIdList, of at most {BATCH_MAX}, or Filters.")
        more: Json = {}
        if call.filters:
            shown, more = self._page(call, BATCH_MAX)
            ids = [entry.arn for entry, _ in shown]
        values: list[Json] = []
        errors: list[Json] = []
        for secret_id in ids:
            try:
                one = replace(call, sent={"SecretId": secret_id})
                values.append(self._get_secret_value(one))
            except RuleError as error:
                refusal = {"ErrorCode": error.code, "Message": str(error)}
                errors.append({"SecretId": secret_id, **refusal})
        return {"SecretValues": values, "Errors": errors, **more}

    def _list_secrets(self, call: Call) -> Json:
        shown, more = self._page(call)
        listed = [wire.description(e, s, "SecretVersionsToStages") for e, s in shown]
        return {"SecretList": listed, **more}

    def _list_secret_version_ids(self, call: Call) -> Json:
        entry, secret = self._read(call)
        deprecated = bool(call.sent.get("IncludeDeprecated"))
        versions = secret.list_versions(include_deprecated=deprecated)
        page = wire.Page.asked(call.sent)
        numbered = list(enumerate(versions, start=1))[page.after :]
        shown, more = page.cut(numbered, lambda item: item[0])
        return {**wire.identity(entry), "Versions": [wire.version(f) for _, f in shown], **more}

    # Writes

    def _create_secret(self, call: Call) -> Json:
        name, token, value = call.text("Name"), call.token, call.value
        if not NAME.fullmatch(name):
            raise InvalidParameterError("The name may have 1 to 512 letters, digits and the characters /_+=.@-")
        entry = call.store.find(name, call.now)
        if entry is not None:
            _check_same_creation(entry.latest, call)
            return {**wire.identity(entry), "VersionId": token}
        secret = rules.create(call.now, token=token, value=value, tags=call.tags, details=call.details(Details()))
        secret = replace(secret, on_promotion=self._on_promotion, on_rotation=self._on_rotation)
        entry = call.store.add(name, secret)
        return wire.identity(entry) | ({} if value is None else {"VersionId": token})

    def _put_secret_value(self, call: Call) -> Json:
        entry, value = call.entry(), call.value
        if value is None:
            raise InvalidRequestError("You must provide either SecretString or SecretBinary.")
        labels = call.items("VersionStages") if "VersionStages" in call.sent else [CURRENT]
        entry.write(rules.put(entry.latest, call.now, token=call.token, value=value, labels=labels))
        stages = entry.latest.labels_of(call.token)
        return {**wire.identity(entry), "VersionId": call.token, "VersionStages": list(stages)}

    def _update_secret(self, call: Call) -> Json:
        entry, before = call.entry(), call.entry().latest
        details = call.details(before.details)
        entry.write(rules.update(before, call.now, token=call.token, value=call.value, details=details))
        return wire.identity(entry) | ({} if call.value is None else {"VersionId": call.token})

    def _update_secret_version_stage(self, call: Call) -> Json:
        entry = call.entry()
        moved = rules.move_label(
            entry.latest,
            call.now,
            call.text("VersionStage"),
            move_to=call.optional("MoveToVersionId"),
            remove_from=call.optional("RemoveFromVersionId"),
        )
        entry.write(moved)
        return wire.identity(entry)

    def _tag_resource(self, call: Call) -> Json:
        entry = call.entry()
        entry.write(rules.tag(entry.latest, call.now, call.tags))
        return {}

    def _untag_resource(self, call: Call) -> Json:
        entry = call.entry()
        entry.write(rules.untag(entry.latest, call.now, call.items("TagKeys")))
        return {}

    def _replicate(self, call: Call) -> Json:
        entry = call.entry()
        added, gone = call.new_replicas, call.items("RemoveReplicaRegions")
        if not added and not gone:
            raise InvalidParameterError("No region is given.")
        entry.write(replicas.unreplicate(replicas.replicate(entry.latest, added), gone))
        for region in added:
            self._store(Scope(call.store.scope.account, region)).add_replica(entry)
        for region in gone:
            self._store(Scope(call.store.scope.account, region)).remove_replica(entry)
        return {"ARN": entry.arn, **wire.replication(entry.latest)}

    def _delete_secret(self, call: Call) -> Json:
        days, force = (call.sent.get("RecoveryWindowInDays"), call.sent.get("ForceDeleteWithoutRecovery"))
        if days is not None and (force or not RECOVERY_DAYS_MIN <= days <= RECOVERY_DAYS_MAX):
            raise InvalidParameterError("RecoveryWindowInDays must be 7 to 30, and not given with a forced deletion.")
        if force:
            return self._delete_at_once(call)
        entry = call.entry()
        deletion = call.now + (days or RECOVERY_DAYS_MAX) * DAY_S
        entry.write(rules.delete(entry.latest, call.now, deletion=deletion))
        return {**wire.identity(entry), "DeletionDate": deletion}

    def _delete_at_once(self, call: Call) -> Json:
        """A forced deletion succeeds for a secret that does not exist, as AWS documents."""
        name = call.text("SecretId")
        entry = call.store.find(name, call.now)
        if entry is None:
            return {"ARN": call.store.arn(name, 0), "Name": name, "DeletionDate": call.now}
        call.store.remove(entry)
        return {**wire.identity(entry), "DeletionDate": call.now}

    def _restore_secret(self, call: Call) -> Json:
        entry = call.entry()
        entry.write(rules.restore(entry.latest, call.now))
        return wire.identity(entry)

    # Rotation

    def _rotate_secret(self, call: Call) -> Json:
        entry, token = call.entry(), call.token
        arn = call.optional("RotationLambdaARN") or ""
        begun = rules.begin_rotation(entry.latest, call.now, token=token, lambda_arn=arn)
        lambdas = self._lambdas
        if lambdas is None or not lambdas.exists(begun.rotation_lambda_arn):
            raise ResourceNotFoundError(f"There is no function {begun.rotation_lambda_arn}.")
        entry.rotation_rules = _rotation_rules(call) or entry.rotation_rules
        entry.rotation_enabled = True
        entry.write(begun)
        steps = Steps.TEST if call.sent.get("RotateImmediately") is False else Steps.ALL
        rotation = Rotation(entry.arn, token, begun.rotation_lambda_arn, steps)
        thread = threading.Thread(target=self._run, args=(lambdas, entry, rotation), daemon=True)
        self._rotations.append(thread)
        thread.start()
        return {**wire.identity(entry), "VersionId": token}

    def _run(self, lambdas: Lambdas, entry: Entry, rotation: Rotation) -> None:
        """Run beside the caller, since RotateSecret is asynchronous; the lock is free meanwhile."""
        done = rotation.run(lambdas, self._rotation_attempts)
        with self._lock:
            now = self._clock()
            if rotation.steps is Steps.TEST:
                entry.write(rules.end_rotation_test(entry.latest, now, token=rotation.token))
            elif done:
                entry.last_rotated = now

    def _cancel_rotate_secret(self, call: Call) -> Json:
        entry = call.entry()
        if not entry.latest.rotation_lambda_arn or entry.latest.deletion is not None:
            raise InvalidRequestError("The secret has no rotation function, or is marked for deletion.")
        entry.rotation_enabled = False
        return wire.identity(entry)


def _check_same_creation(secret: Secret, call: Call) -> None:
    """A repeated CreateSecret with the same token and value succeeds; any other one is refused."""
    if secret.deletion is not None:
        raise InvalidRequestError("A secret with this name is already scheduled for deletion.")
    version = secret.versions.get(call.token)
    if version is None or call.value is None or version.value != call.value:
        raise ResourceExistsError(f"The operation failed because the secret {call.text('Name')} already exists.")


def _rotation_rules(call: Call) -> Json:
    sent = call.sent.get("RotationRules") or {}
    if not isinstance(sent, dict) or {"AutomaticallyAfterDays", "ScheduleExpression"} <= set(sent):
        raise InvalidParameterError("Give either AutomaticallyAfterDays or ScheduleExpression.")
    return sent
