"""Who signs the audit trail, as the configuration says. Imported when first needed.

A key of AWS KMS is used with this process's own rights, as the bucket of the trail is, and in the region of the key.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from rotator.audit.ledger import Entry
from rotator.audit.signers import FileSigner, Signer
from rotator.aws.kms import KmsSigner
from rotator.aws.session import kms_client, own_session
from rotator.config.file import Config
from rotator.config.tables import FileKey, KmsKey
from rotator.model.errors import RotatorError
from rotator.model.signing import PinnedSigner
from rotator.wiring.connect import endpoints

PAUSE_S = 60.0


@dataclass(slots=True)
class Sealing:
    """Seals the entries of the ledger; one that cannot be signed stays as it is, and the next signature covers it.

    After a failure no signature is asked for during `PAUSE_S`: each may take as long as KMS lets one wait.
    """

    config: Config
    env: Mapping[str, str]
    on_loss: Callable[[RotatorError], None]
    _signer: Signer | None = None
    _rests_until_s: float = field(default=-math.inf, init=False)

    def anew(self) -> "Sealing":
        """Return the same for another trail, which has no pause: the next invocation of a function tries at once."""
        return replace(self)

    def __call__(self, entry: Entry) -> Entry:
        """Return an entry with its signature."""
        if time.monotonic() < self._rests_until_s:
            return entry
        try:
            self._signer = self._signer or signer_of(self.config, self.env)
            return replace(entry, seal=self._signer.sign(entry.message)) if self._signer else entry
        except RotatorError as error:
            self._rests_until_s = time.monotonic() + PAUSE_S
            self.on_loss(error)
        return entry


def trusted_signers(config: Config, env: Mapping[str, str]) -> tuple[PinnedSigner, ...]:
    """Return whose seals are trusted: the keys that are pinned, or else the one that signs.

    Raises as `signer_of` does, and SigningError if KMS did not tell the key.
    """
    if config.audit.signers:
        return config.audit.signers
    signer = signer_of(config, env)
    return (PinnedSigner(signer.fingerprint),) if signer else ()


_PUBLIC_KEYS: dict[str, bytes] = {}
"""Of each KMS key that was asked about: it never changes, and the daemon connects anew at each tick."""


def signer_of(config: Config, env: Mapping[str, str]) -> Signer | None:
    """Return who signs; None if the trail is not signed. KMS is not asked yet.

    Raises SigningError if the key in a file cannot be used; ConfigError if region, endpoint or credentials for KMS are
    unusable; another RotatorError if AWS could not be asked for credentials.
    """
    match config.audit.sign:
        case None:
            return None
        case FileKey(path):
            return FileSigner.read(path)
        case KmsKey(arn) as key:
            session = own_session(config.aws.region, env, endpoints(config.aws, env).sts)
            return KmsSigner(kms_client(session, key.region, env), arn, _PUBLIC_KEYS)
        case sign:
            assert_never(sign)
