"""Signatures by AWS KMS: the private key never leaves it, and each use of it can be seen in CloudTrail.

A key has the spec ECC_NIST_P256 and the usage SIGN_VERIFY. `Sign` gets the message itself (MessageType RAW), so KMS
computes the SHA-256; its public half is asked for once. No call hangs, and each is tried three times
(`rotator.aws.client.client_config`). Seals are not checked here, and no key is made.

Facts: AWS KMS API reference (Sign, GetPublicKey): RAW takes 4096 bytes, PublicKey is the DER SubjectPublicKeyInfo, and
an ECDSA signature is in DER.
"""

import base64
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TypeVar

from rotator.aws.faults import Fault
from rotator.aws.guard import GuardedCalls
from rotator.model.errors import SigningError, SigningUnavailableError, StoreUnavailableError
from rotator.model.signing import ECDSA_P256, Seal, fingerprint_of

_T = TypeVar("_T")

MESSAGE_BYTES_MAX = 4096
_SPEC, _USAGE, _ALGORITHM = "ECC_NIST_P256", "SIGN_VERIFY", "ECDSA_SHA_256"


class _Unbounded:
    """A call to KMS takes as long as the client allows."""

    def remaining_s(self) -> float:
        return 1.0


class KmsSigner:
    """Signs with one key, by its ARN. Safe for threads."""

    def __init__(self, client: Any, arn: str, known: MutableMapping[str, bytes] | None = None) -> None:  # noqa: ANN401 - a boto3 client
        """Ask nothing yet. `known` remembers public keys by ARN, for longer than this lives."""
        self._client = client
        self._arn = arn
        self._calls = GuardedCalls(client.meta.events, "kms")
        self._lock = threading.Lock()
        self._known = {} if known is None else known

    def __repr__(self) -> str:
        return f"KmsSigner({self._arn!r})"

    @property
    def fingerprint(self) -> str:
        """Return what the key is called. Raises SigningError if KMS did not tell, or it is no key for signatures."""
        return fingerprint_of(self._public())

    def sign(self, message: bytes) -> Seal:
        """Return the seal of a message of at most 4096 bytes. Raises SigningError, and nothing else."""
        if len(message) > MESSAGE_BYTES_MAX:
            raise SigningError(
                f"a line of {len(message)} bytes was not signed: KMS takes {MESSAGE_BYTES_MAX}",
                next_step='Report it, or sign with a key in a file: `[audit] sign = "file:PATH"`.',
            )
        public_key = self._public()
        signature = self._asked("Sign", lambda: self._signed(message))
        return Seal(ECDSA_P256, base64.b64encode(public_key).decode(), base64.b64encode(signature).decode())

    def _signed(self, message: bytes) -> bytes:
        answer = self._client.sign(KeyId=self._arn, Message=message, MessageType="RAW", SigningAlgorithm=_ALGORITHM)
        return _content(answer, "Signature")

    def _public(self) -> bytes:
        with self._lock:
            if self._arn not in self._known:
                answer = self._asked("GetPublicKey", self._described)
                if answer is None:
                    raise SigningError(
                        f"the KMS key {self._arn} cannot sign: it is not a key of {_SPEC} for {_USAGE}",
                        next_step="Make one with `aws kms create-key --key-spec ECC_NIST_P256 "
                        "--key-usage SIGN_VERIFY`, and name its ARN in `[audit] sign`.",
                    )
                self._known[self._arn] = answer
            return self._known[self._arn]

    def _described(self) -> bytes | None:
        """Return the public half; None if the key is of another kind."""
        answer = self._client.get_public_key(KeyId=self._arn)
        spec = answer.get("KeySpec") or answer.get("CustomerMasterKeySpec")  # its older name
        return _content(answer, "PublicKey") if (spec, answer.get("KeyUsage")) == (_SPEC, _USAGE) else None

    def _asked(self, operation: str, call: Callable[[], _T]) -> _T:
        found = self._calls.make(operation, self._arn, _Unbounded(), call)
        if not isinstance(found, Fault):
            return found
        kind = SigningUnavailableError if isinstance(found.error, StoreUnavailableError) else SigningError
        raise kind(found.error.message, next_step=found.error.next_step)


def _content(answer: Mapping[str, Any], name: str) -> bytes:
    """Return a part of an answer; what fails here makes the whole answer unusable."""
    content = answer[name]
    if not isinstance(content, bytes) or not content:
        raise TypeError
    return content
