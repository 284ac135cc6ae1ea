"""One call to Secrets Manager, parsed from the JSON a client sent.

Bounds on what was sent are the rules' business (`state`); here is only what JSON cannot say.
"""

import base64
import binascii
import uuid
from dataclasses import dataclass
from functools import cached_property

from rotator.sandbox.secrets_manager.state import (
    Details,
    InvalidParameterError,
    InvalidRequestError,
    ResourceNotFoundError,
    Value,
)
from rotator.sandbox.secrets_manager.store import READS, Entry, Json, Store

NOT_FOUND = "Secrets Manager can't find the specified secret."
_OF_ANY_OWNER = READS | {"ReplicateSecretToRegions", "TagResource", "UntagResource"}
"""What others may do with a secret that an AWS service manages."""


@dataclass(frozen=True)
class Call:
    """An operation, its parameters, the secrets it is about, and the time (epoch seconds).

    Every method raises `InvalidParameterError` if the parameter is not what it should be.
    """

    operation: str
    sent: Json
    store: Store
    now: float

    def text(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.optional(name)
        if not value:
            raise InvalidParameterError(f"{name} is missing.")
        return value

    def optional(self, name: str) -> str | None:
        """A text, or `None`."""
        value = self.sent.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidParameterError(f"{name} is not a string.")
        return value

    def items(self, name: str) -> list[str]:
        """A list of texts, empty if it was not sent."""
        values = self.sent.get(name) or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidParameterError(f"{name} is not a list of strings.")
        return values

    @cached_property
    def token(self) -> str:
        """The client's request token, or a new one; SDKs always send one."""
        return self.optional("ClientRequestToken") or str(uuid.uuid4())

    @cached_property
    def value(self) -> Value | None:
        """The secret value, if one was sent."""
        string, binary = self.optional("SecretString"), self.optional("SecretBinary")
        if string is not None and binary is not None:
            raise InvalidParameterError("You can't specify both a binary secret value and a string secret value.")
        if binary is None:
            return string
        try:
            return base64.b64decode(binary, validate=True)
        except binascii.Error:
            raise InvalidParameterError("SecretBinary is not Base64.") from None

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags that were sent."""
        try:
            return {str(tag["Key"]): str(tag["Value"]) for tag in self.sent.get("Tags") or ()}
        except (KeyError, TypeError):
            raise InvalidParameterError("Tags is not a list of Key and Value.") from None

    @cached_property
    def new_replicas(self) -> list[str]:
        """The regions of `AddReplicaRegions`."""
        try:
            return [str(one["Region"]) for one in self.sent.get("AddReplicaRegions") or ()]
        except (KeyError, TypeError):
            raise InvalidParameterError("AddReplicaRegions is not a list of Region.") from None

    @cached_property
    def filters(self) -> list[tuple[str, list[str]]]:
        """The filters that were sent: key and values."""
        try:
            return [(one["Key"], list(one["Values"])) for one in self.sent.get("Filters") or ()]
        except (KeyError, TypeError):
            raise InvalidParameterError("Filters is not a list of Key and Values.") from None

    def details(self, before: Details) -> Details:
        """What `before` becomes by this call."""
        description, key = self.optional("Description"), self.optional("KmsKeyId")
        return Details(
            before.description if description is None else description, before.kms_key_id if key is None else key
        )

    def entry(self) -> Entry:
        """The secret named by `SecretId`.

        Raises ResourceNotFoundError if There is none; InvalidRequestError if It may only be read here, and this is a
        write. .
        """
        entry = self.store.find(self.text("SecretId"), self.now)
        if entry is None:
            raise ResourceNotFoundError(NOT_FOUND)
        if entry.primary_region and self.operation not in READS:
            raise InvalidRequestError(
                "Operation not permitted on a replica secret. Call must be made in primary secret's region."
            )
        if entry.owning_service and self.operation not in _OF_ANY_OWNER:
            raise InvalidRequestError(
                "The secret is managed by another service, and you must use that service to update it."
            )
        return entry
