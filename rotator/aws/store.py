"""SecretStore over boto3: the only module that knows which call moves a label, and what the answers are worth.

- a version id is the idempotency token of its own Put, so a repeated Put leaves one version;
- a label moves by compare-and-swap. A finished move cannot be repeated, and botocore repeats a call
  whose answer was lost, so a refusal alone does not tell a lost race from our own success;
- reads lag behind writes (hashicorp/terraform-provider-aws, issue 18406): one look at the labels
  after a write proves nothing, and neither does one "not found".

No exception of a library leaves it, and no raw answer is a local variable of a frame that raises:
tracebacks can be printed with locals. Safe for threads.
"""

import re
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rotator.aws.answers import current_values, described, listed, moved_at, skew_s, stored, version_dates
from rotator.aws.faults import Effect, Fault
from rotator.aws.guard import GuardedCalls
from rotator.model.credential import Sensitive
from rotator.model.errors import (
    LabelConflictError,
    RotatorError,
    SecretNotFoundError,
    SecretValueError,
    StoreDeniedError,
    StoreUnavailableError,
)
from rotator.model.naming import ids_of
from rotator.model.observed import AWSCURRENT, AWSPENDING, SecretDescription
from rotator.model.ports import Deadline, StoredValue

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import (
        DescribeSecretResponseTypeDef,
        ListSecretsResponseTypeDef,
        TagTypeDef,
    )

PAGE_SIZE = 100  # the most ListSecrets gives at once (API reference)
PAGES_MAX = 5_000  # half a million secrets: the quota of an account in a region
LIST_DENIED_FOR_S = 3_600.0
"""How long an identity that may not list is not asked to again; policies change seldom."""
VALUE_LAG_MAX_S = 15.0
"""How long a value that was just written may take to show."""
LABELS_LAG_MAX_S = 5.0
"""How long the labels may take to show a move, or to agree on its refusal."""
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, *(1.5,) * 9)
_NOWHERE = ""
_NAME_WITH_SUFFIX = re.compile(r"[^:]+-[A-Za-z0-9]{6}", re.ASCII)
_PLACES = ("InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException")
"""Refusals of a label move that may be about where the label is; the API reference does not say."""


