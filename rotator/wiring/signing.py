"""Who signs the audit trail, as the configuration says. Imported when first needed.

A key of AWS KMS is used with this process's own rights, as the bucket of the trail is, and in the region of the key.
"""

from collections.abc import Mapping
from typing import assert_never

from rotator.audit.signers import FileSigner, Signer
from rotator.aws.kms import KmsSigner
from rotator.aws.session import kms_client, own_session
from rotator.config.file import Config
from rotator.config.tables import FileKey, KmsKey
from rotator.wiring.connect import endpoints

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