class SecretsManagerStore:
    """A `SecretStore` over a boto3 client.

    `client` is made with `client_config()`; `clock` is the local time in seconds since the epoch.
    """

    def __init__(
        self, client: "SecretsManagerClient", *, clock: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._rotation_token: Sensitive | None = None
        self._list_denied_at_s = -LIST_DENIED_FOR_S
        self._calls = GuardedCalls(client.meta.events)

    def in_rotation(self, token: Sensitive | None) -> "SecretsManagerStore":
        """Return this store with a RotationToken: its Puts prove that Secrets Manager asked for them."""
        bound = copy(self)
        bound._rotation_token = token  # noqa: SLF001 - its own class
        return bound

    def describe(self, secret_id: str, deadline: Deadline) -> SecretDescription:
        """Return a secret's labels, dates and hold tag."""
        seen = self._look(secret_id, deadline)
        if isinstance(seen, Fault):
            raise _with_hint(seen.error, secret_id)
        return seen

    def survey(self, secret_ids: tuple[str, ...], deadline: Deadline) -> dict[str, SecretDescription]:
        """Return what `describe` would, by id as given: name, ARN, or ARN without its suffix.

        Left out is a row without labels or a date, and what looks like a full ARN and is none. Raises StoreDeniedError
        if this identity may not list, by the answer to this call or to one within the last hour.
        """
        if self._clock() - self._list_denied_at_s < LIST_DENIED_FOR_S:
            raise StoreDeniedError("AWS denied `secretsmanager:ListSecrets` within the last hour")
        wanted = set(secret_ids)
        found: dict[str, SecretDescription] = {}
        token = ""
        for _ in range(PAGES_MAX if wanted else 0):
            page = self._page(wanted, token, deadline)
            if isinstance(page, Fault):
                if isinstance(page.error, StoreDeniedError):
                    self._list_denied_at_s = self._clock()
                raise page.error
            found |= page.found
            wanted -= page.listed
            token = page.next_token
            if not wanted or not token:
                break
        return found

    def read(self, arn: str, version_id: str, deadline: Deadline) -> StoredValue | None:
        """Return a version's value, or None if it has none or is not visible yet."""
        value = self._get(arn, deadline, VersionId=version_id)
        if not isinstance(value, Fault):
            return value
        if value.code == "ResourceNotFoundException":
            return None
        raise value.error

    def version_created_at(self, arn: str, version_id: str, deadline: Deadline) -> datetime | None:
        """Return when a labelled version was made, with or without a value: what ListSecretVersionIds tells."""
        seen = self._calls.make(
            "ListSecretVersionIds",
            arn,
            deadline,
            lambda: version_dates(self._client.list_secret_version_ids(SecretId=arn, MaxResults=PAGE_SIZE)),
        )
        if isinstance(seen, Fault):
            raise seen.error
        return seen.get(version_id)

    def read_current(self, secret_id: str, deadline: Deadline) -> Sensitive:
        """Return the current value of a secret that is not rotated here, in one call.

        Raises SecretNotFoundError if there is no such secret, or it has no value.
        """
        value = self._get(secret_id, deadline, VersionStage=AWSCURRENT)
        if isinstance(value, Fault):
            raise value.error
        return value.text

    def read_current_values(self, arns: tuple[str, ...], deadline: Deadline) -> dict[str, Sensitive | None]:
        """Return the values on AWSCURRENT of at most twenty secrets in one call, by ARN.

        None where a value cannot be read; a secret without one is missing.
        """
        values = self._calls.make(
            "BatchGetSecretValue",
            f"{len(arns)} secrets",
            deadline,
            lambda: current_values(arns, self._client.batch_get_secret_value(SecretIdList=list(arns))),
        )
        if isinstance(values, Fault):
            raise values.error
        return values

    def await_value(self, arn: str, version_id: str, deadline: Deadline) -> StoredValue:
        """Return the value of a version that was just written; reads lag behind writes."""
        value = self.read(arn, version_id, deadline)
        for pause_s in _pauses(VALUE_LAG_MAX_S, deadline):
            if value:
                break
            self._sleep(pause_s)
            value = self.read(arn, version_id, deadline)
        if value is None:
            raise StoreUnavailableError(f"version {version_id} of {arn} was written, but did not show in time")
        return value

    def put_pending(
        self, arn: str, version_id: str, text: Sensitive, labels: frozenset[str], deadline: Deadline
    ) -> None:
        """Write a version with AWSPENDING and the given custom labels; idempotent by its id."""
        done = self._calls.make(
            "PutSecretValue",
            arn,
            deadline,
            lambda: self._client.put_secret_value(
                SecretId=arn,
                ClientRequestToken=version_id,
                SecretString=text.reveal(),
                VersionStages=[AWSPENDING, *sorted(labels)],
                **_proof(self._rotation_token),
            )["VersionId"],
        )
        if isinstance(done, Fault):
            raise done.error

    def promote(self, arn: str, version_id: str, replacing: str | None, deadline: Deadline) -> datetime | None:
        """Move AWSCURRENT to a version if it is on `replacing`; success if it is there already."""
        answer = self._move(arn, AWSCURRENT, deadline, to=version_id, away_from=replacing)
        if not isinstance(answer, Fault):
            return answer
        fault = answer
        before = replacing or _NOWHERE
        holder = self._settled(fault, arn, AWSCURRENT, deadline, lambda seen: seen != before)
        if holder is None:
            raise fault.error
        if holder != version_id:
            raise LabelConflictError(
                f"AWSCURRENT of {arn} was not moved to {version_id}: it is on "
                f"{holder or 'no version'}, no longer on {replacing or 'no version'}"
            )
        return None

    def attach(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Put a custom label that is nowhere yet on a version; success if it is there already."""
        fault = self._move(arn, label, deadline, to=version_id)
        if isinstance(fault, Fault) and self._settled(fault, arn, label, deadline, bool) != version_id:
            raise fault.error

    def remove(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Take a label off a version; success if it is not there."""
        fault = self._move(arn, label, deadline, away_from=version_id)
        if not isinstance(fault, Fault):
            return
        if self._settled(fault, arn, label, deadline, lambda seen: seen != version_id) is None:
            raise fault.error

    def tag(self, arn: str, key: str, value: str, deadline: Deadline) -> None:
        """Set a tag of a secret, whatever its value was."""
        tags: list[TagTypeDef] = [{"Key": key, "Value": value}]
        self._tell("TagResource", arn, deadline, lambda: self._client.tag_resource(SecretId=arn, Tags=tags))

    def untag(self, arn: str, key: str, deadline: Deadline) -> None:
        """Take a tag off a secret; success if it is not there."""
        self._tell("UntagResource", arn, deadline, lambda: self._client.untag_resource(SecretId=arn, TagKeys=[key]))

    def _tell(self, operation: str, arn: str, deadline: Deadline, call: Callable[[], object]) -> None:
        done = self._calls.make(operation, arn, deadline, lambda: bool(call()) or True)
        if isinstance(done, Fault):
            raise done.error

    def _get(self, secret_id: str, deadline: Deadline, **version: str) -> StoredValue | Fault:
        value = self._calls.make(
            "GetSecretValue",
            secret_id,
            deadline,
            lambda: stored(self._client.get_secret_value(SecretId=secret_id, **version)),
        )
        if value is None:
            error = SecretValueError(f"{', '.join(version.values())} of {secret_id} holds bytes")
            return Fault(error, "SecretBinary", Effect.NONE)
        return value

    def _look(self, secret_id: str, deadline: Deadline) -> SecretDescription | Fault:
        return self._calls.make(
            "DescribeSecret",
            secret_id,
            deadline,
            lambda: self._described(self._client.describe_secret(SecretId=secret_id)),
        )

    def _described(self, answer: "DescribeSecretResponseTypeDef") -> SecretDescription:
        return described(answer, skew_s(answer, self._clock()))

    def _page(self, wanted: set[str], token: str, deadline: Deadline) -> "_SurveyPage | Fault":
        ask: dict[str, Any] = {"NextToken": token} if token else {}
        return self._calls.make(
            "ListSecrets",
            "this account",
            deadline,
            lambda: self._listed(wanted, self._client.list_secrets(MaxResults=PAGE_SIZE, **ask)),
        )

    def _listed(self, wanted: set[str], answer: "ListSecretsResponseTypeDef") -> "_SurveyPage":
        """Parse what is wanted and nothing else: most of a large account is not."""
        off_s = skew_s(answer, self._clock())
        page = _SurveyPage({}, set(), answer.get("NextToken", ""))
        for row in answer["SecretList"]:
            ids = wanted.intersection(ids_of(row["ARN"]))
            if not ids:
                continue
            page.listed.update(ids)
            description = listed(row, off_s)
            if description is not None:
                page.found.update(dict.fromkeys(ids, description))
        return page

    def _move(
        self, arn: str, label: str, deadline: Deadline, *, to: str | None = None, away_from: str | None = None
    ) -> "datetime | Fault | None":
        ends = {"MoveToVersionId": to, "RemoveFromVersionId": away_from}
        named: dict[str, Any] = {end: version for end, version in ends.items() if version}
        return self._calls.make(
            "UpdateSecretVersionStage",
            arn,
            deadline,
            lambda: moved_at(self._client.update_secret_version_stage(SecretId=arn, VersionStage=label, **named)),
        )

    def _settled(
        self, fault: Fault, arn: str, label: str, deadline: Deadline, expected: Callable[[str], bool]
    ) -> str | None:
        """Return where a label is once two looks in a row agree, and it is where it may be by now.

        None: the move failed for another reason than the label's place, or no look shows it in time.
        """
        if fault.code not in _PLACES and fault.effect is Effect.NONE:
            return None
        holder = self._holder(arn, label, deadline)
        for pause_s in _pauses(LABELS_LAG_MAX_S, deadline):
            if holder is None:
                break
            self._sleep(pause_s)
            before, holder = holder, self._holder(arn, label, deadline)
            if before == holder and expected(before):
                return before
        return None

    def _holder(self, arn: str, label: str, deadline: Deadline) -> str | None:
        """Return the version that carries a label; None if the secret cannot be described, or is to be deleted."""
        seen = self._look(arn, deadline)
        if isinstance(seen, Fault) or seen.deleted_at:
            return None
        return next((v.version_id for v in seen.versions if label in v.labels), _NOWHERE)


@dataclass(frozen=True, slots=True)
class _SurveyPage:
    """Of one page of ListSecrets: what was wanted, which ids were on it, and how to go on."""

    found: dict[str, SecretDescription]
    listed: set[str]
    next_token: str


def _with_hint(error: RotatorError, secret_id: str) -> RotatorError:
    """Say of a name that is not found, and ends like an ARN, what the name may be instead."""
    if not isinstance(error, SecretNotFoundError) or not _NAME_WITH_SUFFIX.fullmatch(secret_id):
        return error
    name = secret_id[: -len("-AbCdEf")]
    hint = f'If "{secret_id[len(name) :]}" is the end of its ARN, it is not of the name: set `secret_id = "{name}"`.'
    return SecretNotFoundError(error.message, next_step=f"{hint} {error.next_step}")


def _proof(token: Sensitive | None) -> dict[str, Any]:
    return {"RotationToken": token.reveal()} if token else {}


def _pauses(within_s: float, deadline: Deadline) -> Iterator[float]:
    """Yield growing pauses that all end within a time from now, and within the deadline."""
    reserve_s = max(0.0, deadline.remaining_s() - within_s)
    for pause_s in _PAUSES_S:
        if deadline.remaining_s() - pause_s <= reserve_s:
            return
        yield pause_s
